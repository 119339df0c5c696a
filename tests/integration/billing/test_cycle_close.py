"""Bills of a cycle on a real book: moves, exchanges, reads that do not come, holds that people lift, reads by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import pytest
from tests.base_rates import base_rates
from tests.integration.billing.test_billing import FIRST, NOW, SCOPE, ZONE, World
from tests.integration.billing.test_billing import world as world  # noqa: PLC0414 - a fixture

from openami.app.billing.hold_desk import not_billed
from openami.app.settings import Settings
from openami.billing.api import Bill, Billing, BillKind, BillState, HoldCode, ReadingState
from openami.billing.cycle.ports import PlaceHold, Release
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.rounding import EnergyRounding
from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, local_midnight
from openami.mdm.api import ReadKind
from openami.mdm.registry.change import EndRead, Exchange, Hang, TakeDown
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import Meter
from openami.security.access.scope import Scope

pytestmark = pytest.mark.engines
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
ANNE, BEN = uuid4(), uuid4()


def midnight(day: date) -> datetime:
    return local_midnight(day, ZONE)


async def account(world: World, point: UUID, who: UUID, first: date, end: date | None = None) -> None:
    entry = FactEntry(point, FactKind.ACCOUNT, str(who), midnight(first), None if end is None else midnight(end))
    await world.data.registry.facts.enter([entry], at=NOW)


async def read(world: World, meter: UUID, at: datetime, value: int, source: Source = Source.PUSH) -> None:
    one = np.ones(1, np.uint8)
    batch = RegisterBatch(
        uuid_column([meter]), one, np.array([int(at.timestamp())]), np.array([value]), one * int(source),
        np.array([uuid4().int & 0xFFFF], np.uint64),
    )  # fmt: skip
    await world.data.store.write_registers(batch, token=uuid4().hex)


async def bills(world: World, point: UUID) -> list[Bill]:
    """Return the bills of a place, oldest first."""
    return list(reversed(await world.billing.bills(SCOPE, point)))


async def test_a_move_gives_a_final_and_an_initial_bill_that_share_one_read(world: World) -> None:
    point, moved = world.points[0], date(2026, 10, 12)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await account(world, point, ANNE, FIRST, moved)
    await account(world, point, BEN, moved)
    await world.write_days(FIRST, date(2026, 11, 9))
    await world.billing.close_due(NOW)
    first, last, new = await bills(world, point)
    assert [b.kind for b in (first, last, new)] == [BillKind.INITIAL, BillKind.FINAL, BillKind.INITIAL]
    assert [b.account_id for b in (first, last, new)] == [ANNE, ANNE, BEN]
    assert (last.span.end, new.span.first, new.span.end) == (moved, moved, NOVEMBER)
    assert last.terms.is_final
    assert not new.terms.is_final
    assert last.reads[-1].end == new.reads[0].begin
    assert last.reads[-1].end.at == midnight(moved)
    for bill in (first, last, new):
        assert (bill.reading_state, bill.usage_wh) == (ReadingState.ACTUAL, bill.reads[0].usage_wh)


async def test_an_exchange_is_one_bill_that_shows_both_meters(world: World) -> None:
    point, old, new, at = world.points[0], world.meters[0], uuid4(), midnight(date(2026, 10, 15))
    await world.write_days(OCTOBER, date(2026, 10, 31), is_read=False)
    shown = 100_000 + 14 * 9600
    await world.data.registry.add_meters([Meter(new, "S-new", NOW, system_title=new.bytes[:8])])
    gone = TakeDown(old, at, {Channel.DELIVERED: EndRead(shown), Channel.RECEIVED: EndRead(0)})
    hang = Hang(uuid4(), point, new, at, {Channel.DELIVERED: EndRead(5), Channel.RECEIVED: EndRead(0)})
    await world.data.registry.change(Exchange(gone, hang), at=NOW)
    await read(world, old, midnight(OCTOBER), 100_000)
    await read(world, new, midnight(NOVEMBER), 5 + 17 * 9600)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.billing.close_due(NOW)
    (bill,) = await bills(world, point)
    assert [p.meter for p in bill.reads] == [f"S-{old}", "S-new"]
    assert [p.end.kind for p in bill.reads] == [ReadKind.INSTALLER, ReadKind.SCHEDULED]
    assert bill.usage_wh == sum(p.usage_wh or 0 for p in bill.reads) == 31 * 9600


async def test_a_bill_ends_on_the_nearest_read_and_the_next_opens_on_exactly_that(world: World) -> None:
    point, meter, per_day = world.points[0], world.meters[0], 9600
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 30), is_read=False)
    await read(world, meter, midnight(OCTOBER), 0)
    await read(world, meter, midnight(date(2026, 10, 31)), 30 * per_day)
    await read(world, meter, midnight(date(2026, 11, 2)), 32 * per_day + 400)
    await read(world, meter, midnight(date(2026, 12, 1)), 61 * per_day + 400)
    before = midnight(NOVEMBER) + timedelta(hours=12)
    assert (await world.billing.close_due(before)).waiting == 1, "the read may still come"
    december = datetime(2026, 12, 3, tzinfo=UTC)
    assert (await world.billing.close_due(december)).issued == 1, "what follows is planned from where it ended"
    await world.billing.close_due(december)
    first, second = await bills(world, point)
    assert (first.span.end, first.reads[0].end.kind) == (date(2026, 10, 31), ReadKind.NEAREST)
    assert first.cycle is not None
    assert first.cycle.read_on == NOVEMBER
    assert second.reads[0].begin == first.reads[0].end
    assert (second.span.first, second.span.end) == (date(2026, 10, 31), date(2026, 12, 1))
    for bill in (first, second):
        assert (bill.reading_state, bill.usage_wh) == (ReadingState.ACTUAL, bill.reads[0].usage_wh)


async def test_what_follows_a_held_bill_that_ended_early_has_a_hold_of_its_own_until_that_one_is_freed(
    world: World,
) -> None:
    point, meter, per_day = world.points[0], world.meters[0], 9600
    book, end = world.billing.book.cycle, date(2026, 10, 31)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 12, 1), is_read=False)
    await read(world, meter, midnight(OCTOBER), 0)
    # Twice what the intervals hold: it ends on this read, and waits for a person.
    await read(world, meter, midnight(end), 2 * 30 * per_day)
    await read(world, meter, midnight(date(2026, 12, 1)), (60 + 31) * per_day)
    december, later = datetime(2026, 12, 3, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC)
    for at, tries in ((december, True), (december, False), (later, True), (later, False)):
        assert (await world.billing.close_due(at, retry_held=tries)).issued == 0
        first, second = await bills(world, point)
        assert (first.span, second.span) == (BillSpan(OCTOBER, end), BillSpan(NOVEMBER, date(2026, 12, 1)))
        assert first.hold is not None
        assert second.hold is not None
        assert [h.code for h in (first.hold, second.hold)] == [HoldCode.REGISTER_DISAGREES, HoldCode.EARLIER_WAITS]
        assert second.hold.reason == (
            "the bill before it waits and ended early, on the read of 2026-10-31: this one begins there"
        )
        assert (second.hold.owner, second.hold.since) == ("billing", december)
    await book.release(Release(point, OCTOBER, HoldCode.REGISTER_DISAGREES, "read again on site", "staff", later))
    for _ in range(2):
        await world.billing.close_due(later)
    first, second = await bills(world, point)
    assert [(b.state, b.span.first, b.span.end) for b in (first, second)] == [
        (BillState.ISSUED, OCTOBER, end), (BillState.ISSUED, end, date(2026, 12, 1)),
    ]  # fmt: skip
    assert second.reads[0].begin == first.reads[0].end


async def test_a_place_on_hold_waits_until_it_is_lifted_and_keeps_since_when(world: World) -> None:
    point, book = world.points[0], world.billing.book.cycle
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31))
    await book.hold_place(PlaceHold(uuid4(), point, "a dispute about the meter", "staff", NOW))
    await world.billing.close_due(NOW)
    (held,) = await book.held()
    assert held.hold is not None
    assert (held.hold.code, held.hold.owner, held.hold.since) == (HoldCode.ASKED_FOR, "billing", NOW)
    assert held.hold.reason == "a dispute about the meter"
    await world.billing.close_due(NOW + timedelta(days=2))
    (held,) = await book.held(owner="billing")
    assert held.hold is not None
    assert held.hold.since == NOW
    assert await book.held(owner="field") == []
    assert await book.lift(point, by="staff", reason="settled", at=NOW) == 1
    await world.billing.close_due(NOW + timedelta(days=3))
    assert [b.state for b in await bills(world, point)] == [BillState.ISSUED]


async def test_a_bill_that_waits_ends_where_its_account_does_and_keeps_nobody_who_came_from_theirs(
    world: World,
) -> None:
    point, moved = world.points[0], date(2026, 10, 12)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await account(world, point, ANNE, OCTOBER)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    await world.billing.book.cycle.hold_place(PlaceHold(uuid4(), point, "a dispute", "anna", NOW))
    await world.billing.close_due(NOW)
    (first,) = await bills(world, point)
    assert (first.hold and first.hold.code, first.span.end) == (HoldCode.ASKED_FOR, NOVEMBER)
    await account(world, point, BEN, moved)
    await world.billing.close_due(NOW + timedelta(hours=1))
    found = await bills(world, point)
    assert [(b.account_id, b.span.first, b.span.end, b.hold and b.hold.code) for b in found] == [
        (ANNE, OCTOBER, moved, HoldCode.ASKED_FOR), (BEN, moved, NOVEMBER, HoldCode.ASKED_FOR),
    ]  # fmt: skip
    assert found[0].hold is not None
    assert found[0].hold.since == NOW, "whatever it is now, it has waited since it was held first"


async def test_a_release_lets_one_bill_pass_one_hold_and_says_so_on_it(world: World) -> None:
    point, book = world.points[0], world.billing.book.cycle
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31), is_read=False)
    await read(world, world.meters[0], midnight(OCTOBER), 0)
    await read(world, world.meters[0], midnight(NOVEMBER), 2 * 31 * 9600)
    await world.billing.close_due(NOW)
    (held,) = await book.held()
    assert held.hold is not None
    assert held.hold.code is HoldCode.REGISTER_DISAGREES
    words = "the register advanced by 595.2 kWh, the intervals hold 297.6 kWh; they may differ by 3.0 kWh"
    assert held.hold.reason == words
    await book.release(Release(point, OCTOBER, HoldCode.REGISTER_DISAGREES, "read again on site", "staff", NOW))
    await world.billing.close_due(NOW)
    (bill,) = await bills(world, point)
    assert (bill.state, bill.released) == (BillState.ISSUED, "read again on site (staff)")


async def test_who_moves_in_takes_over_no_release_of_who_moved_out(world: World) -> None:
    point, book = world.points[0], world.billing.book.cycle
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await account(world, point, ANNE, OCTOBER)
    await world.write_days(OCTOBER, date(2026, 10, 31), is_read=False)
    await read(world, world.meters[0], midnight(OCTOBER), 0)
    await read(world, world.meters[0], midnight(NOVEMBER), 2 * 31 * 9600)
    await world.billing.close_due(NOW)
    (held,) = await book.held()
    assert held.account_id == ANNE
    said = Release(point, OCTOBER, HoldCode.REGISTER_DISAGREES, "read again on site", "staff", NOW, ANNE)
    await book.release(said)
    await book.release(replace(said, account_id=BEN, reason="another customer's"))
    await book.release(replace(said, reason="said twice"))
    told = await book.releases([point])
    assert {key: [r.reason for r in rows] for key, rows in told.items()} == {
        (point, OCTOBER, ANNE): ["read again on site"], (point, OCTOBER, BEN): ["another customer's"],
    }  # fmt: skip
    without = Release(point, OCTOBER, HoldCode.REGISTER_DISAGREES, "no account was named", "staff", NOW)
    await book.release(without)
    assert (await book.releases([point]))[point, OCTOBER, None] == [without]


async def test_who_comes_does_not_wait_for_the_last_bill_of_who_went(world: World) -> None:
    point, moved = world.points[0], date(2026, 10, 12)
    flat = base_rates()["ameren-mo-anytime"]
    whole = [replace(v, rounding=replace(v.rounding, energy=EnergyRounding.WHOLE_KWH)) for v in flat.versions]
    billing = Billing(
        meters=world.data, book=world.billing.book, setting=world.billing.setting,
        rates={"whole": replace(flat, code="whole", versions=tuple(whole))},
    )  # fmt: skip
    await billing.assign_rate([point], "whole", first_day=OCTOBER, at=NOW)
    await account(world, point, ANNE, OCTOBER, moved)
    await account(world, point, BEN, moved)
    await world.write_days(OCTOBER, date(2026, 10, 11), missing=2)
    await world.write_days(moved, date(2026, 11, 30))
    await billing.close_due(datetime(2026, 12, 3, tzinfo=UTC))
    assert [(b.account_id, b.state) for b in await bills(world, point)] == [
        (ANNE, BillState.HELD), (BEN, BillState.ISSUED), (BEN, BillState.ISSUED),
    ]  # fmt: skip


async def test_a_released_bill_passes_the_hold_of_its_place_and_the_next_one_does_not(world: World) -> None:
    point, book = world.points[0], world.billing.book.cycle
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 30))
    await book.hold_place(PlaceHold(uuid4(), point, "a dispute about the meter", "staff", NOW))
    december = datetime(2026, 12, 3, tzinfo=UTC)
    assert (await world.billing.close_due(december)).held == 2
    await book.release(Release(point, OCTOBER, HoldCode.ASKED_FOR, "October is not disputed", "staff", NOW))
    await world.billing.close_due(december)
    first, second = await bills(world, point)
    assert (first.state, first.released) == (BillState.ISSUED, "October is not disputed (staff)")
    assert second.state is BillState.HELD


async def test_why_a_place_is_not_billed_counts_no_day_that_went_out(world: World) -> None:
    point = world.points[0]
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31), missing=2)
    await world.write_days(NOVEMBER, date(2026, 11, 30))
    await world.billing.close_due(datetime(2026, 12, 3, tzinfo=UTC))
    settings = cast("Settings", _Clocked(FixedClock(datetime(2026, 12, 3, tzinfo=UTC))))
    told = await not_billed(world.billing, point, settings)
    assert (told.waiting_days, told.bill_id) == (31, (await bills(world, point))[0].bill_id)


@dataclass
class _Clocked:
    """Settings of which the clock alone is asked."""

    now: FixedClock

    def clock(self) -> FixedClock:
        return self.now


async def test_an_estimated_bill_waits_behind_one_that_waits_so_that_estimates_are_counted(world: World) -> None:
    point, december = world.points[0], datetime(2026, 12, 5, tzinfo=UTC)
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31), missing=2)
    await world.write_days(NOVEMBER, date(2026, 11, 30), is_read=False)
    report = await world.billing.close_due(december)
    assert (report.issued, report.held) == (0, 2)
    codes = [b.hold.code for b in await bills(world, point) if b.hold is not None]
    assert codes == [HoldCode.MISSING_INTERVALS, HoldCode.EARLIER_WAITS]
    await world.write_days(OCTOBER, date(2026, 10, 31), version=2)
    assert (await world.billing.close_due(december)).issued == 2
    first, second = await bills(world, point)
    assert (first.reading_state, second.reading_state) == (ReadingState.ACTUAL, ReadingState.ESTIMATED)
    assert (first.estimates_in_a_row, second.estimates_in_a_row) == (0, 1)


async def test_a_held_bill_that_is_no_longer_due_is_withdrawn(world: World) -> None:
    point = world.points[0]
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31), missing=2)
    await world.billing.close_due(NOW)
    assert [b.state for b in await bills(world, point)] == [BillState.HELD]
    await account(world, point, ANNE, date(2026, 10, 10))
    await world.write_days(OCTOBER, date(2026, 10, 31), version=2)
    report = await world.billing.close_due(NOW)
    assert (report.issued, report.withdrawn) == (1, 1)
    (bill,) = await bills(world, point)
    assert (bill.span.first, bill.account_id) == (date(2026, 10, 10), ANNE)


async def test_a_place_read_by_hand_is_billed_from_its_reads_and_estimated_from_two_before(world: World) -> None:
    point, meter = world.points[0], world.meters[0]
    await world.data.registry.facts.enter(
        [FactEntry(point, FactKind.READING, "by_hand", midnight(date(2026, 9, 1)))], at=NOW
    )
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=FIRST, at=NOW)
    await world.book.mark_done(
        ZONE.key, [date(2026, 9, 20) + timedelta(days=n) for n in range(80)], run_id=uuid4(), at=NOW
    )
    hours = timedelta(hours=10)
    for day, value in ((FIRST, 1_000_000), (OCTOBER, 1_110_000), (NOVEMBER, 1_420_000)):
        await read(world, meter, midnight(day) + hours, value, Source.FIELD)
    await world.billing.close_due(datetime(2026, 12, 3, tzinfo=UTC))
    first, second, third = await bills(world, point)
    assert [b.usage_wh for b in (first, second)] == [110_000, 310_000]
    assert [b.reading_state for b in (first, second, third)] == [ReadingState.ACTUAL] * 2 + [ReadingState.ESTIMATED]
    assert second.reads[0].begin == first.reads[0].end
    assert third.reads[0].end.kind is ReadKind.ESTIMATED
    # 10 kWh a day since the read of the 1st at ten o'clock.
    assert third.usage_wh == pytest.approx(296_000, abs=1_000)
    assert third.stamps == ("estimated: no_access",)


async def test_a_place_whose_intervals_begin_within_a_bill_is_billed_by_its_registers_that_once(world: World) -> None:
    point, meter, began = world.points[0], world.meters[0], date(2026, 10, 12)
    november_wh = (30 * 96 + 4) * 100  # the 1st has 25 hours
    await world.data.registry.facts.enter(
        [
            FactEntry(point, FactKind.READING, "by_hand", midnight(date(2026, 9, 1)), midnight(began)),
            FactEntry(point, FactKind.READING, "interval", midnight(began)),
        ],
        at=NOW,
    )
    await world.billing.assign_rate([point], "ameren-mo-anytime", first_day=OCTOBER, at=NOW)
    await world.book.mark_done(ZONE.key, [OCTOBER + timedelta(days=n) for n in range(31)], run_id=uuid4(), at=NOW)
    await world.write_days(began, date(2026, 11, 30), is_read=False)
    await read(world, meter, midnight(OCTOBER) + timedelta(hours=10), 1_000, Source.FIELD)
    await read(world, meter, midnight(NOVEMBER), 301_000)
    await read(world, meter, midnight(date(2026, 12, 1)), 301_000 + november_wh)
    await world.billing.close_due(datetime(2026, 12, 3, tzinfo=UTC))
    first, second = await bills(world, point)
    assert (first.state, first.usage_wh) == (BillState.ISSUED, 300_000)
    assert (second.state, second.usage_wh, second.reading_state) == (BillState.ISSUED, november_wh, ReadingState.ACTUAL)
    assert second.reads[0].begin == first.reads[0].end


async def test_a_rate_by_time_is_refused_where_only_a_register_is_read(world: World) -> None:
    point, meter = world.points[0], world.meters[0]
    await world.data.registry.facts.enter(
        [FactEntry(point, FactKind.READING, "by_hand", midnight(date(2026, 9, 1)))], at=NOW
    )
    await world.billing.assign_rate([point], "ameren-mo-smart", first_day=OCTOBER, at=NOW)
    await world.book.mark_done(ZONE.key, [OCTOBER + timedelta(days=n) for n in range(31)], run_id=uuid4(), at=NOW)
    await read(world, meter, midnight(OCTOBER), 0, Source.FIELD)
    await read(world, meter, midnight(NOVEMBER), 300_000, Source.FIELD)
    await world.billing.close_due(NOW)
    (held,) = await world.billing.book.cycle.held()
    assert held.hold is not None
    assert held.hold.code is HoldCode.NEEDS_INTERVALS


async def test_bills_of_different_days_and_rates_are_read_with_one_question_to_the_registry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = world.data.reads_at_ends

    async def counted(scope: Scope, periods: Mapping[UUID, Period], *rest: Any, **known: Any) -> Any:
        asked.append(len({(p.start, p.end) for p in periods.values()}))
        return await real(scope, periods, *rest, **known)

    monkeypatch.setattr(world.data, "reads_at_ends", counted)
    firsts = [OCTOBER, date(2026, 10, 5), date(2026, 10, 12)]
    rates = ["ameren-mo-anytime", "ameren-mo-smart", "ameren-mo-anytime"]
    for point, first, rate in zip(world.points, firsts, rates, strict=True):
        await world.billing.assign_rate([point], rate, first_day=first, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31))
    assert (await world.billing.close_due(NOW)).issued == 3
    assert asked == [3]
    for point, first, rate in zip(world.points, firsts, rates, strict=True):
        (bill,) = await bills(world, point)
        assert (bill.span.first, bill.rate_code, bill.usage_wh) == (first, rate, bill.reads[0].usage_wh)
