"""Pushes that other makers' code seals go through our listener and our decoding; an altered one does not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from tests.peers.environments import Peer
from tests.peers.result import Cell, Outcome, ok

from openami.app.bench.peers import PeerUnavailableError
from openami.headend.telegram import Framing, Keys, decode_telegrams
from openami.network.adapters.push_listener import PushListener
from openami.network.intake import OfferedFrame

HOST = "127.0.0.1"
TITLE = b"PYD\x00\x00\x00\x00\x01"
COUNT = 3
DELIVERED, EXPECTED = "1.0.1.8.0.255", 12_345_678
PUSHERS = {"pydlms-client": ("pydlms_push", (0, 1)), "gurux-dlms": ("gurux_push", (0,))}
"""Driver and suites of each peer that makes pushes."""
WAIT_S = 10.0


async def cells_of(peer: Peer) -> list[Cell]:
    """Take the pushes of one peer."""
    driver, suites = PUSHERS[peer.name.partition(" ")[0]]
    return [cell for suite in suites for cell in await _pushed(peer, driver, suite)]


async def _pushed(peer: Peer, driver: str, suite: int) -> list[Cell]:
    way = f"its pushes, our listener, wrapper over TCP, suite {suite}"
    key, auth_key = secrets.token_bytes(16), secrets.token_bytes(16)
    task: dict[str, Any] = {
        "title": TITLE.hex(),
        "key": key.hex(),
        "auth_key": auth_key.hex(),
        "suite": suite,
        "counter": 5,
        "count": COUNT,
        "framing": "wrapper",
    }
    try:
        said = await asyncio.to_thread(peer.run, driver, task)
    except PeerUnavailableError as error:
        return [Cell(peer.name, way, "pushes", Outcome.FAILED, str(error))]
    sent = [bytes.fromhex(frame) for frame in said["frames"]]
    taken = await _listened(b"".join(sent))
    keys = Keys(key, auth_key)
    found = [_document(frame, keys) for frame in taken]
    values = [_value(document) for document in found]
    altered = _document(sent[0][:-1] + bytes((sent[0][-1] ^ 1,)), keys)
    return [
        ok(peer.name, way, "taken whole", holds=taken == sent, detail=f"{len(taken)} frames"),
        ok(
            peer.name,
            way,
            "tag verified, values decoded",
            holds=values == [EXPECTED] * COUNT and all(d["authenticated"] and d["encrypted"] for d in found),
            detail=str(values),
        ),
        ok(
            peer.name,
            way,
            "refused with a wrong tag",
            holds=altered["error"] is not None and not altered["objects"],
            detail=str(altered["error"]),
        ),
    ]


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
