"""``bench store``: rows in, octets kept and answers out of the store process, over its socket, as every room uses it.

The data are synthetic homes: autocorrelated use with a morning and an evening, appliances, electric solar in three of
ten, voltage in 0.1 V, a message of four rows each hour. The store is a process of its own over a fresh folder; the
bench is its client. An insert counts when the store has acknowledged it, which is after fsync.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
import uvloop

from openami.app.settings import Home, Settings
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import Method, QualityState, Source
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan, StoreError
from openami.mdm.vee.profile import PROFILE_WEIGHT, DayDigests
from openami.security.access.scope import Purpose, system_scope

HOMES = 120
DAYS = 396
CHANNELS = (Channel.DELIVERED, Channel.RECEIVED, Channel.VOLTAGE)
FIRST_DAY = date(2025, 1, 1)
PER_DAY = 96
DAYS_PER_WRITE = 33
WRITES_AT_ONCE = 2
ESTIMATED_DAYS = 0.01
CALLS = 60
_SCOPE = system_scope(process="bench", purpose=Purpose.MAINTENANCE)
_Figures = dict[str, dict[str, object]]


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    figures = uvloop.run(measure())
    durability = "fsync of each insert and its folder before it is acknowledged; two writes under way"
    return {"durability": durability, "figures": figures, "peers": {}, "ratio": {}}


async def measure(*, homes: int = HOMES, days: int = DAYS, calls: int = CALLS) -> _Figures:
    """Return figures of a fresh store filled with ``homes`` homes and ``days`` days."""
    fleet = _Fleet(homes, days, np.random.default_rng(7))
    async with store_of_its_own() as store:
        figures = await _filled(store, fleet)
        figures |= await _sizes(store, fleet)
        figures |= await _answers(store, fleet, calls)
    return figures


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Homes with their values made on demand, day after day, channel by channel."""

    homes: int
    days: int
    dice: np.random.Generator

    @property
    def meters(self) -> list[UUID]:
        return [UUID(int=(0x9E3779B97F4A7C15F39CC0605CEDC835 * (i + 1)) % 2**128) for i in range(self.homes)]

    def start_s(self, day: int) -> int:
        return (day_number(FIRST_DAY) + day) * 86_400

    def values(self, channel: Channel, days: int) -> npt.NDArray[np.int64]:
        """Return (homes, days * 96) counts of a channel."""
        n = days * PER_DAY
        hour = (np.arange(n) % PER_DAY) / 4
        noise = self.dice.normal(size=(self.homes, n))
        for at in range(1, n):
            noise[:, at] = 0.9 * noise[:, at - 1] + 0.43 * noise[:, at]
        if channel is Channel.VOLTAGE:
            volts: npt.NDArray[np.float64] = 2_400 + 15 * noise - 8 * np.exp(-((hour - 19) ** 2) / 8)
            return volts.astype(np.int64)
        if channel is Channel.RECEIVED:
            sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * np.clip(1 + 0.3 * noise, 0, None) * 900
            roofs: npt.NDArray[np.float64] = np.where((np.arange(self.homes) % 10 < 3)[:, None], sun, 0.0)
            return roofs.astype(np.int64)
        shape = 0.4 + np.exp(-((hour - 7.5) ** 2) / 3) + 1.6 * np.exp(-((hour - 19) ** 2) / 6)
        base = self.dice.lognormal(5, 0.4, size=(self.homes, 1))
        events = (self.dice.random((self.homes, n)) < 0.02) * self.dice.integers(200, 900, (self.homes, n))
        use: npt.NDArray[np.float64] = base * shape * np.exp(0.3 * noise) + events
        return use.astype(np.int64)

    def raw(self, channel: Channel, day: int, values: npt.NDArray[np.int64]) -> ReadingBatch:
        """Return those values as raw readings from that day on."""
        n = values.shape[1]
        total = self.homes * n
        since = day * PER_DAY + np.arange(n)
        return ReadingBatch(
            meter_id=np.repeat(uuid_column(self.meters), n),
            channel=np.full(total, channel, np.uint8),
            start=np.tile(self.start_s(0) + 900 * since, self.homes),
            interval_s=np.full(total, 900, np.uint32),
            value=values.reshape(-1),
            quality=np.where(self.dice.random(total) < 0.005, 8, 0).astype(np.uint16),
            source=np.full(total, Source.PUSH, np.uint8),
            message_id=np.tile((1 << 32) + since // 4, self.homes).astype(np.uint64),
        )

    def validated(self, channel: Channel, day: int, values: npt.NDArray[np.int64]) -> DayTable:
        """Return those values as day versions, one in a hundred with an estimated stretch."""
        days = values.shape[1] // PER_DAY
        count = self.homes * days
        grid = values.reshape(count, PER_DAY)
        odd = np.zeros(grid.shape, bool)
        for row in np.flatnonzero(self.dice.random(count) < ESTIMATED_DAYS):
            begin = int(self.dice.integers(0, 80))
            odd[row, begin : begin + int(self.dice.integers(1, 16))] = True
        local_day = np.tile(day_number(FIRST_DAY) + day + np.arange(days), self.homes)
        return DayTable(
            service_point_id=np.repeat(uuid_column(self.meters), days),
            channel=np.full(count, channel, np.uint8),
            local_day=local_day.astype(np.int32),
            interval_s=np.full(count, 900, np.uint32),
            start_utc=local_day.astype(np.int64) * 86_400,
            version=np.ones(count, np.uint64),
            known_at=local_day.astype(np.int64) * 86_400 + 88_200,
            run_id=np.repeat(uuid_column([UUID(int=day + 1)]), count),
            offsets=np.arange(0, count * PER_DAY + 1, PER_DAY, dtype=np.int64),
            values=grid.reshape(-1),
            quality=np.where(odd, QualityState.ESTIMATED, QualityState.ACTUAL).astype(np.uint8).reshape(-1),
            method=np.where(odd, Method.LINEAR, Method.MEASURED).astype(np.uint8).reshape(-1),
            band_low=np.where(odd, grid * 8 // 10, grid).reshape(-1),
            band_high=np.where(odd, grid * 12 // 10, grid).reshape(-1),
        )


def _digests(channel: Channel, homes: int, values: npt.NDArray[np.int64], table: DayTable) -> DayDigests:
    """Return what is remembered of those days, as validation would keep it."""
    days = values.shape[1] // PER_DAY
    hours = values.reshape(homes, days, 24, PER_DAY // 24).sum(axis=3)
    profile = np.zeros((homes, days, 24), np.int32)
    if channel is not Channel.VOLTAGE:
        profile[:, 0] = hours[:, 0]
        for day in range(1, days):
            profile[:, day] = profile[:, day - 1] + (hours[:, day] - profile[:, day - 1]) // PROFILE_WEIGHT
    count = homes * days
    return DayDigests(
        base=hours.reshape(count, 24).min(axis=1),
        digest=np.random.default_rng(count).integers(1, 2**32, count, dtype=np.uint64),
        state=table.quality.reshape(count, PER_DAY).max(axis=1),
        profile=profile.reshape(count, 24),
    )


@asynccontextmanager
async def store_of_its_own() -> AsyncIterator[SocketStore]:
    """Start a store process over a fresh folder and yield its client; both are gone afterwards."""
    home = Home(Path(tempfile.mkdtemp(prefix="openami-bench-")))
    Settings(home).save()
    ready = home.path / "ready"
    command = [sys.executable, "-m", "openami.app.process", "store", "--home", str(home.path)]
    environment = {**os.environ, "OPENAMI_READY_FILE": str(ready)}
    with (home.path / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=environment)
    try:
        async with asyncio.timeout(60):
            while not ready.exists():
                if child.returncode is not None:
                    raise StoreError("the store did not start")
                await asyncio.sleep(0.05)
        store = SocketStore(home.store_socket)
        yield store
        await store.close()
    finally:
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), 60)
        shutil.rmtree(home.path, ignore_errors=True)


async def _filled(store: SocketStore, fleet: _Fleet) -> _Figures:
    """Fill the store; time the writes alone, not the making of values."""
    spent = {"raw": 0.0, "day": 0.0}
    rows = 0
    for day in range(0, fleet.days, DAYS_PER_WRITE):
        count = min(DAYS_PER_WRITE, fleet.days - day)
        values = {channel: fleet.values(channel, count) for channel in CHANNELS}
        raw = {channel: fleet.raw(channel, day, v) for channel, v in values.items()}
        tables = {channel: fleet.validated(channel, day, v) for channel, v in values.items()}
        days = {c: (table, _digests(c, fleet.homes, values[c], table)) for c, table in tables.items()}
        began = time.perf_counter()
        await _at_once([_writing_raw(store, batch, f"raw-{day}-{c}") for c, batch in raw.items()])
        spent["raw"] += time.perf_counter() - began
        began = time.perf_counter()
        await _at_once([_writing_days(store, *days[c], f"day-{day}-{c}") for c in days])
        spent["day"] += time.perf_counter() - began
        rows += sum(len(b) for b in raw.values())
    return {
        "raw readings in": {"value": rows / spent["raw"], "unit": "readings/s"},
        "day values in": {"value": rows / spent["day"], "unit": "readings/s"},
    }


def _writing_raw(store: SocketStore, batch: ReadingBatch, token: str) -> Callable[[], Awaitable[None]]:
    return lambda: store.write_readings(batch, token=token)


def _writing_days(
    store: SocketStore, table: DayTable, digests: DayDigests, token: str
) -> Callable[[], Awaitable[None]]:
    return lambda: store.write_days(table, token=token, digests=digests)


async def _at_once(acts: list[Callable[[], Awaitable[None]]]) -> None:
    free = asyncio.Semaphore(WRITES_AT_ONCE)

    async def one(act: Callable[[], Awaitable[None]]) -> None:
        async with free:
            await act()

    await asyncio.gather(*(one(act) for act in acts))


async def _sizes(store: SocketStore, fleet: _Fleet) -> _Figures:
    values = fleet.homes * fleet.days * PER_DAY * len(CHANNELS)
    sizes = {s.table: s for s in await store.table_sizes(_SCOPE)}
    return {
        f"{name} size": {"value": sizes[table].octets / values, "unit": "octets/reading"}
        for name, table in (("raw", "reading_raw"), ("day", "reading_day"))
    }


async def _answers(store: SocketStore, fleet: _Fleet, calls: int) -> _Figures:
    last = FIRST_DAY + timedelta(days=fleet.days - 1)
    dice = np.random.default_rng(11)
    period = Period(instant_from_epoch_s(fleet.start_s(0)), instant_from_epoch_s(fleet.start_s(fleet.days)))
    newest = Period(period.end - timedelta(days=1), period.end)

    def points(count: int) -> list[UUID]:
        return [fleet.meters[i] for i in dice.choice(fleet.homes, min(count, fleet.homes), replace=False)]

    def days_of(count: int, length: int) -> Callable[[], Awaitable[object]]:
        first = last - timedelta(days=length - 1)
        return lambda: store.days(_SCOPE, points(count), Channel.DELIVERED, first, last)

    def totals() -> Awaitable[object]:
        return store.daily_totals(_SCOPE, points(1), Channel.DELIVERED, FIRST_DAY, last)

    def raw_day(count: int) -> Callable[[], Awaitable[object]]:
        return lambda: store.readings(
            _SCOPE, [MeterSpan(p, p, period) for p in points(count)], Channel.DELIVERED, newest
        )

    questions = {
        "1 day, 1 point": days_of(1, 1),
        "30 days, 1 point": days_of(1, 30),
        "395 days, 1 point": days_of(1, 395),
        "395 daily totals, 1 point": totals,
        "30 days, 100 points": days_of(100, 30),
        "1 raw day, 1 meter": raw_day(1),
        "1 raw day, 100 meters": raw_day(100),
    }
    figures: _Figures = {}
    for name, ask in questions.items():
        took = []
        for _ in range(calls):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1e3)
        figures[f"{name} p50"] = {"value": float(np.percentile(took, 50)), "unit": "ms"}
        figures[f"{name} p99"] = {"value": float(np.percentile(took, 99)), "unit": "ms"}
    return figures
