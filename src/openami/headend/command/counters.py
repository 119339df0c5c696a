"""Our invocation counters: reserved in blocks, durable before use, never twice with one key (requirement R4.2).

A process that dies leaves the rest of its block unused, and a gap is no fault. Several processes may seal for one
meter at once: each has blocks of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from openami.headend.command.ports import CounterReserve

BLOCK = 100
"""One durable write for a hundred APDUs: a session, or two."""
MAX_BLOCKS = 200_000
"""Blocks in hand; the oldest is given up for a new one."""


@dataclass(slots=True)
class _Block:
    next: int
    end: int


class SendCounters:
    """Counters of every key pair that is sealed with.

    Args:
        reserve: where blocks are kept.
    """

    def __init__(self, reserve: CounterReserve) -> None:
        self._reserve = reserve
        self._blocks: dict[tuple[UUID, int], _Block] = {}
        self._reserving: dict[tuple[UUID, int], asyncio.Task[None]] = {}

    async def take(self, meter_id: UUID, generation: int) -> int:
        """Return a counter that was never used with this key pair and never will be again.

        Raises:
            CommandUnavailableError, CommandRefusedError: as the reserve.
        """
        key = (meter_id, generation)
        while True:
            block = self._blocks.get(key)
            if block is not None and block.next < block.end:
                counter = block.next
                block.next += 1
                return counter
            # All who wait for one key pair share one reservation; one who gives up does not take it from the rest.
            task = self._reserving.get(key)
            if task is None:
                task = self._reserving[key] = asyncio.create_task(self._fetch(key))
            await asyncio.shield(task)

    async def _fetch(self, key: tuple[UUID, int]) -> None:
        try:
            first = await self._reserve.reserve(*key, count=BLOCK)
        finally:
            del self._reserving[key]
        self._blocks.pop(key, None)
        if len(self._blocks) >= MAX_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[key] = _Block(first, first + BLOCK)
