"""However many shards a fleet has, the store reads few at a time: they share its memory with what is written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.mdm.ports import IntervalStore
from openami.mdm.validation.fleet import run as fleet_run
from openami.mdm.validation.fleet.ports import Block, FleetStore, ReadBlock
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.ports import ValidationBook
from openami.mdm.validation.table import Stamp
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, system_scope

NONE = np.zeros(0, np.int64)


@dataclass
class Store:
    """Counts the shards that are being read."""

    now: int = 0
    most: int = 0
    shards: int = 0

    async def fleet_history(self, *_asked: Any) -> dict[Channel, Any]:
        return {}

    async def fleet_block(self, *_asked: Any) -> Block:
        self.now, self.shards = self.now + 1, self.shards + 1
        self.most = max(self.most, self.now)
        for _ in range(5):
            await asyncio.sleep(0)
        self.now -= 1
        u32, one = np.zeros(0, np.uint32), np.zeros(1, np.int64)
        return Block(np.zeros(0, "V16"), np.zeros(0, np.uint8), one, NONE, u32, one, u32, np.zeros(0, np.uint16))

    async def fleet_reads(self, *_asked: Any) -> ReadBlock:
        one, u32 = np.zeros(1, np.int64), np.zeros(0, np.uint32)
        return ReadBlock(np.zeros(0, "V16"), np.zeros(0, np.uint8), one, NONE, u32)


def test_few_shards_of_a_fleet_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_run, "METERS_PER_SHARD", 1)
    monkeypatch.setattr(fleet_run, "_settle", lambda *_: {})
    count, store, day = 20, Store(), date(2026, 6, 17)
    ids, ones = np.frombuffer(np.arange(2 * count, dtype=">u8").tobytes(), "V16"), np.ones(count, np.int64)
    roster = Roster(ids, ids, ones.astype(np.uint32), ones, ones, ones, ones, ones.astype(bool))
    road = fleet_run.FleetDay(
        cast("IntervalStore", store), cast("FleetStore", store), cast("ValidationBook", store),
        system_scope(process="test", purpose=Purpose.VALIDATION),
    )  # fmt: skip
    stamp = Stamp(Channel.DELIVERED, UUID(int=1), datetime(2026, 6, 18, 6, tzinfo=UTC))
    asyncio.run(road.run(grid_of(ZoneInfo("America/Chicago"), day, day, 900), roster, [Channel.DELIVERED], stamp))
    assert store.shards == count
    assert store.most == fleet_run.READS_AT_ONCE
