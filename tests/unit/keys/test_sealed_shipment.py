"""A sealed shipment opens for its utility alone, from its maker alone, whole."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from openami.kernel.errors import MisuseError
from openami.security.keys import sealed_shipment
from openami.security.keys.sealed_shipment import (
    is_sealed_shipment,
    open_shipment,
    parse_head,
    scalar_of,
    seal_shipment,
)
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import ShipmentError
from openami.security.suites.curve import public_key_of, sign

MAKER, OTHER_MAKER, UTILITY, OTHER_UTILITY = (scalar_of(bytes([n]) * 32) for n in (1, 2, 3, 4))
EK, AK, MK = "5c316162209ebb790b52eb0e7fc5b11c", "92705c5c97286064eabae38d190f87a4", "1b705c5c97286064eabae38d190f87a4"


def document(**changes: Any) -> bytes:
    meter = {"system_title": "4f414d0000000001", "serial": "1", "encryption_key": EK, "authentication_key": AK}
    head = {"shipment_id": "S-1", "made_at": "2026-01-05T08:00:00Z", "maker": "OAM", "profile": "oam-1"}
    return json.dumps({**head, "meters": [{**meter, "master_key": MK}], **changes}).encode()


def sealed(
    plain: bytes | None = None, *, maker: str = "OAM", maker_key: bytes = MAKER, utility: bytes = UTILITY
) -> bytes:
    return seal_shipment(
        document() if plain is None else plain,
        maker=maker,
        shipment_id="S-1",
        maker_key=maker_key,
        recipient_key=public_key_of(utility),
        dice=os.urandom,
    )


def opened(octets: bytes, *, makers: tuple[bytes, ...] = (MAKER,), utility: bytes = UTILITY) -> Any:
    return open_shipment(octets, own_key=Secret(utility), keys_of_maker=[public_key_of(m) for m in makers])


def test_the_utility_reads_what_its_maker_shipped() -> None:
    shipment = opened(sealed())
    (meter,) = shipment.meters
    assert (shipment.maker, meter.encryption_key, meter.master_key) == (
        "OAM",
        Secret(bytes.fromhex(EK)),
        Secret(bytes.fromhex(MK)),
    )


def test_a_maker_may_have_several_keys() -> None:
    assert opened(sealed(), makers=(OTHER_MAKER, MAKER)).shipment_id == "S-1"


def test_two_files_of_one_shipment_share_no_octet_of_key_or_ciphertext() -> None:
    one, two = sealed(), sealed()
    first, second = parse_head(one), parse_head(two)
    assert first.ephemeral_key != second.ephemeral_key
    assert one[len(first.octets) : -64] != two[len(second.octets) : -64]


def test_no_key_stands_in_the_file() -> None:
    octets = sealed()
    for key in (EK, AK, MK):
        assert key.encode() not in octets
        assert bytes.fromhex(key) not in octets


@pytest.mark.attack("A10")
@pytest.mark.parametrize(
    ("octets", "makers", "utility", "why"),
    [
        (sealed(maker_key=OTHER_MAKER), (MAKER,), UTILITY, "not signed by OAM"),
        (sealed(), (), UTILITY, "no key of maker OAM is registered"),
        (sealed(), (OTHER_MAKER,), UTILITY, "not signed by OAM"),
        (sealed(utility=OTHER_UTILITY), (MAKER,), UTILITY, "encrypted to key"),
        (sealed(document(maker="XYZ")), (MAKER,), UTILITY, "another shipment than it names"),
        (sealed(document(shipment_id="S-2")), (MAKER,), UTILITY, "another shipment than it names"),
        (sealed(b"{"), (MAKER,), UTILITY, "line 1 is not JSON"),
    ],
    ids=[
        "another signs",
        "unknown maker",
        "another's key",
        "another utility",
        "another maker in it",
        "name",
        "no JSON",
    ],
)
def test_what_is_not_ours_from_a_maker_we_know_is_refused(
    octets: bytes, makers: tuple[bytes, ...], utility: bytes, why: str
) -> None:
    with pytest.raises(ShipmentError, match=why):
        opened(octets, makers=makers, utility=utility)


def test_a_maker_that_signs_anothers_file_as_its_own_opens_nothing() -> None:
    """The signature is taken off, and the name and signature of another registered maker are put on."""
    octets = sealed()
    stolen = octets.replace(b"\x03OAM", b"\x03XYZ", 1)[:-64]
    again = stolen + sign(OTHER_MAKER, b"openami shipment file v1|" + stolen)
    with pytest.raises(ShipmentError, match="does not open with our key"):
        opened(again, makers=(OTHER_MAKER,))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"OASHIP0",
        b"OASHIP01",
        b"OASHIP01\x00",
        b"OASHIP01\x03OAM\x00",
        b"OASHIP01\x03O\xffM\x03S-1",
        b"OASHIP01\x03OAM\x03S-1" + bytes(88 + 64),
        b"OASHIP01\x03OAM\x03S\n1" + bytes(80) + (16).to_bytes(8) + bytes(16 + 64),
        b"OASHIP01\x03OAM\x03S-1" + bytes(80) + (2**63).to_bytes(8) + bytes(80),
        sealed() + b"\x00",
        sealed()[:-1],
    ],
)
def test_octets_that_are_no_whole_file_are_one_declared_error(octets: bytes) -> None:
    with pytest.raises(ShipmentError):
        opened(octets)


def test_a_point_off_the_curve_is_refused_though_it_is_signed() -> None:
    body = bytearray(sealed()[:-64])
    head = parse_head(sealed())
    at = len(head.octets) - 8 - 64
    body[at : at + 64] = b"\x05" * 64
    again = bytes(body) + sign(MAKER, b"openami shipment file v1|" + bytes(body))
    with pytest.raises(ShipmentError, match="does not open"):
        opened(again)


@pytest.mark.parametrize("name", ["", "x" * 81])
def test_a_name_of_another_length_is_not_sealed(name: str) -> None:
    with pytest.raises(MisuseError):
        sealed(maker=name)


@pytest.mark.parametrize("octets", [bytes(32), b"\xff" * 32, sealed_shipment._ORDER.to_bytes(32)])
def test_any_32_octets_make_a_private_key(octets: bytes) -> None:
    assert len(public_key_of(scalar_of(octets))) == 64
    with pytest.raises(MisuseError):
        scalar_of(octets[1:])


def test_a_plain_shipment_is_told_from_a_sealed_one() -> None:
    assert (is_sealed_shipment(sealed()), is_sealed_shipment(document())) == (True, False)
