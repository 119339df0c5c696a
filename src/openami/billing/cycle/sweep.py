"""What the short way misses: the few places of which a bill is due though they rest, should that ever be.

A run looks at few places (:mod:`openami.billing.cycle.rest`). A rest that is wrong would be a bill that never goes out,
so now and then one looks at all of them, bills what it finds, and says how many places were passed over. That is
always a fault: of the program, or of a hand that changed the database behind its triggers.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from openami.billing.cycle.due import Due
from openami.billing.cycle.rest import stir_of, stirs
from openami.billing.cycle.run import BillRun
from openami.kernel.time import local_date, zone_named


async def passed_over(run: BillRun, due: Due, now: datetime) -> list[UUID]:
    """Return the places of a page, of all places, that a run by the short way would not have looked at.

    Args:
        run: what bills are closed with.
        due: the page.
        now: domain time.
    """
    fresh = {p.service_point_id for p in due.planned if p.span.first not in due.held[p.service_point_id]}
    fresh |= {u.service_point_id for u in due.unplanned}
    if not fresh:
        return []
    rests = await run.book.rests.rests_of(fresh)
    # What changed since this run took note is no miss: the next run hears of it.
    told = {n.service_point_id for n in await run.meters.registry.facts.news(limit=None)}
    missed = fresh - rests.keys()
    for point, rest in rests.items():
        if rest is None or point in told:
            continue
        stir = stir_of(run.setting.calendar, rest.zone, rest.bill_group, local_date(now, zone_named(rest.zone)))
        if not stirs(rest, stir):
            missed.add(point)
    return sorted(missed)
