"""Pushes that other makers' code seals go through our listener and our decoding; an altered one does not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.peers.environments import Peer
from tests.peers.result import Cell, Outcome, ok

from openami.app.bench.peers import PeerUnavailableError
from openami.headend.inspection.telegram import Framing, Keys, decode_telegrams
from openami.network.adapters.push_listener import PushListener
from openami.network.intake import OfferedFrame
from openami.protocol.envelope.blocks import GENERAL_BLOCK_TRANSFER, LAST
from openami.protocol.envelope.wrapper import HEADER_OCTETS

HOST = "127.0.0.1"
TITLE = b"PYD\x00\x00\x00\x00\x01"
COUNT = 3
DELIVERED, EXPECTED = "1.0.1.8.0.255", 12_345_678


@dataclass(frozen=True, slots=True)
class Way:
    """One way to push.

    Args:
        framing: wrapper or hdlc.
        suite: security suite.
        pdu_octets: longest APDU; a longer one goes in general blocks.
        field_octets: longest HDLC information field; a longer APDU goes in segments.
        name: what it is called in the matrix.
    """

    framing: str
    suite: int = 0
    pdu_octets: int = 1_024
    field_octets: int = 1_024
    name: str = ""

    def __str__(self) -> str:
        return f"its pushes, our listener, {self.framing} over TCP, suite {self.suite}{self.name}"


PUSHERS: Mapping[str, tuple[str, tuple[Way, ...]]] = {
    "pydlms-client": ("pydlms_push", (Way("wrapper"), Way("wrapper", suite=1))),
    "gurux-dlms": (
        "gurux_push",
        (
            Way("wrapper"),
            Way("wrapper", pdu_octets=80, name=", in blocks"),
            Way("hdlc"),
            Way("hdlc", field_octets=64, name=", in segments"),
        ),
    ),
}
"""Driver and ways of each peer that makes pushes."""
OPERATIONS = 3
WAIT_S = 10.0


async def cells_of(peer: Peer) -> list[Cell]:
    """Take the pushes of one peer."""
    driver, ways = PUSHERS[peer.name.partition(" ")[0]]
    return [cell for way in ways for cell in await _pushed(peer, driver, way)]


async def _pushed(peer: Peer, driver: str, way: Way) -> list[Cell]:
    key, auth_key = secrets.token_bytes(16), secrets.token_bytes(16)
    task: dict[str, Any] = {
        "title": TITLE.hex(),
        "key": key.hex(),
        "auth_key": auth_key.hex(),
        "suite": way.suite,
        "counter": 5,
        "count": COUNT,
        "framing": way.framing,
        "pdu_octets": way.pdu_octets,
        "field_octets": way.field_octets,
    }
    operations = ("taken whole", "tag verified, values decoded", "refused with a wrong tag")
    try:
        said = await asyncio.to_thread(peer.run, driver, task)
        sent = [bytes.fromhex(frame) for frame in said["frames"]]
        if _never_ends(sent):
            detail = "none of its general blocks says that it is the last, so nobody can tell where the APDU ends"
            return [Cell(peer.name, str(way), operation, Outcome.NOTED, detail) for operation in operations]
        taken = await _listened(b"".join(sent))
    except (PeerUnavailableError, TimeoutError) as error:
        return [Cell(peer.name, str(way), operation, Outcome.FAILED, str(error)) for operation in operations]
    keys = Keys(key, auth_key)
    found = [_document(frame, keys) for frame in taken]
    values = [_value(document) for document in found]
    verified = all(d["authenticated"] and d["encrypted"] for d in found)
    altered = _document(taken[0][:-1] + bytes((taken[0][-1] ^ 1,)), keys)
    is_refused = altered["error"] is not None and not altered["objects"]
    return [
        ok(peer.name, str(way), operations[0], holds=len(taken) == COUNT, detail=f"{len(taken)} frames"),
        ok(peer.name, str(way), operations[1], holds=verified and values == [EXPECTED] * COUNT, detail=str(values)),
        ok(peer.name, str(way), operations[2], holds=is_refused, detail=str(altered["error"])),
    ]


def _never_ends(frames: Sequence[bytes]) -> bool:
    """Tell whether wrapper frames carry general blocks and no last one."""
    heads = [frame[HEADER_OCTETS : HEADER_OCTETS + 2] for frame in frames]
    return all(head[0] == GENERAL_BLOCK_TRANSFER and not head[1] & LAST for head in heads)


async def _listened(octets: bytes) -> list[bytes]:
    """Return the frames that our push listener makes of octets on one connection."""
    taken: list[bytes] = []
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def take(frames: Sequence[OfferedFrame]) -> None:
        taken.extend(frame for _, _, _, frame in frames)

    listener = PushListener(take, now_ms=lambda: 0)
    task = asyncio.create_task(listener.run(stop, host=HOST, port=0, ready=port.set_result))
    _, writer = await asyncio.open_connection(HOST, await port)
    writer.write(octets)
    writer.close()
    async with asyncio.timeout(WAIT_S):
        while len(taken) < COUNT:
            await asyncio.sleep(0.02)
    stop.set()
    await task
    return taken


def _document(frame: bytes, keys: Keys) -> dict[str, Any]:
    (telegram,) = decode_telegrams(frame, keys=keys, framing=Framing.WRAPPER, zone=None)
    return telegram.document()


def _value(document: dict[str, Any]) -> Any:
    return next((o["value"] for o in document["objects"] if o["obis"] == DELIVERED), None)
