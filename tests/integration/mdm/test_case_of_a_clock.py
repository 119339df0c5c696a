"""One clock fault of a whole firmware: thousands of findings, one case, one previewed action of one person."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.integration.mdm.office import LATER, Office, office_over
from tests.integration.mdm.test_validation import NOW, SCOPE, ZONE, readings, registers

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import QualityState
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.kernel.finding import Severity
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.editing.decision import DecisionRefusedError
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.validation.ports import DayFinding
from openami.mdm.vee.grid import grid_of

pytestmark = pytest.mark.engines
GRID = grid_of(ZONE, date(2026, 3, 16), date(2026, 3, 20), 900)
WRONG = range(1, 4)
"""Days whose stamps are an hour late."""


class Clocks(Office):
    """An office over places whose firmware went wrong by an hour, and as many whose did not."""

    async def build(self, count: int) -> None:
        """Enter twice ``count`` places; the first half of them has the wrong clock on three of five days."""
        self.points, self.meters = [uuid4() for _ in range(2 * count)], [uuid4() for _ in range(2 * count)]
        dice = np.random.default_rng(9)
        self.truth = [dice.integers(50, 400, GRID.columns) for _ in self.points]
        places = [ServicePoint(p, str(ZONE), NOW, cell=f"C-{n % 7}") for n, p in enumerate(self.points)]
        await self.registry.add_service_points(places)
        profiles = ["fw-2.1" if n < count else "fw-2.2" for n in range(2 * count)]
        meters = [
            Meter(m, f"M{n:07}", NOW, profile=profiles[n], channels=(Channel.DELIVERED,), capacity_wh=10**9)
            for n, m in enumerate(self.meters)
        ]
        await self.registry.add_meters(meters)
        start = instant_from_epoch_s(int(GRID.edge_s[0]))
        rows = [Installation(uuid4(), p, m, start) for p, m in zip(self.points, self.meters, strict=True)]
        await self.registry.install(rows, at=start)
        await self.book.settle([r.id for r in await self.book.requests(limit=10**6)])
        lo, hi = int(GRID.day_at[WRONG[0]]), int(GRID.day_at[WRONG[-1] + 1])
        late = GRID.start_s.copy()
        late[lo:hi] += 3600
        keep = np.ones(GRID.columns, bool)
        # When the clock went right again, the stamps of that hour would have come twice.
        keep[hi - 4 : hi] = False
        for at in range(0, 2 * count, 500):
            part = range(at, min(at + 500, 2 * count))
            await self._write(part, {n: (late[keep], keep) if n < count else (GRID.start_s, keep | True) for n in part})

    async def _write(self, part: range, rows: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        batches = [readings(self.meters[n], rows[n][0], self.truth[n][rows[n][1]]) for n in part]
        names = ("meter_id", "channel", "start", "interval_s", "value", "quality", "source", "message_id")
        joined = ReadingBatch(*(np.concatenate([getattr(b, n) for b in batches]) for n in names))
        await self.store.write_readings(joined, token=f"r{uuid4()}")
        ends = [self._reads(n, is_wrong=len(rows[n][0]) < GRID.columns) for n in part]
        columns = ("meter_id", "channel", "at", "value", "source", "message_id")
        reads = RegisterBatch(*(np.concatenate([getattr(b, n) for b in ends]) for n in columns))
        await self.store.write_registers(reads, token=f"k{uuid4()}")

    def _reads(self, index: int, *, is_wrong: bool) -> RegisterBatch:
        """Return reads at the meter's own midnights: a clock that is an hour fast takes them at 23:00."""
        edges = GRID.day_at.copy()
        if is_wrong:
            edges[WRONG[0] + 1 : WRONG[-1] + 2] -= 4
        total = np.concatenate([[0], np.cumsum(self.truth[index])])
        return registers(self.meters[index], GRID.edge_s[GRID.day_at], total[edges])

    async def find(self, count: int) -> None:
        """Let a rule about clocks say of each wrong place and day what it would."""
        found = []
        for point in self.points[:count]:
            for day in WRONG:
                lo, hi = (instant_from_epoch_s(int(GRID.edge_s[GRID.day_at[d]])) for d in (day, day + 1))
                found.append(
                    DayFinding(
                        point, Channel.DELIVERED, GRID.day(day), 1, uuid4(), "clock_shifted", Severity.FAIL,
                        Period(lo, hi), NOW, {"shift_s": 3600, "energy_wh": 2_000},
                    )
                )  # fmt: skip
        keys = sorted({(f.service_point_id, f.channel, f.local_day, 1) for f in found})
        await self.book.keep_findings(keys, found, at=NOW)

    async def days(self, indices: range) -> DayTable:
        points = [self.points[n] for n in indices]
        found: DayTable = await self.store.days(SCOPE, points, Channel.DELIVERED, GRID.first, GRID.last)
        return found


