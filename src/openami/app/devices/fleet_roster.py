"""The roster of a head-end from the registry: who hangs where, in which cell and zone, and when bills close.

Bill groups close on the read days of the billing calendar; a read is the midnight that its day begins with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError

from openami.billing.calendar import BusinessDayCalendar, CycleCalendar
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


class RegistryRoster:
    """A :class:`~openami.headend.state_ports.RosterSource`. All groups of a head-end share what was read last.

    Args:
        registry: who hangs where.
        clock: domain time.
        monotonic: real time that never jumps [s].
        calendar: read days of bill groups; by business days where none is given.
    """

    def __init__(
        self, registry: Registry, clock: Clock, *, monotonic: Callable[[], float], calendar: CycleCalendar | None = None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._calendar = calendar or BusinessDayCalendar()
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
        return await asyncio.to_thread(lambda: Roster(list(_hung(installed, points, self._calendar, now.date()))))


def _hung(
    installed: Sequence[InstalledMeter], points: Mapping[UUID, ServicePoint], calendar: CycleCalendar, today: date
) -> Iterator[Hung]:
    first, end = today - NEAR, today + NEAR + timedelta(days=1)
    near = {
        group: tuple(d.read_on for d in calendar.read_days(group, first, end))
        for group in {p.bill_group for p in points.values()}
    }
    for one in installed:
        point, i = points.get(one.installation.service_point_id), one.installation
        if one.meter.system_title is None or point is None:
            continue
        removed_s = epoch_s(i.end) if i.end is not None else None
        title, days = SystemTitle(one.meter.system_title), near.get(point.bill_group, ())
        yield Hung(one.meter.id, title, epoch_s(i.start), removed_s, point.zone, point.cell, days)
