"""Every peer and every operation, one after another."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.peers import asked_by_us, asked_of_us, pushed_to_us
from tests.peers.environments import Peer
from tests.peers.result import Cell


async def matrix(peers: dict[str, Peer]) -> list[Cell]:
    """Run every cell, the peers beside each other."""
    groups = await asyncio.gather(
        *(asked(peers[library]) for library in asked_of_us.CLIENTS),
        asked_by_us.cells_of(peers["pydlms-client"]),
        *(pushed_to_us.cells_of(peers[library]) for library in pushed_to_us.PUSHERS),
    )
    return [cell for group in groups for cell in group]


async def asked(peer: Peer) -> list[Cell]:
    """Let one client do everything with a meter of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return await asked_of_us.cells_of(peer, Path(folder))
