"""The roster of a head-end from the registry: who hangs where, in which cell and zone, and when bills close.

Bill group n closes on the n-th working day of a month (groups 1 to 21); its read is the midnight that day begins with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError

from openami.headend.keeping.roster import Hung, Roster
from openami.headend.ports import StateUnavailableError
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period, epoch_s
from openami.mdm.api import InstalledMeter, ServicePoint
from openami.mdm.registry.ports import Registry

HISTORY = timedelta(days=60)
"""Meters that were removed longer ago are no longer asked for anything."""
NEAR = timedelta(days=7)
"""Read days this near are named: what lies further off needs nothing yet."""
FRESH_S = 15.0
"""Real time for which a roster is good enough: an installation waits this long for its first questions."""
MAX_BILL_GROUP = 21
_FRIDAY = 4


class RegistryRoster:
    """A :class:`~openami.headend.state_ports.RosterSource`. All groups of a head-end share what was read last.

    Args:
        registry: who hangs where.
        clock: domain time.
        monotonic: real time that never jumps [s].
    """

    def __init__(self, registry: Registry, clock: Clock, *, monotonic: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._read_at_s = float("-inf")
        self._roster = Roster([])

    async def roster(self) -> Roster:
        """Return every meter that hangs or hung in the last two months."""
        async with self._lock:
            if self._monotonic() - self._read_at_s >= FRESH_S:
                self._roster = await self._read()
                self._read_at_s = self._monotonic()
            return self._roster

    async def _read(self) -> Roster:
        now = self._clock.now()
        try:
            installed = await self._registry.installed(None, Period(now - HISTORY, now + timedelta(seconds=1)))
            points = {p.id: p for p in await self._registry.service_points()}
        except (OperationalError, InterfaceError) as error:
            raise StateUnavailableError(f"the registry does not answer: {type(error.orig).__name__}") from error
        # A large fleet takes seconds, and frames must not wait for them.
        return await asyncio.to_thread(lambda: Roster(list(_hung(installed, points, now.date()))))


def _hung(installed: Sequence[InstalledMeter], points: Mapping[UUID, ServicePoint], today: date) -> Iterator[Hung]:
    near = {g: tuple(d for d in read_days(g, today) if abs(d - today) <= NEAR) for g in range(1, MAX_BILL_GROUP + 1)}
    for one in installed:
        point, i = points.get(one.installation.service_point_id), one.installation
        if one.meter.system_title is None or point is None:
            continue
        removed_s = epoch_s(i.end) if i.end is not None else None
        title, days = SystemTitle(one.meter.system_title), near.get(point.bill_group, ())
        yield Hung(one.meter.id, title, epoch_s(i.start), removed_s, point.zone, point.cell, days)


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
