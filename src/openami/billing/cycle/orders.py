"""From what is planned to bills: each order with the reads, carried state and releases that belong to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill, ruled
from openami.billing.bill.making import bills_together, gathered
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import closing_reads, end_of_nearest, opening_reads
from openami.billing.bill.record import Bill, BillKind, ReadingState
from openami.billing.calendar.cycle import next_read_day
from openami.billing.cycle.place import Planned
from openami.billing.cycle.ports import PlaceHold, Release, ReleaseKey
from openami.billing.cycle.reckoned import reckoned
from openami.billing.cycle.run import BillRun
from openami.billing.cycle.terms import OwnFacts, own_facts, terms_of
from openami.billing.rating.carried import Carried
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.heard import Heard, heard_of
from openami.billing.tariff.charge import ChargeUnit
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockUnit
from openami.billing.tariff.rounding import EnergyRounding
from openami.kernel.time import zone_named

_Hold = tuple[HoldCode, str]
Agreement = tuple[UUID, UUID | None]
"""A service point and the account that holds it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What people and the registry say of the places of a run, asked for once.

    Args:
        holds: of places.
        releases: of bills, by service point, first day and account.
        own: what the registry says of each service point.
        reversed_at: highest version of bills that were reversed whole, by service point and first day.
    """

    holds: Mapping[UUID, PlaceHold]
    releases: Mapping[ReleaseKey, Sequence[Release]]
    own: Mapping[UUID, OwnFacts]
    reversed_at: Mapping[tuple[UUID, date], int] = field(default_factory=dict)


async def said_of(run: BillRun, planned: Sequence[Planned]) -> Said:
    """Return what is said of the places of planned bills."""
    zones = {p.service_point_id: p.zone for p in planned}
    if not zones:
        return Said({}, {}, {})
    book = run.book.cycle
    holds, releases = await book.place_holds(list(zones)), await book.releases(list(zones))
    reversed_at = await book.reversed_at(list(zones))
    return Said(holds, releases, await own_facts(run.meters, zones, run.setting.standing), reversed_at)


def agreement_of(planned: Planned) -> Agreement:
    """Return whose bill a planned one is: who comes takes nothing in from who went."""
    return planned.service_point_id, planned.account_id


async def made(
    run: BillRun, rows: Sequence[Planned], now: datetime, said: Said, *, waits: Collection[Agreement]
) -> list[Bill]:
    """Return the bills of planned ones of any spans, zones and rates, in their order; nothing is written.

    Args:
        run: what they are made with.
        rows: each of another place.
        now: domain time.
        said: of their places.
        waits: accounts at places of which an earlier bill waits.
    """
    orders = await orders_of(run, rows, said)
    found: dict[UUID, Bill] = {}
    free: list[tuple[Making, BillOrder]] = []
    signals: dict[tuple[str, BillSpan, str], Heard] = {}
    for planned, asked in zip(rows, orders, strict=True):
        making = making_of(run, planned.rate_code, zone_named(planned.zone), now)
        key = planned.rate_code, planned.span, planned.zone
        if key not in signals:
            signals[key] = await heard_of(run.book.signals, making.schedule, planned.span, making.zone)
        heard = signals[key]
        order = replace(asked, terms=ruled(heard.into(asked.terms), making, planned.span))
        hold = _known_hold(planned, order, making.schedule, is_known=planned.rate_code in run.rates, waits=waits)
        point = planned.service_point_id
        if hold is None and point in said.holds and not order.has_passed(HoldCode.ASKED_FOR):
            hold = HoldCode.ASKED_FOR, said.holds[point].reason
        if hold is None and heard.lacks:
            hold = HoldCode.SIGNAL_NOT_KNOWN, heard.lacks
        if hold is None:
            free.append((making, order))
        else:
            found[point] = held_bill(making, order, *hold)
    by_point = {o.service_point_id: (m, o) for m, o in free}
    for bill in await _made(run, free):
        point = bill.service_point_id
        found[point] = _in_turn(bill, *by_point[point]) if (point, bill.account_id) in waits else bill
    return [found[r.service_point_id] for r in rows]


def _in_turn(bill: Bill, making: Making, order: BillOrder) -> Bill:
    """Return a bill behind one that waits: an estimated one waits too, for nobody knows how many it would follow."""
    if bill.reading_state is not ReadingState.ESTIMATED or order.has_passed(HoldCode.TOO_MANY_ESTIMATES):
        return bill
    words = "the bill before it waits, so it is not known how many estimated bills would follow each other"
    held = held_bill(making, order, HoldCode.EARLIER_WAITS, words, versions=bill.day_versions, reads=bill.reads)
    return replace(held, span=bill.span)


async def _made(run: BillRun, free: Sequence[tuple[Making, BillOrder]]) -> list[Bill]:
    """Make bills from what is read of all at once; one whose read day was not read ends where its nearest read is."""
    data = await gathered(run.meters, {o.service_point_id: (o.span, m.zone) for m, o in free})
    free = await reckoned(run.meters, free, data)
    whole: list[tuple[Making, BillOrder]] = []
    early: list[tuple[Making, BillOrder]] = []
    for making, order in free:
        own = data[order.span, making.zone]
        day = end_of_nearest(order, own.pieces.get(order.service_point_id, ()), making.zone)
        if day is None or order.service_point_id in own.by_register:
            whole.append((making, order))
        else:
            span = BillSpan(order.span.first, day)
            early.append((making, replace(order, span=span, closes_on={})))
    found = bills_together(whole, data)
    if early:
        again = await gathered(run.meters, {o.service_point_id: (o.span, m.zone) for m, o in early})
        found += bills_together(early, again)
    return found


def making_of(run: BillRun, code: str, zone: ZoneInfo, now: datetime) -> Making:
    """Return what the bills of a rate are made under; a code that nobody knows has no prices."""
    schedule = run.rates.get(code) or RateSchedule(code, code, "", "USD", ())
    return Making(schedule, zone, now, run.setting.rules, run.rates)


async def orders_of(run: BillRun, rows: Sequence[Planned], said: Said) -> list[BillOrder]:
    """Return the orders of planned bills, each of another place."""
    before, after = await run.book.cycle.around({r.service_point_id: r.span for r in rows})
    orders = []
    for planned in rows:
        point, span = planned.service_point_id, planned.span
        last, following = before.get(point), after.get(point)
        is_same = last is not None and last.account_id in {planned.account_id, None}
        orders.append(
            BillOrder(
                point, span, planned.kind, planned.account_id, planned.cycle,
                terms_of(planned, said.own[point]),
                last.carried_out if last is not None and is_same else Carried(),
                opens_on={} if last is None else closing_reads(last.reads),
                closes_on={} if following is None else opening_reads(following.reads),
                ends_from=_ends_from(run, planned, has_next=following is not None),
                estimates_before=last.estimates_in_a_row if last is not None and is_same else 0,
                version=said.reversed_at.get((point, span.first), 0) + 1,
                passes={r.code: f"{r.reason} ({r.by})" for r in _releases(said, planned)},
            )
        )  # fmt: skip
    return orders


def _releases(said: Said, planned: Planned) -> Sequence[Release]:
    return said.releases.get((planned.service_point_id, planned.span.first, planned.account_id), ())


def _known_hold(
    planned: Planned, order: BillOrder, schedule: RateSchedule, *, is_known: bool, waits: Collection[Agreement]
) -> _Hold | None:
    if not planned.rate_code:
        return HoldCode.NO_RATE, f"no rate is assigned from {planned.span.first} to {planned.span.last}"
    if not is_known:
        return HoldCode.UNKNOWN_RATE, f"the rate {planned.rate_code} is not known"
    if planned.begins_on is not None:
        words = f"the bill before it waits and ended early, on the read of {planned.begins_on}: this one begins there"
        return HoldCode.EARLIER_WAITS, words
    if planned.is_billed_already:
        return HoldCode.BILLED_ALREADY, f"days from {planned.span.first} on are on a bill of the account before"
    if agreement_of(planned) in waits:
        return _behind_one_that_waits(planned, order, schedule)
    return None


def _behind_one_that_waits(planned: Planned, order: BillOrder, schedule: RateSchedule) -> _Hold | None:
    if planned.part_of is not None and planned.part_of.period.first < planned.span.first:
        words = "the part before it waits, and may yet begin on another read: the two share one period's charges"
        return HoldCode.EARLIER_WAITS, words
    if carries(schedule, order):
        return HoldCode.EARLIER_WAITS, "the bill before it waits, and this rate carries credits or peaks from it"
    return None


def carries(schedule: RateSchedule, order: BillOrder) -> bool:
    """Tell whether a bill takes anything in from the bill before it, so that the two go out in order.

    Export terms matter where the place may send energy out or has a bank; demand where a ratchet looks back.
    """
    may_send = bool(order.terms.approved_w or order.carried.bank)
    return any(
        (v.export is not None and (may_send or not v.export.needs_interconnection))
        or any(d.ratchet is not None for d in v.demand)
        or v.block_unit is BlockUnit.KWH_ANNUAL
        or v.rounding.energy is EnergyRounding.WHOLE_KWH
        or (v.minimum is not None and v.minimum.unit is ChargeUnit.YEAR)
        for v in schedule.versions
    )


def _ends_from(run: BillRun, planned: Planned, *, has_next: bool) -> date | None:
    """Return the earliest day on which a bill may end where its read day was not read; None where it may not move.

    Both it and the bill after it keep a regular number of days; a move, a change of rate and a bill that went out
    after it stand where they are.
    """
    cycle, span = planned.cycle, planned.span
    if has_next or cycle is None or planned.kind is BillKind.FINAL or span.end != cycle.read_on:
        return None
    following = next_read_day(run.setting.calendar, cycle.bill_group, cycle.read_on)
    if following is None or planned.period_days != span.days:
        return None
    period = run.setting.rules.on(span.last).period
    earliest = following.read_on - timedelta(days=period.most_days)
    if planned.kind is BillKind.REGULAR:
        earliest = max(earliest, span.first + timedelta(days=period.least_days))
    return max(earliest, span.first + timedelta(days=1))