@asynccontextmanager
async def clocks(
    postgres: PostgresEngine, store: Any, home: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> AsyncIterator[Clocks]:
    async with office_over(postgres, store, home, monkeypatch, grid=GRID) as office:
        office.__class__ = Clocks
        assert isinstance(office, Clocks)
        await office.build(count)
        await office.run(GRID.first, GRID.last)
        await office.find(count)
        yield office


async def closed_by_one_person(office: Clocks, count: int) -> dict[str, float]:
    """Fold, look, preview and fix, and return how long each step took [s]."""
    took, begun = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begun
        took[name], begun = round(time.perf_counter() - begun, 2), time.perf_counter()

    # Where the clock went right again the registers know an hour more: another rule, the same firmware.
    assert (await office.cases("fold"))["opened"] == 2
    lap("fold")
    case, sums = sorted(await office.cases("list"), key=lambda c: c["rule"])
    assert (sums["rule"], sums["value"], sums["open_items"]) == ("sum_check", "fw-2.1", count)
    assert (case["cause"], case["value"], case["open_items"]) == ("firmware", "fw-2.1", count)
    assert (case["evidence"]["findings"], case["evidence"]["elsewhere"]) == (3 * count, 0)
    assert (await office.says("list"))["total"] == 0
    lap("look")
    preview = await office.cases("fix", case["case"])
    assert (preview["state"], preview["second_person"]) == ("preview", None)
    assert preview["effect"]["settled"] >= 3 * count
    lap("preview")
    fixed = await office.cases("fix", case["case"], "--reason", "firmware 2.1 lost its time zone", "--yes")
    assert fixed["state"] == "in_force"
    lap("fix")
    await office.run(GRID.first, GRID.last, LATER + timedelta(minutes=1))
    lap("run")
    # What is left is true: the hour in which the clock went back was never measured.
    await office.cases("fold")
    (left,) = await office.cases("list")
    assert (left["rule"], left["open_items"]) == ("missing", count)
    assert (left["evidence"]["first"], left["evidence"]["last"]) == (str(GRID.day(3)), str(GRID.day(3)))
    return took


def assert_right(office: Clocks, table: DayTable, indices: range) -> None:
    """Every place has the true energy in its true hour; the hour that was lost is estimated to the register."""
    lo, hi = int(GRID.day_at[WRONG[0]]), int(GRID.day_at[WRONG[-1] + 1])
    lost = np.arange(hi - 4, hi)
    row_of = {office.points[n].bytes: n for n in indices}
    for row in range(0, len(table), GRID.days):
        value = table.values[table.offsets[row] : table.offsets[row + GRID.days]]
        quality = table.quality[table.offsets[row] : table.offsets[row + GRID.days]]
        truth = office.truth[row_of[bytes(table.service_point_id[row])]]
        assert np.delete(value, lost).tolist() == np.delete(truth, lost).tolist()
        assert int(value.sum()) == int(truth.sum())
        assert set(np.flatnonzero(quality != QualityState.ACTUAL).tolist()) == set(lost.tolist())
    assert lo < hi


async def test_a_firmware_s_wrong_hour_is_one_case_that_one_person_closes(
    postgres: PostgresEngine, fake_store: Any, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 12
    async with clocks(postgres, fake_store, short_tmp, monkeypatch, count) as office:
        await closed_by_one_person(office, count)
        assert_right(office, await office.days(range(count)), range(count))
        others = await office.days(range(count, 2 * count))
        assert set(others.version.tolist()) == {1}
        (decision,) = await office.says("decisions")
        assert (decision["kind"], decision["spans"]) == ("shift_clock", count)
        with pytest.raises(DecisionRefusedError, match="closed"):
            await office.cases("fix", decision["case"])
        await office.says("undo", decision["decision"], "--reason", "the clock was right", "--yes")
        await office.run(GRID.first, GRID.last, LATER + timedelta(minutes=2))
        back = await office.days(range(count))
        assert set(back.version[back.local_day == back.local_day.min() + 2].tolist()) == {3}


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_five_thousand_findings_of_one_clock_are_closed_by_one_person(
    postgres: PostgresEngine, store_process: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = int(os.environ.get("OPENAMI_CLOCK_PLACES", "1700"))
    store = SocketStore(store_process)
    try:
        async with clocks(postgres, store, short_tmp, monkeypatch, count) as office:
            took = await closed_by_one_person(office, count)
            sys.stderr.write(f"\n{3 * count} findings of {count} places, seconds: {took}\n")
            assert_right(office, await office.days(range(0, count, 50)), range(count))
    finally:
        await store.close()
