"""Which places a run need not look at: what was seen of each at the last look says before when nothing can be due.

A place rests from the day up to which all its bills went out, or wait, until its group is read, an account ends, or
something changes there. Changes wake it: the database notes each one of a bill or an assignment, and the registry each
one of an account or a bill group, in the transaction that makes it, so that no writer can forget.

A run takes note of changes first, then reads, then says which places rest. What changes in between is noted, and
found by the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol
from uuid import UUID

from openami.billing.calendar.cycle import CycleCalendar, last_read_day, next_read_day
from openami.billing.cycle.place import Look, Place, Planned

_WIDEST = timedelta(days=62)
"""A group that is read more rarely, or no more, is looked at on each run: its places may be ones of no read day."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What is known of a place until something changes there.

    Args:
        service_point_id, zone, bill_group: of the place.
        since, wakes_on: see :class:`~openami.billing.cycle.place.Look`.
        waits: whether bills of it are held.
    """

    service_point_id: UUID
    zone: str
    bill_group: int
    since: date
    wakes_on: date
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Resting:
    """The places of one zone and group that rest, in short.

    Args:
        zone, bill_group: whose.
        since: the earliest of theirs.
    """

    zone: str
    bill_group: int
    since: date


@dataclass(frozen=True, slots=True)
class Stir:
    """Which resting places of a zone and group may have a bill due.

    Args:
        zone, bill_group: whose.
        since_before: those that rest since an earlier day.
        today: those that wake on it or before.
    """

    zone: str
    bill_group: int
    since_before: date
    today: date


class RestBook(Protocol):
    """Which places rest. One whose changes were not looked at since is awake; so is one that was just put on a rate."""

    async def take_note(self) -> None:
        """Wake the places of which a bill or an assignment changed; each change counts once."""
        ...

    async def wake(self, service_points: Collection[UUID]) -> None:
        """Wake places, of those that were ever put on a rate."""
        ...

    async def resting(self) -> list[Resting]:
        """Return the zones and groups in which places rest; as many questions to an index, not to each place."""
        ...

    async def stirring(
        self, stirs: Sequence[Stir], also: Collection[UUID], *, after: UUID | None, limit: int, with_waiting: bool
    ) -> list[UUID]:
        """Return the next places to look at, rising: awake ones, changed ones, those that stir, and others asked for.

        Args:
            stirs: of each zone and group.
            also: others.
            after: the last of the page before; None for the first page.
            limit: how many at most.
            with_waiting: whether to return those of which bills wait though nothing changed.
        """
        ...

    async def every(self, *, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next places that were ever put on a rate, rising, whether they rest or not.

        Args:
            after: the last of the page before; None for the first page.
            limit: how many at most.
        """
        ...

    async def rests_of(self, service_points: Collection[UUID]) -> dict[UUID, Rest | None]:
        """Return the rests of places; None of one that is awake or has changed, and nothing of one that is not known.

        Args:
            service_points: whose.
        """
        ...

    async def touch(self, service_points: Collection[UUID]) -> None:
        """Note a change of places, known ones or not."""
        ...

    async def rest(self, rows: Sequence[Rest]) -> None:
        """Say that these places rest."""
        ...


def rest_of(place: Place, seen: Look) -> Rest | None:
    """Return the rest of a place after a look; None where more than bills that wait is due.

    Args:
        place: as it was looked at.
        seen: what was found.
    """
    held = {day for b in place.billed for day in b.held}
    if not all(isinstance(f, Planned) and f.span.first in held for f in seen.found):
        return None
    return Rest(place.service_point_id, place.zone, place.bill_group, seen.since, seen.wakes_on, bool(held))


def stir_of(calendar: CycleCalendar, zone: str, bill_group: int, today: date) -> Stir:
    """Return which resting places of a group may have a bill due on a day.

    Args:
        calendar: read days as they are known now, whatever they were at the last look.
        zone: whose.
        bill_group: whose.
        today: local day of the zone.
    """
    last = last_read_day(calendar, bill_group, today)
    following = next_read_day(calendar, bill_group, today)
    if last is None or following is None or following.read_on - last.read_on > _WIDEST:
        return Stir(zone, bill_group, today, today)
    return Stir(zone, bill_group, last.read_on, today)


def stirs(rest: Rest, stir: Stir) -> bool:
    """Tell whether a resting place may have a bill due.

    Args:
        rest: of the place.
        stir: of its zone and group.
    """
    return rest.since < stir.since_before or rest.wakes_on <= stir.today
