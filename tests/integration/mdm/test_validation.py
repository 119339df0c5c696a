"""A validation run over registry, store and book: versions where something changed, energy conserved over all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.store.fake_store import FakeStore

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.quality import Method, QualityState, Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s, local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import MeterData
from openami.mdm.registry.change import ChangeMultiplier, EndRead, Exchange, Hang, TakeDown
from openami.mdm.registry.desk import RegistryDesk, Store
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.multiplier import Multiplier
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.validation.run import Validation
from openami.mdm.vee.grid import Grid, grid_of
from openami.security.access.scope import Purpose, granted_scope, system_scope

pytestmark = pytest.mark.engines
ZONE = ZoneInfo("America/Chicago")
FIRST, LAST = date(2026, 2, 20), date(2026, 3, 20)
NOW = local_midnight(date(2026, 3, 21), ZONE) + timedelta(minutes=30)
CAPACITY = 10_000_000
SCOPE = system_scope(process="test", purpose=Purpose.VALIDATION)


@dataclass
class Territory:
    """Service points with true energy, and the parts that a test lets through."""

    registry: PostgresRegistry
    book: PostgresBook
    store: Any
    grid: Grid
    points: list[UUID] = field(default_factory=list)
    meters: list[UUID] = field(default_factory=list)
    truth: list[np.ndarray] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)

    def validation(self) -> Validation:
        return Validation(registry=self.registry, store=self.store, book=self.book)

    async def run(self, first: date | None = None, last: date | None = None, known_at: datetime = NOW) -> Any:
        # The real store stamps by the clock of its own process.
        if isinstance(self.store, FakeStore):
            self.store.clock.instant = known_at
        days = first or self.grid.first, last or self.grid.last
        return await self.validation().run(None, *days, run_id=uuid4(), known_at=known_at)

    async def place(self, count: int) -> None:
        dice = np.random.default_rng(7)
        self.points, self.meters = [uuid4() for _ in range(count)], [uuid4() for _ in range(count)]
        self.truth = [dice.integers(0, 900, self.grid.columns) for _ in range(count)]
        self.bases = [CAPACITY - 30_000] + [int(dice.integers(0, 10**6)) for _ in range(count - 1)]
        await self.registry.add_service_points([ServicePoint(p, str(ZONE), NOW) for p in self.points])
        await self.registry.add_meters(
            [Meter(m, f"S-{m}", NOW, capacity_wh=CAPACITY, channels=(Channel.DELIVERED,)) for m in self.meters]
        )
        start = instant_from_epoch_s(int(self.grid.edge_s[0]))
        rows = [Installation(uuid4(), p, m, start) for p, m in zip(self.points, self.meters, strict=True)]
        await self.registry.install(rows, at=NOW)

    async def send(self, index: int, columns: np.ndarray, token: str) -> None:
        await self.store.write_readings(
            readings(self.meters[index], self.grid.start_s[columns], self.truth[index][columns]), token=token
        )

    async def read(self, index: int, edges: np.ndarray, token: str) -> None:
        total = np.concatenate([[0], np.cumsum(self.truth[index])])[edges]
        value = (self.bases[index] + total) % CAPACITY
        await self.store.write_registers(registers(self.meters[index], self.grid.edge_s[edges], value), token=token)

    async def values(self, index: int) -> tuple[np.ndarray, np.ndarray, dict[date, int]]:
        table = await self.store.days(SCOPE, [self.points[index]], Channel.DELIVERED, FIRST, LAST)
        rows = sorted(table.rows(), key=lambda r: r.local_day)
        assert [r.local_day for r in rows] == [self.grid.day(d) for d in range(self.grid.days)]
        versions = {r.local_day: r.version for r in rows}
        return np.concatenate([r.values for r in rows]), np.concatenate([r.quality for r in rows]), versions


def readings(meter: UUID, start_s: np.ndarray, value: np.ndarray) -> ReadingBatch:
    n = len(start_s)
    return ReadingBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        start=start_s.astype(np.int64),
        interval_s=np.full(n, 900, np.uint32),
        value=value.astype(np.int64),
        quality=np.zeros(n, np.uint16),
        source=np.full(n, Source.PUSH, np.uint8),
        message_id=np.arange(n, dtype=np.uint64),
    )


def registers(meter: UUID, at_s: np.ndarray, value: np.ndarray) -> RegisterBatch:
    n = len(at_s)
    return RegisterBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        at=at_s.astype(np.int64),
        value=value.astype(np.int64),
        source=np.full(n, Source.PUSH, np.uint8),
        message_id=np.arange(n, dtype=np.uint64),
    )


@pytest.fixture
async def territory(postgres: PostgresEngine, fake_store: Any) -> AsyncIterator[Territory]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    yield Territory(PostgresRegistry(engine), PostgresBook(engine), fake_store, grid_of(ZONE, FIRST, LAST, 900))
    await engine.dispose()


async def test_a_month_with_losses_a_rollover_and_a_short_day_conserves_energy(territory: Territory) -> None:
    await territory.place(3)
    dice = np.random.default_rng(1)
    for index in range(3):
        came = dice.random(territory.grid.columns) > 0.03
        came[700 + 100 * index : 740 + 300 * index] = False
        await territory.send(index, np.flatnonzero(came), f"r{index}")
        kept = territory.grid.day_at[(dice.random(territory.grid.days + 1) > 0.2) | (np.arange(30) % 29 == 0)]
        await territory.read(index, kept, f"k{index}")
    await territory.run()
    for index in range(3):
        value, quality, versions = await territory.values(index)
        assert len(value) == 29 * 96 - 4
        assert int(value.sum()) == int(territory.truth[index].sum())
        assert not (quality == QualityState.MISSING).any()
        assert set(versions.values()) == {1}
    assert (await territory.run()).versions == 0


async def test_an_exchange_in_the_middle_of_an_interval_loses_nothing(territory: Territory) -> None:
    await territory.place(1)
    grid, truth = territory.grid, territory.truth[0]
    held, new = 1000, uuid4()
    swapped = int(grid.start_s[held]) + 400
    out = (territory.bases[0] + int(truth[:held].sum()) + int(truth[held]) // 3) % CAPACITY
    await territory.registry.add_meters([Meter(new, "S-new", NOW, capacity_wh=CAPACITY)])
    instant = instant_from_epoch_s(swapped)
    (old,) = await territory.registry.installed([territory.points[0]], Period(NOW - timedelta(seconds=1), NOW))
    gone = TakeDown(old.meter.id, instant, {Channel.DELIVERED: EndRead(out), Channel.RECEIVED: EndRead(0)})
    come = Hang(
        uuid4(), territory.points[0], new, instant, {Channel.DELIVERED: EndRead(55), Channel.RECEIVED: EndRead(0)}
    )
    await territory.registry.change(Exchange(gone, come), at=NOW)
    await territory.send(0, np.arange(held), "old")
    await territory.read(0, grid.day_at[grid.day_at <= held], "old")
    own = np.arange(held + 1, grid.columns)
    await territory.store.write_readings(readings(new, grid.start_s[own], truth[own]), token="new")
    since = np.concatenate([[0], np.cumsum(truth)]) - truth[:held].sum() - int(truth[held]) // 3
    edges = grid.day_at[grid.day_at > held]
    await territory.store.write_registers(registers(new, grid.edge_s[edges], 55 + since[edges]), token="newk")
    await territory.run()
    value, quality, _ = await territory.values(0)
    assert value.tolist() == truth.tolist()
    assert np.flatnonzero(quality != QualityState.ACTUAL).tolist() == [held]


async def test_late_data_give_a_new_version_of_their_days_alone(territory: Territory) -> None:
    await territory.place(2)
    grid = territory.grid
    lost = np.arange(int(grid.day_at[5]) + 10, int(grid.day_at[5]) + 60)
    came = np.setdiff1d(np.arange(grid.columns), lost)
    for index in range(2):
        await territory.send(index, came, f"r{index}")
        await territory.read(index, grid.day_at, f"k{index}")
    first = await territory.run()
    assert first.versions == 2 * grid.days
    day = grid.day(5)
    scope = territory.points[:1]
    found = await territory.book.findings(scope, day, day, limit=10)
    assert [f.rule for f in found] == ["missing"]
    await territory.send(0, lost, "late")
    later = NOW + timedelta(hours=2)
    assert (await territory.run(day, day, later)).versions == 1
    value, quality, versions = await territory.values(0)
    assert value.tolist() == territory.truth[0].tolist()
    assert {d for d, v in versions.items() if v == 2} == {day}
    assert (quality == QualityState.ACTUAL).all()
    assert await territory.book.findings(scope, day, day, limit=10) == []
    old = await territory.store.days(SCOPE, scope, Channel.DELIVERED, day, day, as_known_at=NOW)
    assert old.version.tolist() == [1]


async def test_days_whose_readings_were_removed_keep_their_versions(territory: Territory) -> None:
    await territory.place(1)
    grid = territory.grid
    await territory.send(0, np.arange(grid.columns), "r")
    # No read closes the first days, so a run of what is there asks for the whole bracket that reaches behind them.
    await territory.read(0, grid.day_at[[0, 9]], "k")
    await territory.run()
    value, _, _ = await territory.values(0)
    gone = int(grid.edge_s[grid.day_at[5]])
    territory.store.intervals = {k: r for k, r in territory.store.intervals.items() if r.start >= gone}
    since = grid.day(5)

    async def horizon() -> date:
        return since

    validation = Validation(registry=territory.registry, store=territory.store, book=territory.book, horizon=horizon)
    assert (await validation.run(None, FIRST, LAST, run_id=uuid4(), known_at=NOW)).versions == 0
    after, _, versions = await territory.values(0)
    assert after.tolist() == value.tolist()
    assert set(versions.values()) == {1}
    assert (await validation.run(None, FIRST, FIRST, run_id=uuid4(), known_at=NOW)).versions == 0
    # Without the horizon the same run would write over what cannot be read any more.
    assert (await territory.run()).versions > 0


async def test_a_late_register_scales_the_days_that_it_closes(territory: Territory) -> None:
    await territory.place(1)
    grid, truth = territory.grid, territory.truth[0]
    lost = np.arange(int(grid.day_at[10]) + 80, int(grid.day_at[11]) + 20)
    await territory.send(0, np.setdiff1d(np.arange(grid.columns), lost), "r")
    before, after = grid.day_at[:11], grid.day_at[12:]
    await territory.read(0, before, "before")
    await territory.run(FIRST, grid.day(11))
    table = await territory.store.days(SCOPE, territory.points, Channel.DELIVERED, grid.day(10), grid.day(11))
    assert set(np.unique(table.method)) == {Method.MEASURED, Method.WEIGHTED}
    await territory.read(0, after, "after")
    report = await territory.run(grid.day(11), grid.day(11))
    assert report.versions == 2
    await territory.run(grid.day(12), LAST)
    value, _, versions = await territory.values(0)
    assert value.sum() == truth.sum()
    assert {d for d, v in versions.items() if v == 2} == {grid.day(10), grid.day(11)}


async def test_a_meter_that_never_sent_gets_no_versions(territory: Territory) -> None:
    await territory.place(1)
    assert (await territory.run()).versions == 0


async def test_the_face_joins_validated_days_and_the_raw_tail(territory: Territory) -> None:
    await territory.place(1)
    grid = territory.grid
    await territory.send(0, np.arange(grid.columns), "r")
    await territory.read(0, grid.day_at, "k")
    await territory.run(FIRST, grid.day(27))
    data = MeterData(registry=territory.registry, store=territory.store, book=territory.book)
    period = Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
    series = await data.intervals(SCOPE, territory.points[0], Channel.DELIVERED, period)
    assert series.value.tolist() == territory.truth[0].tolist()
    assert np.flatnonzero(series.preliminary).tolist() == list(range(int(grid.day_at[28]), grid.columns))
    (matrix,) = await data.matrix(SCOPE, territory.points, Channel.DELIVERED, FIRST, LAST)
    assert matrix.values[0, : grid.day_at[28]].tolist() == territory.truth[0][: grid.day_at[28]].tolist()
    assert matrix.versions[0].tolist() == [1] * 28 + [0]
    reads = await data.registers(SCOPE, territory.points[0], Channel.DELIVERED, period)
    assert len(reads) == grid.days + 1
    hours = await data.completeness(SCOPE, Period(NOW - timedelta(days=2), NOW - timedelta(hours=2)))
    assert all(h.received == h.expected > 0 for h in hours)


async def test_a_scope_of_two_times_gives_nothing_of_the_occupant_between_nor_of_an_interval_that_straddles(
    territory: Territory,
) -> None:
    await territory.place(1)
    grid, point = territory.grid, territory.points[0]
    await territory.send(0, np.arange(grid.columns), "r")
    await territory.read(0, grid.day_at, "k")
    await territory.run(FIRST, grid.day(27))
    data = MeterData(registry=territory.registry, store=territory.store, book=territory.book)
    edges = [instant_from_epoch_s(int(s)) for s in grid.edge_s]
    # Out in the middle of an interval on the 4th day, and back at a midnight after somebody else lived there.
    out, back = edges[300] + timedelta(minutes=7), edges[int(grid.day_at[9])]
    mine = (Period(edges[0], out), Period(back, edges[-1]))
    scope = granted_scope(
        actor=f"user:{uuid4()}", purpose=Purpose.OWN_DATA, service_points=frozenset({point}), audit_id=uuid4(),
        periods={point: mine},
    )  # fmt: skip
    series = await data.intervals(scope, point, Channel.DELIVERED, Period(edges[0], edges[-1]))
    kept = np.r_[0:300, int(grid.day_at[9]) : grid.columns]
    assert series.start_s.tolist() == grid.start_s[kept].tolist()
    assert series.value.tolist() == territory.truth[0][kept].tolist()


async def test_what_a_run_keeps_of_its_days_is_what_the_next_one_remembers(territory: Territory) -> None:
    await territory.place(2)
    grid = territory.grid
    for index in range(2):
        lost = np.arange(5 * 96, 5 * 96 + 40) if index else np.zeros(0, np.int64)
        await territory.send(index, np.setdiff1d(np.arange(grid.columns), lost), f"r{index}")
        await territory.read(index, grid.day_at, f"k{index}")
    await territory.run(FIRST, FIRST + timedelta(days=9))
    got = await territory.store.history(SCOPE, territory.points, Channel.DELIVERED, FIRST + timedelta(days=10), days=12)
    days = np.stack(territory.truth)[:, : 10 * 96].reshape(2, 10, 96)
    assert not got.total[:, :2].any()
    assert got.total[:, 2:].tolist() == days.sum(axis=2).tolist()
    states = np.zeros((2, 10), np.uint8)
    states[1, 5] = QualityState.ESTIMATED
    assert got.state[:, 2:].tolist() == states.tolist()
    hours = days.reshape(2, 10, 24, 4).sum(axis=3)
    assert got.base[0, 2:].tolist() == hours[0].min(axis=1).tolist()
    assert len(np.unique(got.digest[:, 2:])) == 20
    # The profile is a mean in which later days weigh more: it lies within what the days held.
    assert (got.profile >= hours.min(axis=1)).all()
    assert (got.profile <= hours.max(axis=1)).all()
    await territory.run(FIRST + timedelta(days=10), FIRST + timedelta(days=10))
    after = await territory.store.history(SCOPE, territory.points, Channel.DELIVERED, FIRST + timedelta(days=11), 1)
    assert (after.profile != got.profile).any()


async def test_days_on_which_a_place_is_read_by_hand_expect_no_intervals(territory: Territory) -> None:
    await territory.place(1)
    grid = territory.grid
    last = 10
    await territory.send(0, np.arange(int(grid.day_at[last])), "r")
    start = instant_from_epoch_s(int(grid.edge_s[grid.day_at[last]]))
    entry = FactEntry(territory.points[0], FactKind.READING, "by_hand", start)
    await territory.registry.facts.enter([entry], at=NOW)
    await territory.run()
    table = await territory.store.days(SCOPE, territory.points, Channel.DELIVERED, FIRST, LAST)
    assert len(table) == last
    found = await territory.book.findings(None, FIRST, LAST, limit=99)
    assert [f for f in found if f.rule == "missing"] == []


async def test_usage_where_service_is_stopped_is_a_finding_until_the_registry_is_put_right(
    territory: Territory,
) -> None:
    await territory.place(1)
    await territory.send(0, np.arange(territory.grid.columns), "r")
    since = local_midnight(date(2026, 3, 10), ZONE)
    point = territory.points[0]
    await territory.registry.facts.enter([FactEntry(point, FactKind.SERVICE, "inactive", since)], at=NOW)
    await territory.run()

    async def stopped() -> list[date]:
        found = await territory.book.findings(None, FIRST, LAST, limit=999)
        return sorted(f.local_day for f in found if f.rule == "inactive_usage")

    assert await stopped() == [date(2026, 3, d) for d in range(10, 21)]
    (affected,) = await territory.registry.facts.enter(
        [FactEntry(point, FactKind.SERVICE, "active", since, since + timedelta(days=8))], at=NOW + timedelta(hours=1)
    )
    await territory.run(affected.first, affected.last, known_at=NOW + timedelta(hours=1))
    assert await stopped() == [date(2026, 3, d) for d in range(18, 21)]


async def test_like_days_from_versions_are_those_from_raw_readings(
    territory: Territory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days before are read from their versions, once all of four weeks have one."""
    await territory.place(3)
    grid, day = territory.grid, LAST
    at = int(grid.day_at[grid.index_of(day)])
    for index in range(3):
        lost = np.concatenate([np.arange(at + 20, at + 60), np.arange(700 + index, 720)])
        await territory.send(index, np.setdiff1d(np.arange(grid.columns), lost), f"r{index}")
        await territory.read(index, grid.day_at, f"k{index}")
    await territory.run(day, day)
    table = await territory.store.days(SCOPE, territory.points, Channel.DELIVERED, day, day)
    from_raw = {r.service_point_id: r for r in table.rows()}
    territory.store.versions.clear()
    await territory.run(FIRST, day - timedelta(days=1))
    readings_asked = []
    plain = type(territory.store).values

    async def counted(self: Any, scope: Any, spans: Any, channel: Channel, period: Period) -> Any:
        readings_asked.append(period)
        return await plain(self, scope, spans, channel, period)

    monkeypatch.setattr(type(territory.store), "values", counted)
    await territory.run(day, day)
    assert min(p.start for p in readings_asked) >= local_midnight(day - timedelta(days=1), ZONE)
    table = await territory.store.days(SCOPE, territory.points, Channel.DELIVERED, day, day)
    for row in table.rows():
        raw = from_raw[row.service_point_id]
        for name in ("values", "quality", "method", "band_low", "band_high"):
            assert getattr(row, name).tolist() == getattr(raw, name).tolist(), name
        assert (row.quality == QualityState.ESTIMATED).sum() == 40


