"""A fleet whose meters of one firmware lose their time: raw rows in a store, and the acts of those who mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from tests.integration.mdm.office import LATER, Office, office_over
from tests.integration.mdm.test_validation import SCOPE, ZONE

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.time import instant_from_epoch_s, local_midnight
from openami.mdm.adapters.store_fleet import SocketFleetStore
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.validation.run import Validation
from openami.mdm.validation.schedule import Schedule, Work
from openami.mdm.vee.grid import grid_of
from openami.sim.faults.metering import Scene, clean_scene
from openami.sim.faults.metering.clocks import Stamped, WrongClock, stamped_readings, stamped_reads

MATES = 4
"""Meters on a transformer; the first of them has the bad firmware."""
FIRST = date(2026, 3, 10)
CHANNELS = (Channel.DELIVERED, Channel.VOLTAGE)
WRITTEN_AT_ONCE = 400


class Town(Office):
    """An office over a town of transformers."""

    scene: Scene
    clock: WrongClock
    by_fleet: bool

    def validation(self) -> Validation:
        fleet = SocketFleetStore(self.store) if self.by_fleet else None
        return Validation(
            registry=self.registry, store=self.store, book=self.book, decisions=self.decisions, fleet=fleet
        )

    def schedule(self) -> Schedule:
        return Schedule(
            registry=self.registry, store=self.store, book=self.book, validation=self.validation(), new_id=uuid4
        )

    @property
    def wrong(self) -> list[UUID]:
        return self.points[::MATES]

    async def build(self, transformers: int) -> None:
        """Enter the town, and write what its meters measured under the stamps of their clocks."""
        count = transformers * MATES
        self.scene = truth(self.grid, transformers)
        self.points, self.meters = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
        start = instant_from_epoch_s(int(self.grid.edge_s[0])) - timedelta(days=3)
        await self.registry.add_service_points([
            ServicePoint(p, str(ZONE), start, transformer=f"T-{n // MATES}", feeder=f"F-{n % 3}", cell=f"C-{n % 7}")
            for n, p in enumerate(self.points)
        ])  # fmt: skip
        await self.registry.add_meters([
            Meter(m, f"{uuid4().hex[:12]}", start, profile="fw-2.1" if n % MATES == 0 else "fw-2.2", channels=CHANNELS,
                  capacity_wh=10**8)
            for n, m in enumerate(self.meters)
        ])  # fmt: skip
        pairs = zip(self.points, self.meters, strict=True)
        await self.registry.install([Installation(uuid4(), p, m, start) for p, m in pairs], at=start)
        await self.book.settle([r.id for r in await self.book.requests(limit=10**6)])
        clocks = dict.fromkeys(range(0, count, MATES), self.clock)
        for channel in CHANNELS:
            sent = stamped_readings(self.scene, channel, clocks)
            for part in self._parts(sent):
                await self.store.write_readings(self._readings(part, channel), token=f"r{uuid4()}")
        for part in self._parts(stamped_reads(self.scene, Channel.DELIVERED, clocks)):
            await self.store.write_registers(self._reads(part), token=f"k{uuid4()}")

    def _parts(self, sent: Stamped) -> Sequence[Stamped]:
        edges = np.searchsorted(sent.row, np.arange(0, len(self.points) + WRITTEN_AT_ONCE, WRITTEN_AT_ONCE))
        return [
            Stamped(sent.row[a:b], sent.at_s[a:b], sent.value[a:b], sent.turn[a:b])
            for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
            if a < b
        ]

    def _readings(self, sent: Stamped, channel: Channel) -> ReadingBatch:
        n = len(sent.row)
        return ReadingBatch(
            uuid_column(self.meters)[sent.row], np.full(n, channel, np.uint8), sent.at_s, np.full(n, 900, np.uint32),
            sent.value, np.zeros(n, np.uint16), np.full(n, Source.PUSH, np.uint8), sent.turn.astype(np.uint64),
        )  # fmt: skip

    def _reads(self, sent: Stamped) -> RegisterBatch:
        n = len(sent.row)
        return RegisterBatch(
            uuid_column(self.meters)[sent.row], np.full(n, Channel.DELIVERED, np.uint8), sent.at_s, sent.value,
            np.full(n, Source.PUSH, np.uint8), sent.turn.astype(np.uint64),
        )  # fmt: skip

    async def nights(self) -> None:
        """Validate each day in the night after it, as the worker does."""
        for day in (self.grid.day(d) for d in range(self.grid.days)):
            now = local_midnight(day + timedelta(days=1), ZONE) + timedelta(minutes=35)
            await self.schedule().carry_out(Work(None, day, day, first_run=str(ZONE)), now)

    async def reruns(self, now: datetime = LATER) -> int:
        """Carry out what is on the queue, as the worker does; return how many place-days were asked for."""
        work, ids = await self.schedule().requested(now)
        asked = 0
        for one in work:
            assert one.service_points is not None
            asked += len(one.service_points) * ((one.last - one.first).days + 1)
            await self.schedule().carry_out(one, now)
        await self.book.settle(ids)
        return asked

    async def table(self, points: Sequence[UUID], channel: Channel = Channel.DELIVERED) -> DayTable:
        found: DayTable = await self.store.days(SCOPE, list(points), channel, self.grid.first, self.grid.last)
        return found

    async def findings(self, rule: str = "") -> list[Any]:
        found = await self.book.findings(None, self.grid.first, self.grid.last, limit=10**6)
        return [f for f in found if not rule or f.rule == rule]


def truth(grid: Any, transformers: int) -> Scene:
    """Return a town's measured energy and voltage: the substation moves all, a transformer its own, a home a little."""
    dice, count = np.random.default_rng(9), transformers * MATES
    used = np.rint(dice.gamma(2.0, 90, (count, grid.columns))).astype(np.int64)
    source = 2_400 + dice.normal(0, 3.0, grid.columns)
    shared = np.repeat(dice.normal(0, 4.0, (transformers, grid.columns)), MATES, axis=0)
    volts = np.rint(source + shared + dice.normal(0, 1.8, shared.shape)).astype(np.int64)
    scene = clean_scene(grid, used, received_wh=np.zeros_like(used), voltage_dv=volts, dice=dice)
    for registers in scene.registers.values():
        registers.resolution_wh[:] = 1
    return scene


@asynccontextmanager
async def town(
    postgres: PostgresEngine, store: Any, home: Path, monkeypatch: pytest.MonkeyPatch, *,
    transformers: int, days: int, clock: WrongClock, by_fleet: bool,
) -> AsyncIterator[Town]:  # fmt: skip
    """Open an office over a town whose rows are in the store."""
    grid = grid_of(ZONE, FIRST, FIRST + timedelta(days=days - 1), 900)
    async with office_over(postgres, store, home, monkeypatch, grid=grid) as office:
        office.__class__ = Town
        assert isinstance(office, Town)
        office.clock, office.by_fleet = replace(clock), by_fleet
        await office.build(transformers)
        yield office
