"""Close bills that are due: the calendar month on its first day after, once every day of it is validated.

Every step may be repeated: bills have ids of place, day and version, and an issued bill is never rewritten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill
from openami.billing.bill.making import SCOPE, bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Assignment, Bill, BillState
from openami.billing.jurisdiction.model import Jurisdiction
from openami.billing.ports import BillBook
from openami.billing.rating.usage import BillSpan, calendar_months
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import MeterData

FEW = 50
"""So many are looked at though the fleet's days are not all validated: imported files hold days of their own."""
CHUNK = 500


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What one closing run did.

    Args:
        issued: bills issued.
        held: bills that wait, new ones and old ones.
        waiting: bills whose days are over and not all validated yet.
    """

    issued: int = 0
    held: int = 0
    waiting: int = 0

    def __add__(self, other: CloseReport) -> CloseReport:
        return CloseReport(self.issued + other.issued, self.held + other.held, self.waiting + other.waiting)


async def close_due(
    meters: MeterData,
    book: BillBook,
    rates: Mapping[str, RateSchedule],
    rules: Jurisdiction,
    now: datetime,
    *,
    retry_held: bool = True,
) -> CloseReport:
    """Issue every bill that can be, and hold the rest with their reasons.

    Args:
        meters: validated days and registers.
        book: where bills are kept.
        rates: by code.
        rules: what the jurisdiction says of bills.
        now: domain time.
        retry_held: whether to look at held bills again.
    """
    zones = {p.id: p.zone for p in await meters.service_points(SCOPE)}
    done = CloseReport()
    groups = _groups(await book.assignments(None), zones, now)
    if not groups:
        return done
    states = await book.states(min(s.first for s, *_ in groups), max(s.end for s, *_ in groups))
    settled = {BillState.ISSUED.value, BillState.SUPERSEDED.value} | (set() if retry_held else {BillState.HELD.value})
    for (span, code, zone_name), points in sorted(groups.items()):
        open_points = [p for p in points if states.get((p, span.first)) not in settled]
        if not open_points:
            continue
        is_done = len(await meters.book.days_done(zone_name, span.first, span.last)) >= span.days
        if not is_done and len(open_points) > FEW:
            done += CloseReport(waiting=len(open_points))
            continue
        schedule = rates.get(code)
        making = Making(schedule or nameless(code), zone_named(zone_name), now, rules)
        for at in range(0, len(open_points), CHUNK):
            orders = [BillOrder(p, span) for p in open_points[at : at + CHUNK]]
            bills = await bills_or_holds(meters, making, orders, is_known=schedule is not None)
            ripe = [b for b in bills if is_done or all(b.day_versions)]
            await book.keep(ripe)
            issued = sum(b.state is BillState.ISSUED for b in ripe)
            done += CloseReport(issued=issued, held=len(ripe) - issued, waiting=len(bills) - len(ripe))
    return done


async def bills_or_holds(
    meters: MeterData, making: Making, orders: Collection[BillOrder], *, is_known: bool
) -> list[Bill]:
    """Return the bills, or holds for a rate that nobody knows."""
    if is_known:
        return await bills_of(meters, making, list(orders))
    reason = f"the rate {making.schedule.code} is not known"
    return [held_bill(making, o, HoldCode.UNKNOWN_RATE, reason) for o in orders]


def nameless(code: str) -> RateSchedule:
    """Return a rate without prices, to hold bills of a code that nobody knows."""
    return RateSchedule(code, code, "", "USD", ())


_Groups = dict[tuple[BillSpan, str, str], list[UUID]]


def _groups(assignments: Collection[Assignment], zones: Mapping[UUID, str], now: datetime) -> _Groups:
    """Service points by (complete calendar month within their assignment, rate, zone)."""
    groups: _Groups = {}
    today = {z: local_date(now, zone_named(z)) for z in set(zones.values())}
    for row in assignments:
        zone = zones.get(row.service_point_id)
        if zone is None:
            continue
        month: date = today[zone].replace(day=1)
        end = min(month, row.end_day or month)
        if row.first_day < end:
            for span in calendar_months(row.first_day, end):
                groups.setdefault((span, row.rate_code, zone), []).append(row.service_point_id)
    return groups
