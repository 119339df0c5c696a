"""From what is planned to bills: each order with the reads, carried state and releases that belong to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill
from openami.billing.bill.making import bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import closing_reads, opening_reads
from openami.billing.bill.record import Bill
from openami.billing.cycle.place import Planned
from openami.billing.cycle.run import BillRun
from openami.billing.cycle.terms import approvals_of, terms_of
from openami.billing.rating.carried import Carried
from openami.billing.tariff.charge import ChargeUnit
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockUnit
from openami.billing.tariff.rounding import EnergyRounding

_Hold = tuple[HoldCode, str]


async def made(
    run: BillRun, making: Making, rows: Sequence[Planned], *, is_known: bool, waits: Collection[UUID]
) -> list[Bill]:
    """Return the bills of planned ones of one span and rate, in their order; nothing is written.

    Args:
        run: what they are made with.
        making: rate, zone, instant, rules.
        rows: of one span.
        is_known: whether the rate of the code is.
        waits: places of which an earlier bill waits.
    """
    orders = await orders_of(run, making, rows)
    asked = await run.book.cycle.place_holds([r.service_point_id for r in rows])
    found: dict[UUID, Bill] = {}
    free: list[BillOrder] = []
    for planned, order in zip(rows, orders, strict=True):
        hold = _known_hold(planned, making.schedule, is_known=is_known, waits=waits)
        point = planned.service_point_id
        if hold is None and point in asked:
            hold = HoldCode.ASKED_FOR, asked[point].reason
        if hold is None:
            free.append(order)
        else:
            found[point] = held_bill(making, order, *hold)
    found |= {b.service_point_id: b for b in await bills_of(run.meters, making, free)}
    return [found[r.service_point_id] for r in rows]


async def orders_of(run: BillRun, making: Making, rows: Sequence[Planned]) -> list[BillOrder]:
    """Return the orders of planned bills of one span."""
    span, points = rows[0].span, [r.service_point_id for r in rows]
    book = run.book.cycle
    before, after = await book.ending_at(points, span.first), await book.beginning_at(points, span.end)
    releases = await book.releases(points, span.first)
    approved = await approvals_of(run.meters, points, span, making.zone)
    orders = []
    for planned in rows:
        point = planned.service_point_id
        last, following = before.get(point), after.get(point)
        is_same = last is not None and last.account_id in {planned.account_id, None}
        orders.append(
            BillOrder(
                point, span, planned.kind, planned.account_id, planned.cycle,
                terms_of(planned, approved.get(point, ()), run.setting.standing),
                last.carried_out if last is not None and is_same else Carried(),
                opens_on={} if last is None else closing_reads(last.reads),
                closes_on={} if following is None else opening_reads(following.reads),
                period_days=planned.period_days,
                estimates_before=last.estimates_in_a_row if last is not None and is_same else 0,
                passes={r.code: f"{r.reason} ({r.by})" for r in releases.get(point, ())},
            )
        )  # fmt: skip
    return orders


def _known_hold(planned: Planned, schedule: RateSchedule, *, is_known: bool, waits: Collection[UUID]) -> _Hold | None:
    if not planned.rate_code:
        return HoldCode.NO_RATE, f"no rate is assigned from {planned.span.first} to {planned.span.last}"
    if not is_known:
        return HoldCode.UNKNOWN_RATE, f"the rate {planned.rate_code} is not known"
    if planned.is_billed_already:
        return HoldCode.BILLED_ALREADY, f"days from {planned.span.first} on are on a bill of the account before"
    if planned.service_point_id in waits and carries(schedule):
        return HoldCode.EARLIER_WAITS, "the bill before it waits, and this rate carries credits or peaks from it"
    return None


def carries(schedule: RateSchedule) -> bool:
    """Tell whether a rate hands anything from one bill to the next, so that bills go out in order."""
    return any(
        v.export is not None
        or v.demand
        or v.block_unit is BlockUnit.KWH_ANNUAL
        or v.rounding.energy is EnergyRounding.WHOLE_KWH
        or (v.minimum is not None and v.minimum.unit is ChargeUnit.YEAR)
        for v in schedule.versions
    )


def nameless(code: str) -> RateSchedule:
    """Return a rate without prices, to hold bills of a code that nobody knows."""
    return RateSchedule(code, code, "", "USD", ())
