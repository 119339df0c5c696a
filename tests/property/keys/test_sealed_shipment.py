"""Laws of sealed shipments: any altered octet is refused, and any octets at all give the one declared error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openami.security.keys.sealed_shipment import open_shipment, scalar_of, seal_shipment
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError
from openami.security.suites.curve import public_key_of

MAKER, UTILITY = scalar_of(b"m" * 32), scalar_of(b"u" * 32)
PLAIN = (
    b'{"shipment_id":"S","made_at":"2026-01-05T08:00:00Z","maker":"OAM","profile":"oam-1","meters":[{"system_title":'
    b'"4f414d0000000001","serial":"1","encryption_key":"5c316162209ebb790b52eb0e7fc5b11c","authentication_key":'
    b'"92705c5c97286064eabae38d190f87a4"}]}'
)
SEALED = seal_shipment(
    PLAIN,
    maker="OAM",
    shipment_id="S",
    maker_key=MAKER,
    recipient_key=public_key_of(UTILITY),
    dice=lambda n: b"d" * n,
)


def opened(octets: bytes) -> Shipment | None:
    try:
        return open_shipment(octets, own_key=Secret(UTILITY), keys_of_maker=[public_key_of(MAKER)])
    except ShipmentError:
        return None


def test_the_untouched_file_opens() -> None:
    assert opened(SEALED) is not None


@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_refused(at: int, bit: int) -> None:
    altered = bytearray(SEALED)
    altered[at] ^= 1 << bit
    assert opened(bytes(altered)) is None


@given(st.integers(0, len(SEALED) - 1))
def test_a_file_cut_anywhere_is_refused(end: int) -> None:
    assert opened(SEALED[:end]) is None


@given(st.binary(max_size=400))
def test_any_octets_after_the_magic_are_refused_and_never_break(octets: bytes) -> None:
    assert opened(b"OASHIP01" + octets) is None
