"""What must hold for any octets in any decoder: a value that can be written again, or one PeerError."""

from __future__ import annotations

import json
from collections.abc import Callable

from openami.headend.telegram import Framing, Keys, decode_telegrams
from openami.kernel.time import zone_named
from openami.protocol import apdu, axdr
from openami.protocol.cosem import decode_date_time
from openami.protocol.cosem.profile_buffer import expand_rows
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.envelope.blocks import parse_block
from openami.protocol.envelope.stream import HdlcReader, WrapperReader
from openami.protocol.errors import PeerError

KEYS = Keys(bytes(16), bytes(range(16)))
ZONE = zone_named("America/Chicago")


def _message(octets: bytes) -> None:
    again = apdu.encode(apdu.decode(octets))
    assert apdu.encode(apdu.decode(again)) == again


def _value(octets: bytes) -> None:
    again = axdr.encode(axdr.decode(octets))
    assert axdr.encode(axdr.decode(again)) == again


def _rows(octets: bytes) -> None:
    assert len({len(row) for row in expand_rows(axdr.decode(octets), capture_period_s=900)}) <= 1


def _streams(octets: bytes) -> None:
    for reader in (HdlcReader(), WrapperReader()):
        reader.receive(octets)
        reader.finish()


def _telegrams(octets: bytes) -> None:
    for telegram in decode_telegrams(octets, keys=KEYS, framing=Framing.AUTO, zone=ZONE):
        json.dumps(telegram.document(), allow_nan=False)


DECODERS: tuple[Callable[[bytes], object], ...] = (
    _message,
    _value,
    _rows,
    _streams,
    _telegrams,
    parse_block,
    parse_sealed_header,
    parse_wrapper,
    decode_date_time,
)


def check(decoder: Callable[[bytes], object], octets: bytes) -> None:
    """Run one decoder.

    Raises:
        AssertionError: what it gives cannot be written and read again, or its error points outside the octets.
    """
    try:
        decoder(octets)
    except PeerError as error:
        inside = 0 <= error.offset <= len(octets)
    else:
        inside = True
    assert inside
