"""Shipments are read whole or refused with the line that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openami.security.keys.secret import Secret
from openami.security.keys.shipment import ShipmentError, parse_shipment

HEAD = {"shipment_id": "S-1", "made_at": "2026-01-05T08:00:00Z", "maker": "OAM", "profile": "oam-1"}
EK = "5c316162209ebb790b52eb0e7fc5b11c"
AK = "92705c5c97286064eabae38d190f87a4"


def meter(**changes: Any) -> dict[str, Any]:
    row = {"system_title": "4f414d0000000001", "serial": "1001", "encryption_key": EK, "authentication_key": AK}
    return {**row, **changes}


def document(*meters: dict[str, Any]) -> bytes:
    return json.dumps({**HEAD, "meters": list(meters)}).encode()


def lines(*meters: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in ({**HEAD}, *meters)).encode()


@pytest.mark.parametrize("write", [document, lines], ids=["document", "lines"])
def test_both_shapes_give_the_same_meters(write: Any) -> None:
    shipment = parse_shipment(write(meter(zone="Europe/Vienna", profile="lg-e450")))
    (only,) = shipment.meters
    assert (str(only.system_title), only.serial, only.profile, only.zone) == (
        "4f414d0000000001",
        "1001",
        "lg-e450",
        "Europe/Vienna",
    )
    assert only.encryption_key == Secret(bytes.fromhex(EK))


def test_a_meter_without_profile_takes_the_shipments_own() -> None:
    assert parse_shipment(document(meter())).meters[0].profile == "oam-1"


@pytest.mark.attack("A10")
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (meter(encryption_key="00" * 16), "weak_key"),
        (meter(encryption_key="000102030405060708090a0b0c0d0e0f"), "weak_key"),
        (meter(authentication_key="d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"), "weak_key"),
        (meter(authentication_key="d0" * 16), "weak_key"),
        (meter(authentication_key="abcd" * 8), "weak_key"),
        (meter(encryption_key="ab" * 15), "weak_key"),
        (meter(authentication_key=EK), "duplicate_key"),
        (meter(system_title="4f41"), "bad_field"),
        (meter(serial=""), "bad_field"),
        (meter(zone="Mars/Olympus"), "bad_field"),
        (meter(meter_id="no"), "bad_field"),
        (meter(encryption_key="xyz"), "bad_field"),
    ],
)
def test_a_bad_line_refuses_the_whole_file_and_is_named(bad: dict[str, Any], rule: str) -> None:
    other = meter(system_title="4f414d0000000002", encryption_key="11" * 8 + "2f" * 8, authentication_key=AK[::-1])
    with pytest.raises(ShipmentError) as caught:
        parse_shipment(document(other, bad))
    assert [(f.rule, f.subject) for f in caught.value.findings] == [(rule, "meters[1]")]


@pytest.mark.attack("A10")
def test_two_meters_with_one_title_or_one_key_are_refused() -> None:
    with pytest.raises(ShipmentError) as caught:
        parse_shipment(lines(meter(), meter(serial="1002")))
    assert {f.rule for f in caught.value.findings} == {"duplicate_title", "duplicate_key"}
    assert {f.subject for f in caught.value.findings} == {"line 3"}


@pytest.mark.parametrize(
    "octets",
    [b"", b"\xff\xfe", b"{", b"[]", b"[" * 100_000, b"{}", b'{"meters": 3}', b"\x00" * 20, document()],
    ids=["empty", "not utf-8", "cut", "list", "deep", "no fields", "meters no list", "zeros", "no meter"],
)
def test_any_other_octets_are_one_declared_error(octets: bytes) -> None:
    with pytest.raises(ShipmentError):
        parse_shipment(octets)


@pytest.mark.attack("A34")
def test_no_error_text_shows_a_key() -> None:
    with pytest.raises(ShipmentError) as caught:
        parse_shipment(document(meter(), meter(authentication_key=EK)))
    assert EK not in repr(caught.value).lower() + repr(caught.value.findings).lower()
    assert EK not in repr(parse_shipment(document(meter())))
