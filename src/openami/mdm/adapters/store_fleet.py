"""The store's client for questions about a whole fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import day_number
from openami.contracts.reading import I64, UUIDS
from openami.kernel.time import Period
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import StoreError
from openami.mdm.store import queries
from openami.mdm.store.fleet_queries import BLOCK_SCHEMA, READS_SCHEMA
from openami.mdm.store.history_answer import HistoryAnswer
from openami.mdm.store.ids import id_column, sorted_ids
from openami.mdm.validation.fleet.ports import Block, IdRange, ReadBlock, offsets_of
from openami.mdm.validation.fleet.together import all_of
from openami.security.access.scope import Scope

POINTS_PER_QUESTION = 20_000
"""Their four weeks are some 25 MB of answer."""
QUESTIONS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class SocketFleetStore:
    """Implements :class:`~openami.mdm.validation.fleet.ports.FleetStore` over the store's socket."""

    store: SocketStore

    async def fleet_block(self, scope: Scope, meters: IdRange, period: Period) -> Block:
        """See the port."""
        part = await self._one("fleet_block", scope, _time(meters, period), BLOCK_SCHEMA)
        value_at, value = _lists(part, "value")
        flag_at, flag = _lists(part, "flag")
        return Block(
            meter_id=id_column(part, "meter_id"),
            channel=part.column("channel").to_numpy(),
            offsets=value_at,
            value=value,
            start=_lists(part, "start")[1],
            flag_offsets=flag_at,
            flag_start=_lists(part, "flag_start")[1],
            flag=flag,
        )

    async def fleet_reads(self, scope: Scope, meters: IdRange, period: Period) -> ReadBlock:
        """See the port."""
        part = await self._one("fleet_reads", scope, _time(meters, period, end_included=True), READS_SCHEMA)
        offsets, value = _lists(part, "value")
        return ReadBlock(
            meter_id=id_column(part, "meter_id"),
            channel=part.column("channel").to_numpy(),
            offsets=offsets,
            value=value,
            at=_lists(part, "at")[1],
        )

    async def fleet_history(
        self, scope: Scope, points: UUIDS, day: date, days: Mapping[Channel, int]
    ) -> dict[Channel, HistoryAnswer]:
        """See the port."""
        last = day_number(day)
        answers = {c: HistoryAnswer(points, last - before, before + 1) for c, before in days.items()}
        firsts = {int(c): last - before for c, before in days.items()}
        energy = [int(c) for c in days if CHANNELS[c].is_energy]
        order, free = sorted_ids(points), asyncio.Semaphore(QUESTIONS_AT_ONCE)

        async def one(chosen: I64) -> None:
            ends = {"from_id": bytes(points[chosen[0]]).hex(), "to_id": bytes(points[chosen[-1]]).hex()}
            async with free:
                async for part in self.store.ask_fleet(
                    "fleet_history", scope, {**ends, "firsts": firsts, "last": last}
                ):
                    for channel, mine in _by_channel(part):
                        answers[channel].add(mine)
                asked = {**ends, "channels": energy, "last": last - 1}
                if not energy:
                    return
                async for part in self.store.ask_fleet("fleet_profiles", scope, asked):
                    for channel, mine in _by_channel(part):
                        answers[channel].add_profiles(mine)

        pieces = range(0, len(points), POINTS_PER_QUESTION)
        await all_of(one(order[at : at + POINTS_PER_QUESTION]) for at in pieces)
        return answers

    async def _one(self, query: str, scope: Scope, parameters: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
        parts = [p async for p in self.store.ask_fleet(query, scope, parameters)]
        if len(parts) != 1 or not parts[0].schema.equals(schema):
            raise StoreError(f"the store's answer to {query} is not one block: it is of another release, start it anew")
        return parts[0]


def _by_channel(part: pa.RecordBatch) -> Iterator[tuple[Channel, pa.RecordBatch]]:
    """Yield the rows of each channel of a part."""
    of = part.column("channel").to_numpy()
    for channel in np.unique(of).tolist():
        mine = of == channel
        yield Channel(channel), part if mine.all() else queries.picked(part, mine)


def _time(meters: IdRange, period: Period, *, end_included: bool = False) -> dict[str, Any]:
    from_s, to_s = queries.second_bounds(period)
    to_s += int(end_included)
    return {"from_id": meters.low.hex(), "to_id": meters.high.hex(), "from_s": from_s, "to_s": to_s}


def _lists(batch: pa.RecordBatch, name: str) -> tuple[I64, npt.NDArray[Any]]:
    """Return offsets and elements of a list column."""
    column = batch.column(name)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    return offsets_of(lengths.astype(np.int64)), column.flatten().to_numpy(zero_copy_only=False)
