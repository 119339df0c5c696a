"""The plan as it is made without any rest: every place is looked at. What the short way must equal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from openami.billing.cycle.due import places
from openami.billing.cycle.place import Planned, Unplanned
from openami.billing.cycle.plan import plan
from openami.billing.cycle.run import BillRun
from openami.kernel.time import local_date, zone_named


async def due_everywhere(run: BillRun, now: datetime, own: Collection[UUID]) -> set[Planned | Unplanned]:
    """Return what is due at some places."""
    known = [p for p in await places(run.meters, run.book) if p.service_point_id in own]
    issued = await run.book.cycle.issued_spans([p.service_point_id for p in known])
    found: set[Planned | Unplanned] = set()
    for place in known:
        whole = replace(place, issued=issued.get(place.service_point_id, {}))
        found |= set(plan(whole, run.setting.calendar, run.setting.rules, local_date(now, zone_named(place.zone))))
    return found
