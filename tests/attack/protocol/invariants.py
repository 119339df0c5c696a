"""What must hold for any octets in any decoder: a value that can be written again, or one PeerError.

The associations stand in the same list: whatever they are told, they go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from tests.pair.protocol.parties import PROFILE, Case, Pair

from openami.headend.inspection.telegram import Framing, Keys, decode_telegrams
from openami.kernel.time import zone_named
from openami.protocol import apdu, axdr
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.errors import ServiceRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.association.server import ServerState
from openami.protocol.cosem import decode_date_time
from openami.protocol.cosem.profile_buffer import expand_rows
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.envelope.block_session import BlockSession
from openami.protocol.envelope.blocks import parse_block
from openami.protocol.envelope.stream import HdlcReader, WrapperReader
from openami.protocol.errors import PeerError

Decoder: TypeAlias = Callable[[bytes], object]
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


def _server(octets: bytes) -> None:
    """A server without protection, associated: it answers, and stays able to answer."""
    pair = Pair(Case(Mechanism.NONE, 0, Form.PLAIN, client_max_pdu=128))
    pair.associate()
    for _ in range(2):
        assert all(pair.server.receive(octets))
    pair.association = ClientAssociation(pair.settings)
    pair.associate()
    assert pair.server.state is ServerState.ASSOCIATED


def _client(octets: bytes) -> None:
    """A client without protection: the octets answer its read, and every block that it asks for then."""
    pair = Pair(Case(Mechanism.NONE, 0, Form.PLAIN))
    pair.associate()
    with suppress(AccessRefusedError, ServiceRefusedError):
        pair.run(pair.association.read(PROFILE), exchange=lambda _: octets)


def _blocks(octets: bytes) -> None:
    session = BlockSession(block_octets=10)
    for _ in range(2):
        session.receive(octets)


DECODERS: tuple[Decoder, ...] = (
    _message,
    _value,
    _rows,
    _streams,
    _telegrams,
    parse_block,
    parse_sealed_header,
    parse_wrapper,
    decode_date_time,
    _server,
    _client,
    _blocks,
)


def check(decoder: Decoder, octets: bytes) -> None:
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