async def test_crossed_meters_put_right_move_energy_between_places_and_lose_none(territory: Territory) -> None:
    await territory.place(2)
    grid = territory.grid
    for index in range(2):
        await territory.send(index, np.arange(grid.columns), f"r{index}")
        await territory.read(index, grid.day_at, f"k{index}")
    await territory.run()
    before = [(await territory.values(index))[0] for index in range(2)]
    desk = RegistryDesk(territory.registry, Store(territory.store, territory.store), SCOPE)
    later = NOW + timedelta(hours=2)
    cut = 1000
    since = instant_from_epoch_s(int(grid.start_s[cut]) + 400)
    change = await desk.crossed(
        f"S-{territory.meters[0]}", f"S-{territory.meters[1]}", since=since, until=None, now=later
    )
    for affected in await territory.registry.change(change, at=later):
        await territory.validation().run(
            {affected.service_point_id}, affected.first, affected.last, run_id=uuid4(), known_at=later
        )
    after = [(await territory.values(index))[0] for index in range(2)]
    assert sum(v.sum() for v in after) == sum(v.sum() for v in before)
    for here, there in ((0, 1), (1, 0)):
        assert np.array_equal(after[here][:cut], before[here][:cut])
        assert np.array_equal(after[here][cut + 1 :], before[there][cut + 1 :])
        # The interval in which they were crossed holds a part of each, by the registers of both.
        assert after[here][cut] == before[here][cut] * 400 // 900 + before[there][cut] - before[there][cut] * 400 // 900


async def test_a_multiplier_put_right_multiplies_every_interval_from_that_midnight_on(territory: Territory) -> None:
    await territory.place(1)
    grid = territory.grid
    await territory.send(0, np.setdiff1d(np.arange(grid.columns), np.arange(1500, 1506)), "r")
    await territory.read(0, grid.day_at, "k")
    await territory.run()
    column = int(grid.day_at[10])
    start = instant_from_epoch_s(int(grid.start_s[column]))
    later = NOW + timedelta(hours=2)
    (affected,) = await territory.registry.change(
        ChangeMultiplier(territory.meters[0], start, Multiplier(ct=40)), at=later
    )
    await territory.run(affected.first, affected.last, known_at=later)
    values, _, versions = await territory.values(0)
    truth = territory.truth[0]
    assert values[:column].sum() == truth[:column].sum()
    assert values[column:].sum() == 40 * truth[column:].sum()
    assert {v for d, v in versions.items() if d < affected.first} == {1}
    assert (await territory.run(known_at=later)).versions == 0
