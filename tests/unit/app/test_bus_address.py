"""The address of a bus is read exactly, and what it lacks is said without its password."""

from __future__ import annotations

import pytest

from openami.app.engines.bus_address import BusError, bus_address


def test_an_address_in_the_clear_is_taken_as_it_is() -> None:
    address = bus_address("nats://core:word@127.0.0.1:4222")
    assert (address.url, address.tls) == ("nats://core:word@127.0.0.1:4222", None)


def test_an_address_by_tls_believes_the_system_unless_it_names_an_authority() -> None:
    address = bus_address("tls://core:word@bus.example:4222")
    assert address.url == "tls://core:word@bus.example:4222"
    assert address.tls is not None
    assert address.tls.check_hostname


@pytest.mark.parametrize(
    "text",
    [
        "http://core:word@bus:1", "core:word@bus:1", "", "nats://core:word@bus:1?sslrootcert=a",
        "tls://core:word@bus:1?cert=a", "tls://core:word@bus:1?sslcert=a", "tls://core:word@bus:1?sslkey=a",
        "tls://core:word@bus:1?sslrootcert=/nowhere/ca.pem", "tls://core:word@bus:1?sslrootcert=",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_its_password_not_shown(text: str) -> None:
    with pytest.raises(BusError) as refused:
        bus_address(text)
    assert "word" not in str(refused.value)


def test_the_text_of_an_address_shows_no_password() -> None:
    assert "word" not in repr(bus_address("nats://core:word@bus:1"))
