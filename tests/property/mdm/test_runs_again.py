"""A run again changes nothing, whichever days are asked for: exchanges, reads within days, gaps within days."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.contract.store.fake_store import FakeStore
from tests.property.mdm.test_two_roads import CAPACITY, ZONE, Book, Places

from openami.contracts.channel import Channel
from openami.contracts.day import DayVersion
from openami.contracts.quality import QualityState
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, InstalledMeter, Meter
from openami.mdm.validation.ports import ValidationBook
from openami.mdm.validation.run import Validation
from openami.mdm.validation.writing import RunReport
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, system_scope

GRID = grid_of(ZONE, date(2026, 3, 4), date(2026, 3, 12), 900)
POINT = UUID(int=1)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
SCOPE = system_scope(process="test", purpose=Purpose.VALIDATION)


class Place:
    """One service point with true energy, its meters, and what came of them."""

    def __init__(self, seed: int) -> None:
        self.use = np.random.default_rng(seed).integers(0, 900, GRID.columns)
        self.total = np.concatenate([[0], np.cumsum(self.use)])
        self.places, self.book, self.store = Places(), Book(), FakeStore(FixedClock(NOW))
        self.runs = self.sent = 0

    async def hang(
        self, number: int, lo: int, hi: int | None, came: np.ndarray, edges: np.ndarray, interval_s: int = 900
    ) -> None:
        """Hang a meter between edges lo and hi, whose register begins at 5000; send what came and what was read."""
        meter, count = UUID(int=100 + number), interval_s // 900
        start = instant_from_epoch_s(int(GRID.edge_s[lo])) - (timedelta(0) if lo else timedelta(days=90))
        until = GRID.columns if hi is None else hi
        self.places.installations.append(
            InstalledMeter(
                Installation(
                    UUID(int=number), POINT, meter, start,
                    None if hi is None else instant_from_epoch_s(int(GRID.edge_s[hi])),
                    in_reads={Channel.DELIVERED: 5000} if lo else {},
                    out_reads={} if hi is None else {Channel.DELIVERED: 5000 + int(self.total[hi] - self.total[lo])},
                ),
                Meter(
                    meter, f"S-{number}", start, capacity_wh=CAPACITY, channels=(Channel.DELIVERED,),
                    interval_s=interval_s,
                ),
            )
        )  # fmt: skip
        at = np.arange(-(-lo // count) * count, until - count + 1, count)
        at = at[came[at]]
        value = self.total[at + count] - self.total[at]
        n, here = len(at), edges[(edges > lo) & (edges < until)]
        await self.store.write_readings(
            ReadingBatch(
                uuid_column([meter] * n), np.full(n, 1, np.uint8), GRID.start_s[at], np.full(n, interval_s, np.uint32),
                value, np.zeros(n, np.uint16), np.ones(n, np.uint8), np.ones(n, np.uint64),
            ),
            token=f"r{number}",
        )  # fmt: skip
        if lo == 0:
            here = np.append(0, here)
        if hi is None:
            here = np.append(here, GRID.columns)
        k = len(here)
        await self.store.write_registers(
            RegisterBatch(
                uuid_column([meter] * k), np.full(k, 1, np.uint8), GRID.edge_s[here],
                5000 + self.total[here] - self.total[lo], np.ones(k, np.uint8), np.ones(k, np.uint64),
            ),
            token=f"k{number}",
        )  # fmt: skip

    async def run(self, first: int, last: int) -> RunReport:
        self.runs += 1
        validation = Validation(
            registry=cast("Registry", self.places), store=self.store, book=cast("ValidationBook", self.book)
        )
        days = (GRID.day(first), GRID.day(last))
        return await validation.run([POINT], *days, run_id=UUID(int=self.runs), known_at=NOW)

    async def days(self) -> list[DayVersion]:
        table = await self.store.days(SCOPE, [POINT], Channel.DELIVERED, GRID.day(1), GRID.day(GRID.days - 2))
        return sorted(table.rows(), key=lambda r: r.local_day)

    def found(self) -> list[Any]:
        return sorted((f.local_day, f.rule, f.severity, f.period.start) for f in self.book.open())


def test_a_run_of_one_day_leaves_the_part_of_the_next_alone_that_other_registers_know() -> None:
    async def story() -> None:
        place = Place(1)
        lo = int(GRID.day_at[3])
        came = np.ones(GRID.columns, bool)
        came[lo + 8 : lo + 16] = False
        came[lo + 96 + 48 : lo + 96 + 60] = False
        # Neither the midnight before nor the one after was read, but the middle of the day between them.
        edges = np.sort(np.append(np.delete(GRID.day_at, [3, 4]), lo + 40))
        await place.hang(1, 0, None, came, edges)
        await place.run(1, GRID.days - 2)
        assert (await place.run(4, 4)).versions == 0
        rows = await place.days()
        assert sum(int(r.values.sum()) for r in rows) == place.total[GRID.day_at[-2]] - place.total[GRID.day_at[1]]

    asyncio.run(story())


@pytest.mark.parametrize("with_midnights", [True, False])
def test_a_gap_over_midnight_is_filled_alike_by_whichever_run_sees_it(*, with_midnights: bool) -> None:
    async def story() -> None:
        place, midnight = Place(3), int(GRID.day_at[5])
        came = np.ones(GRID.columns, bool)
        came[midnight - 8 : midnight + 8] = False
        await place.hang(1, 0, None, came, GRID.day_at if with_midnights else np.delete(GRID.day_at, 5))
        await place.run(1, GRID.days - 2)
        for first, last in ((4, 4), (5, 5), (4, 5), (1, GRID.days - 2)):
            assert (await place.run(first, last)).versions == 0

    asyncio.run(story())


@pytest.mark.parametrize("lengths", [(900, 1800), (900, 3600), (3600, 900), (1800, 3600)])
@pytest.mark.parametrize("minutes", [600, 615])
def test_an_exchange_for_a_meter_of_another_interval_length_keeps_every_reading(
    lengths: tuple[int, int], minutes: int
) -> None:
    async def story() -> None:
        place, day = Place(2), 4
        at = int(GRID.day_at[day]) + minutes // 15
        came = np.ones(GRID.columns, bool)
        await place.hang(1, 0, at, came, GRID.day_at, lengths[0])
        await place.hang(2, at, None, came, GRID.day_at, lengths[1])
        assert (await place.run(1, GRID.days - 2)).versions == GRID.days - 2
        rows = await place.days()
        for row, lo, hi in zip(rows, GRID.day_at[1:-2].tolist(), GRID.day_at[2:-1].tolist(), strict=True):
            assert row.values.sum() == place.total[hi] - place.total[lo]
            in_two = row.local_day == GRID.day(day) and at % (max(lengths) // 900)
            assert int((row.quality != QualityState.ACTUAL).sum()) == bool(in_two)
        assert [r.interval_s for r in rows] == [lengths[0]] * (day - 1) + [max(lengths)] + [lengths[1]] * 3
        for again in (day, day - 1, day + 1):
            assert (await place.run(again, again)).versions == 0

    asyncio.run(story())


@pytest.mark.parametrize("count", [2**62, 2**63 - 1, -(2**62), 40_000])
def test_a_count_that_leaves_64_bits_with_its_multiplier_is_not_believed(count: int) -> None:
    async def story() -> None:
        place = Place(3)
        place.use[300], was = count, place.use[300]
        place.total = np.concatenate([[0], np.cumsum(np.where(np.arange(GRID.columns) == 300, was, place.use))])
        await place.hang(1, 0, None, np.arange(GRID.columns) != 300, GRID.day_at)
        one = place.places.installations[0]
        place.places.installations[0] = replace(one, installation=replace(one.installation, multiplier=4))
        await place.store.write_readings(
            ReadingBatch(
                uuid_column([one.meter.id]), np.ones(1, np.uint8), GRID.start_s[300:301], np.full(1, 900, np.uint32),
                np.array([count]), np.zeros(1, np.uint16), np.ones(1, np.uint8), np.ones(1, np.uint64),
            ),
            token="wild",
        )  # fmt: skip
        await place.run(1, GRID.days - 2)
        rows = await place.days()
        found = np.concatenate([r.values for r in rows])[300 - GRID.day_at[1]]
        assert found == was * 4
        assert {"missing", "out_of_range" if count > 0 else "negative"} <= {f.rule for f in place.book.open()}

    asyncio.run(story())


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, int | None, list[tuple[int, int, int]], list[int], list[int]]:
    """Seed, edge of an exchange, gaps (day, first interval, length) within days, reads, and the order of days."""
    exchange = draw(st.one_of(st.none(), st.integers(200, GRID.columns - 200)))
    gap = st.tuples(st.integers(1, GRID.days - 2), st.integers(9, 60), st.sampled_from([1, 4, 20]))
    midnights = draw(st.sets(st.integers(2, GRID.days - 3)))
    inner = draw(st.sets(st.integers(100, GRID.columns - 100), max_size=3))
    edges = sorted({*inner, *(int(GRID.day_at[d]) for d in midnights | {1, GRID.days - 1})})
    order = draw(st.permutations(range(1, GRID.days - 1)))
    return draw(st.integers(0, 99)), exchange, draw(st.lists(gap, max_size=4)), edges, list(order)


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(histories())
def test_day_after_day_in_any_order_writes_nothing_and_conserves_energy(history: Any) -> None:
    asyncio.run(_holds(*history))


async def _holds(
    seed: int, exchange: int | None, gaps: list[tuple[int, int, int]], edges: list[int], order: list[int]
) -> None:
    place = Place(seed)
    came = np.ones(GRID.columns, bool)
    for day, first, length in gaps:
        came[GRID.day_at[day] + first : GRID.day_at[day] + first + length] = False
    await place.hang(1, 0, exchange, came, np.array(edges))
    if exchange is not None:
        await place.hang(2, exchange, None, came, np.array(edges))
    await place.run(1, GRID.days - 2)
    said = place.found()
    values = np.concatenate([r.values for r in await place.days()])
    known = [e for e in edges if GRID.day_at[1] <= e <= GRID.day_at[-2]]
    for a, b in pairwise(known):
        since = int(GRID.day_at[1])
        assert values[a - since : b - since].sum() == place.total[b] - place.total[a]
    for day in order:
        assert (await place.run(day, day)).versions == 0
    assert place.found() == said
