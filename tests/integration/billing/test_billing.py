"""Bills are made from validated days in PostgreSQL: issued once, held with a reason, never rewritten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.contract.store.fake_store import FakeStore

from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Billing, BillingJob, BillSetting, BillState, RateOverlapError, UnknownRateError
from openami.billing.calendar import DatedCalendar, ReadDay
from openami.billing.rating import BillSpan, Usage, determinants, rate
from openami.contracts.changed import ChangedDay, news_of
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import QualityState
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, local_day, local_days, local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import MeterData
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.security.access.scope import Purpose, ScopeError, granted_scope, system_scope

pytestmark = pytest.mark.engines
ZONE = ZoneInfo("America/Chicago")
FIRST = date(2026, 9, 20)
NOW = datetime(2026, 11, 10, 18, tzinfo=UTC)
SCOPE = system_scope(process="test", purpose=Purpose.BILLING)
POINTS = 3
MONTHS = [date(2026 + m // 12, m % 12 + 1, 1) for m in range(7, 20)]
FIRST_OF_MONTH = DatedCalendar({1: [ReadDay(end, 1, begin) for begin, end in pairwise(MONTHS)]})
"""Read on the first of each month, so that bills are calendar months."""


@dataclass
class World:
    billing: Billing
    data: MeterData
    book: PostgresBook
    points: list[UUID]
    meters: list[UUID]

    async def write_days(
        self, first: date, last: date, *, version: int = 1, missing: int = 0, is_read: bool = True
    ) -> None:
        rows = [
            _day(p, d, version, wh=100 + 50 * n, missing=missing)
            for n, p in enumerate(self.points)
            for d in local_days(first, last)
        ]
        await self.data.store.write_days(DayTable.from_rows(rows), token=uuid4().hex)
        if is_read:
            await self.write_reads([*local_days(first, last), last + timedelta(days=1)])
        await self.book.mark_done("America/Chicago", list(local_days(first, last)), run_id=uuid4(), at=NOW)

    async def write_reads(self, days: Sequence[date]) -> None:
        """Read every register at the midnights with which these days begin."""
        start = local_midnight(FIRST, ZONE).timestamp()
        midnights = [int(local_midnight(d, ZONE).timestamp()) for d in days]
        rows = [(m, at, int(at - start) // 900 * (100 + 50 * n)) for n, m in enumerate(self.meters) for at in midnights]
        count = len(rows)
        batch = RegisterBatch(
            uuid_column([r[0] for r in rows]), np.full(count, 1, np.uint8), np.array([r[1] for r in rows]),
            np.array([r[2] for r in rows]), np.ones(count, np.uint8), np.arange(count, dtype=np.uint64),
        )  # fmt: skip
        await self.data.store.write_registers(batch, token=uuid4().hex)


def _day(point: UUID, day: date, version: int, *, wh: int, missing: int = 0) -> DayVersion:
    period = local_day(day, ZONE)
    count = period.duration_s // 900
    quality = np.zeros(count, np.uint8)
    quality[:missing] = QualityState.MISSING
    values = np.where(quality == QualityState.MISSING, 0, wh).astype(np.int64)
    return DayVersion(
        point, Channel.DELIVERED, day, 900, period.start, version, NOW, uuid4(), values, quality,
        np.zeros(count, np.uint8), values, values,
    )  # fmt: skip


@pytest.fixture
async def world(postgres: PostgresEngine) -> AsyncIterator[World]:
    mdm = create_async_engine(postgres.url("openami_mdm"))
    own = create_async_engine(postgres.url("openami_billing"))
    registry, book = PostgresRegistry(mdm), PostgresBook(mdm)
    data = MeterData(registry=registry, store=FakeStore(FixedClock(NOW)), book=book)
    points, meters = [uuid4() for _ in range(POINTS)], [uuid4() for _ in range(POINTS)]
    start = local_midnight(FIRST, ZONE)
    await registry.add_service_points([ServicePoint(p, "America/Chicago", NOW) for p in points])
    await registry.add_meters([Meter(m, f"S-{m}", NOW, system_title=m.bytes[:8]) for m in meters])
    rows = [Installation(uuid4(), p, m, start) for p, m in zip(points, meters, strict=True)]
    await registry.install(rows, at=NOW)
    setting = BillSetting(calendar=FIRST_OF_MONTH)
    yield World(
        Billing(meters=data, book=PostgresBillBook(own), rates=base_rates(), setting=setting),
        data,
        book,
        points,
        meters,
    )
    await mdm.dispose()
    await own.dispose()


async def test_every_complete_month_is_billed_once_and_adds_up(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-smart", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    report = await world.billing.close_due(NOW)
    assert (report.issued, report.held, report.waiting) == (2 * POINTS, 0, 0)
    assert (await world.billing.close_due(NOW)).issued == 0

    october, september = await world.billing.bills(SCOPE, world.points[1])
    assert (september.span.first, october.span.end) == (FIRST, date(2026, 11, 1))
    assert (september.end_register_wh, october.begin_register_wh) == (158_400, 158_400)
    assert october.usage_wh == 31 * 96 * 150
    assert october.day_versions == (1,) * 31
    whole = await world.billing.bill(SCOPE, october.bill_id)
    assert whole is not None
    assert whole.total == sum((line.amount for line in whole.lines), Decimal(0))
    assert whole.lines[0].evidence["highest_day_version"] == 1
    assert whole.lines[0].evidence["price_from"] == "2025-06-01"
    span = BillSpan(date(2026, 10, 1), date(2026, 11, 1))
    period = span.period(ZONE)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    schedule = base_rates()["ameren-mo-smart"]
    found = determinants(schedule, Usage(starts, np.full(len(starts), 150), 900), [span], ZONE)[0]
    assert whole.total == rate(schedule, found).total
    assert [(line.name, line.amount) for line in whole.lines] == [
        (line.name, line.amount) for line in rate(schedule, found).lines
    ]


async def test_the_autumn_day_of_25_hours_is_billed_whole(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=date(2026, 11, 1), at=NOW)
    await world.write_days(date(2026, 11, 1), date(2026, 11, 30), is_read=False)
    # No register was read: the bill waits for one until the window around its read day has passed.
    assert (await world.billing.close_due(datetime(2026, 12, 2, tzinfo=UTC))).waiting == POINTS
    await world.billing.close_due(datetime(2026, 12, 3, tzinfo=UTC))
    bill = (await world.billing.bills(SCOPE, world.points[0]))[0]
    assert bill.usage_wh == (30 * 96 + 4) * 100


async def test_a_bill_with_a_missing_interval_is_held_with_the_reason_and_issued_when_it_is_filled(
    world: World,
) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    await world.write_days(date(2026, 10, 1), date(2026, 10, 31), missing=2)
    report = await world.billing.close_due(NOW)
    assert (report.issued, report.held) == (0, POINTS)
    held = (await world.billing.bills(SCOPE, world.points[0]))[0]
    assert held.state is BillState.HELD
    assert held.hold_reason == "62 intervals have no value and none could be estimated"
    assert held.total is None
    assert (await world.billing.close_due(NOW, retry_held=False)).held == 0
    await world.write_days(date(2026, 10, 1), date(2026, 10, 31), version=2)
    assert (await world.billing.close_due(NOW)).issued == POINTS
    freed = await world.billing.bill(SCOPE, held.bill_id)
    assert freed is not None
    assert (freed.state, freed.hold_reason, len(freed.lines)) == (BillState.ISSUED, None, 3)


async def test_an_imported_place_is_billed_though_the_fleet_has_no_such_days(world: World) -> None:
    first = date(2026, 10, 1)
    await world.billing.assign_rate(
        world.points, "ameren-mo-anytime", first_day=first, end_day=date(2026, 10, 4), at=NOW
    )
    rows = [_day(world.points[0], d, 1, wh=100) for d in local_days(first, date(2026, 10, 3))]
    await world.data.store.write_days(DayTable.from_rows(rows), token="file")
    report = await world.billing.close_due(NOW)
    assert (report.issued, report.waiting) == (1, POINTS - 1)
    bill = (await world.billing.bills(SCOPE, world.points[0]))[0]
    assert (bill.span.end, bill.usage_wh) == (date(2026, 10, 4), 3 * 96 * 100)


async def test_a_month_whose_days_are_not_validated_waits(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    await world.write_days(date(2026, 10, 1), date(2026, 10, 30))
    report = await world.billing.close_due(NOW)
    assert (report.issued, report.waiting) == (0, POINTS)


async def test_a_day_that_changes_after_billing_waits_for_a_person_and_the_bill_stays(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    await world.write_days(date(2026, 10, 1), date(2026, 10, 31))
    await world.billing.close_due(NOW)
    before = await world.billing.bills(SCOPE, world.points[0])
    changed = _day(world.points[0], date(2026, 10, 7), 5, wh=900)
    await world.data.store.write_days(DayTable.from_rows([changed]), token="late")
    assert await world.billing.find_corrections(NOW, first=date(2026, 10, 1), end=date(2026, 11, 1)) == 1
    assert await world.billing.find_corrections(NOW, first=date(2026, 10, 1), end=date(2026, 11, 1)) == 0
    queue = await world.billing.book.corrections()
    assert [(c.local_day, c.billed_version, c.seen_version) for c in queue] == [(date(2026, 10, 7), 1, 5)]
    await world.billing.close_due(NOW)
    assert await world.billing.bills(SCOPE, world.points[0]) == before


@pytest.mark.parametrize("many", [False, True])
async def test_billing_hears_of_days_that_changed_after_they_were_billed_and_of_no_others(
    world: World, many: bool
) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    await world.write_days(date(2026, 10, 1), date(2026, 10, 31))
    await world.billing.close_due(NOW)
    day, place = date(2026, 10, 7), world.points[0]
    await world.data.store.write_days(DayTable.from_rows([_day(place, day, 2, wh=900)]), token="late")
    named = [ChangedDay(place, Channel.DELIVERED, day, 2)]
    news = news_of(uuid4(), day, day, versions=1, days=None if many else named)
    elsewhere = news_of(uuid4(), day, day, versions=1, days=[ChangedDay(place, Channel.VOLTAGE, day, 2)])
    assert await world.billing.days_changed(elsewhere, NOW) == 0
    assert await world.billing.days_changed(news, NOW) == 1
    assert await world.billing.days_changed(news, NOW) == 0
    assert [(c.service_point_id, c.local_day) for c in await world.billing.book.corrections()] == [(place, day)]


@pytest.mark.parametrize("many", [False, True])
async def test_a_bill_that_touches_three_months_hears_of_its_last_day_too(world: World, many: bool) -> None:
    # Group 21 is read on 30 January and 2 March: so long a bill begins two months before a day of it.
    begin, end, day = date(2026, 9, 30), date(2026, 11, 2), date(2026, 11, 1)
    calendar = DatedCalendar({1: [ReadDay(begin, 1, date(2026, 9, 1)), ReadDay(end, 1, date(2026, 10, 1))]})
    billing = Billing(
        meters=world.data, book=world.billing.book, rates=base_rates(), setting=BillSetting(calendar=calendar)
    )
    await billing.assign_rate(world.points, "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 5))
    assert (await billing.close_due(NOW)).issued == 2 * POINTS
    place = world.points[0]
    await world.data.store.write_days(DayTable.from_rows([_day(place, day, 2, wh=900)]), token="late")
    named = [ChangedDay(place, Channel.DELIVERED, day, 2)]
    assert await billing.days_changed(news_of(uuid4(), day, day, versions=1, days=None if many else named), NOW) == 1


async def test_a_rate_change_ends_the_rate_before_and_two_rates_at_once_are_refused(world: World) -> None:
    billing, point = world.billing, world.points[0]
    await billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await billing.assign_rate([point], "ameren-mo-smart", first_day=date(2026, 10, 11), at=NOW)
    names = [await billing.rate_of(point, d) for d in (date(2026, 9, 1), date(2026, 10, 10), date(2026, 10, 11))]
    assert [None if r is None else r.code for r in names] == [None, "ameren-mo-anytime", "ameren-mo-smart"]
    await billing.assign_rate([point], "ameren-mo-smart", first_day=date(2026, 10, 11), at=NOW)
    with pytest.raises(RateOverlapError):
        await billing.assign_rate([point], "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    with pytest.raises(RateOverlapError, match="on another rate from 2026-10-11 on"):
        await billing.reassign_rate([point], "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)
    entered = await billing.book.assignments([point])
    dated = (
        ("ameren-mo-smart", date(2026, 10, 5), date(2026, 10, 8)),
        ("ameren-mo-anytime", date(2026, 10, 5), date(2026, 10, 8)),
    )
    for code, first, end in dated:
        await billing.reassign_rate([point], code, first_day=first, end_day=end, at=NOW)
        await billing.reassign_rate([point], code, first_day=first, end_day=end, at=NOW)
        parts = [(a.rate_code, a.first_day, a.end_day) for a in await billing.book.assignments([point])]
        assert (code, first, end) in parts or code == "ameren-mo-anytime"
    assert await billing.book.assignments([point]) == entered, "what was put over it and taken back leaves no trace"
    with pytest.raises(UnknownRateError):
        await billing.assign_rate([point], "no-such-rate", first_day=date(2026, 12, 1), at=NOW)
    await world.write_days(FIRST, date(2026, 10, 31))
    await billing.close_due(NOW)
    found = [(b.rate_code, b.span.first, b.span.end) for b in await billing.bills(SCOPE, point)]
    assert found == [
        ("ameren-mo-smart", date(2026, 10, 11), date(2026, 11, 1)),
        ("ameren-mo-anytime", date(2026, 10, 1), date(2026, 10, 11)),
        ("ameren-mo-anytime", FIRST, date(2026, 10, 1)),
    ]


async def test_the_bill_so_far_grows_and_forecasts_the_month_as_a_range(world: World) -> None:
    billing, point = world.billing, world.points[0]
    assert await billing.bill_so_far(SCOPE, point, NOW) is None
    await billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(date(2026, 11, 1), date(2026, 11, 9))
    found = await billing.bill_so_far(SCOPE, point, NOW)
    assert found is not None
    assert found.usage_wh == (9 * 96 + 4) * 100
    assert found.total == Decimal("18.41")
    assert found.forecast_low is not None
    assert found.forecast_high is not None
    # 9.6 kWh a day for 30 days, at 10.62 cents, and the fixed charges.
    assert found.forecast_low <= Decimal("39.77") <= found.forecast_high + 1
    assert found.through == int(local_midnight(date(2026, 11, 10), ZONE).timestamp())


async def test_a_scope_sees_its_own_bills_of_its_own_time(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 10, 31))
    await world.billing.close_due(NOW)
    mine, other = world.points[:2]
    since = Period(local_midnight(date(2026, 10, 1), ZONE), NOW + timedelta(days=400))
    scope = granted_scope(
        actor="user:x", purpose=Purpose.OWN_DATA, service_points=frozenset({mine}), audit_id=uuid4(),
        periods={mine: (since,)},
    )  # fmt: skip
    assert [b.span.first for b in await world.billing.bills(scope, mine)] == [date(2026, 10, 1)]
    with pytest.raises(ScopeError):
        await world.billing.bills(scope, other)
    foreign = (await world.billing.bills(SCOPE, other))[0]
    assert await world.billing.bill(scope, foreign.bill_id) is None


async def test_the_job_closes_and_then_rests(world: World) -> None:
    await world.billing.assign_rate(world.points, "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 10, 31))
    job = BillingJob(world.billing)
    await job.run_due(NOW)
    assert len(await world.billing.bills(SCOPE, world.points[0])) == 2
    await world.write_days(date(2026, 11, 1), date(2026, 11, 30))
    later = datetime(2026, 12, 2, 8, tzinfo=UTC)
    await job.run_due(later)
    assert len(await world.billing.bills(SCOPE, world.points[0])) == 3


async def test_interval_prices_name_their_period_and_blocks_have_no_single_cost(world: World) -> None:
    starts = np.arange(96, dtype=np.int64) * 900 + int(local_midnight(date(2026, 7, 1), ZONE).timestamp())
    wh = np.full(96, 100, np.int64)
    assert await world.billing.price(world.points[0], starts, wh, interval_s=900) is None
    await world.billing.assign_rate([world.points[0]], "ameren-mo-smart", first_day=date(2026, 6, 1), at=NOW)
    await world.billing.assign_rate([world.points[1]], "ameren-mo-anytime", first_day=date(2026, 6, 1), at=NOW)
    smart = await world.billing.price(world.points[0], starts, wh, interval_s=900)
    assert smart is not None
    assert smart.cost is not None
    assert set(smart.period_names) == {"Summer on-peak", "Summer intermediate", "Summer off-peak"}
    assert float(smart.cost.sum()) == pytest.approx(1.6 * 0.4051 + 4.8 * 0.1216 + 3.2 * 0.0767)
    winter = await world.billing.price(world.points[1], starts + 150 * 86_400, wh, interval_s=900)
    assert winter is not None
    assert winter.cost is None
    assert replace(winter).currency == "USD"


async def test_a_bill_that_is_out_stays_as_it_is_whoever_asks_the_database(
    world: World, postgres: PostgresEngine
) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    await world.billing.assign_rate(world.points, "ameren-mo-smart", first_day=FIRST, at=NOW)
    await world.write_days(FIRST, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    for altered in (
        "update billing.bill set total = 1",
        "update billing.bill set state = 'held', hold_code = 'no_read', hold_owner = 'field', held_since = now()",
        "update billing.bill set state = 'superseded', usage_wh = 0",
        "delete from billing.bill",
        "update billing.bill_line set amount = 0",
        "delete from billing.bill_line",
        "delete from billing.hold_release",
        "update billing.hold_release set reason = 'another'",
        "delete from billing.place_hold",
        "update billing.place_hold set held_by = 'another'",
    ):
        with pytest.raises(DBAPIError):
            async with own.begin() as connection:
                await connection.execute(text(altered))
    async with own.begin() as connection:
        changed = await connection.execute(text("update billing.bill set state = 'superseded' where version = 1"))
    assert changed.rowcount == 2 * POINTS
    with pytest.raises(DBAPIError, match="stays"):
        async with own.begin() as connection:
            await connection.execute(text("update billing.bill set state = 'issued'"))
    await own.dispose()
