"""The roster of a head-end from the registry: who hangs where, in which cell and zone, and when bills close.

Bill group n closes on the n-th working day of a month (groups 1 to 21); its read is the midnight that day begins with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.exc import InterfaceError, OperationalError

from openami.headend.ports import StateUnavailableError
from openami.headend.roster import Hung, Roster
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, epoch_s
from openami.mdm.registry.ports import Registry

HISTORY = timedelta(days=60)
"""Meters that were removed longer ago are no longer asked for anything."""
NEAR = timedelta(days=7)
"""Read days this near are named: what lies further off needs nothing yet."""
_FRIDAY = 4


@dataclass(frozen=True, slots=True)
class RegistryRoster:
    """A :class:`~openami.headend.ports.RosterSource`.

    Args:
        registry: who hangs where.
        clock: domain time.
    """

    registry: Registry
    clock: Clock

    async def roster(self) -> Roster:
        """Return every meter that hangs or hung in the last two months."""
        now = self.clock.now()
        try:
            installed = await self.registry.installed(None, Period(now - HISTORY, now + timedelta(seconds=1)))
            points = {p.id: p for p in await self.registry.service_points()}
        except (OperationalError, InterfaceError) as error:
            raise StateUnavailableError(f"the registry does not answer: {type(error.orig).__name__}") from error
        hung = []
        for one in installed:
            point, i = points.get(one.installation.service_point_id), one.installation
            if one.meter.system_title is None or point is None:
                continue
            days = tuple(d for d in read_days(point.bill_group, now.date()) if abs(d - now.date()) <= NEAR)
            removed_s = epoch_s(i.end) if i.end is not None else None
            title = SystemTitle(one.meter.system_title)
            hung.append(Hung(one.meter.id, title, epoch_s(i.start), removed_s, point.zone, point.cell, days))
        return Roster(hung)


def read_days(bill_group: int, today: date) -> Iterator[date]:
    """Yield the read days of a bill group in last, this and next month.

    >>> [d.isoformat() for d in read_days(2, date(2026, 3, 15))]
    ['2026-02-03', '2026-03-03', '2026-04-02']
    """
    first = today.replace(day=1)
    for start in ((first - timedelta(days=1)).replace(day=1), first, (first + timedelta(days=32)).replace(day=1)):
        left, day = bill_group, start - timedelta(days=1)
        while left:
            day += timedelta(days=1)
            left -= day.weekday() <= _FRIDAY
        yield day
