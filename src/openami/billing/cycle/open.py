"""The bill that runs now at a place: since which read, until which read day."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from openami.billing.bill.record import BillState
from openami.billing.calendar.cycle import next_read_day as read_day_after
from openami.billing.cycle.due import SCOPE, holdings_of
from openami.billing.cycle.place import Holding
from openami.billing.cycle.run import BillRun
from openami.billing.rating.usage import BillSpan

_MOST_DAYS = 45
"""Before the first bill of a place nobody knows when its period began but the calendar: so far back it looks."""


async def open_span(run: BillRun, service_point_id: UUID, today: date) -> BillSpan | None:
    """Return the days of the bill that holds today; None where the calendar reads the group on no day.

    It begins where the last bill of the account ended, else with the account or the rate, else on the last read day.
    """
    (point,) = await run.meters.registry.service_points({service_point_id})
    following = read_day_after(run.setting.calendar, point.bill_group, today)
    if following is None:
        return None
    own = await _holding(run, service_point_id, point.zone, today)
    starts = [own.first] if own else []
    starts += [a.first_day for a in await run.book.assignments([service_point_id]) if a.first_day <= today][:1]
    starts += [
        b.span.end
        for b in await run.book.bills(SCOPE, service_point_id)
        if b.state is not BillState.SUPERSEDED and b.span.end <= today
    ]
    reads = run.setting.calendar.read_days(
        point.bill_group, today - timedelta(days=_MOST_DAYS), today + timedelta(days=1)
    )
    starts += [r.read_on for r in reads]
    start = max(starts, default=today)
    ends = [following.read_on, *([own.end] if own and own.end and own.end > start else [])]
    return BillSpan(start, min(ends))


async def next_read_day(run: BillRun, service_point_id: UUID, after: date) -> date | None:
    """Return the local day of the next billing read after a day; None where the calendar knows none."""
    (point,) = await run.meters.registry.service_points({service_point_id})
    found = read_day_after(run.setting.calendar, point.bill_group, after)
    return None if found is None else found.read_on


async def _holding(run: BillRun, service_point_id: UUID, zone: str, today: date) -> Holding | None:
    found = await holdings_of(run.meters, {service_point_id: zone}, {service_point_id})
    return next(
        (h for h in found.get(service_point_id, ()) if h.first <= today and (h.end is None or today < h.end)), None
    )
