"""The store's client for questions about a whole fleet."""

from __future__ import annotations

from collections.abc import Mapping
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
from openami.security.access.scope import Scope

POINTS_PER_QUESTION = 20_000
"""Their four weeks are some 15 MB of answer."""


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

    async def fleet_history(self, scope: Scope, points: UUIDS, channel: Channel, day: date, days: int) -> HistoryAnswer:
        """See the port."""
        last = day_number(day)
        answer = HistoryAnswer(points, last - days, days + 1)
        order = sorted_ids(points)
        for at in range(0, len(points), POINTS_PER_QUESTION):
            chosen = order[at : at + POINTS_PER_QUESTION]
            ends = {"from_id": bytes(points[chosen[0]]).hex(), "to_id": bytes(points[chosen[-1]]).hex()}
            asked = {"channel": int(channel), "first": last - days, "last": last, **ends}
            async for part in self.store.ask_fleet("history", scope, asked):
                answer.add(part)
            if CHANNELS[channel].is_energy:
                async for part in self.store.ask_fleet("profiles", scope, {**asked, "last": last - 1}):
                    answer.add_profiles(part)
        return answer

    async def _one(self, query: str, scope: Scope, parameters: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
        parts = [p async for p in self.store.ask_fleet(query, scope, parameters)]
        if len(parts) != 1 or not parts[0].schema.equals(schema):
            raise StoreError(f"the store's answer to {query} is not one block: it is of another release, start it anew")
        return parts[0]


def _time(meters: IdRange, period: Period, *, end_included: bool = False) -> dict[str, Any]:
    from_s, to_s = queries.second_bounds(period)
    to_s += int(end_included)
    return {"from_id": meters.low.hex(), "to_id": meters.high.hex(), "from_s": from_s, "to_s": to_s}


def _lists(batch: pa.RecordBatch, name: str) -> tuple[I64, npt.NDArray[Any]]:
    """Return offsets and elements of a list column."""
    column = batch.column(name)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    return offsets_of(lengths.astype(np.int64)), column.flatten().to_numpy(zero_copy_only=False)
