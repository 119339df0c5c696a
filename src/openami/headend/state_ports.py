"""What a head-end keeps and who keeps it: leases and snapshots of groups, columns, requests, times of radios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.airtime import AirtimeDay
from openami.contracts.deadletter import DeadLetter
from openami.contracts.reading import I64, UUIDS
from openami.headend.keeping.answer import Figure
from openami.headend.keeping.request import Request
from openami.headend.keeping.roster import Roster
from openami.headend.listening.release import CounterRelease
from openami.headend.profiles.columns import ColumnSheet
from openami.kernel.ids import SystemTitle


@dataclass(frozen=True, slots=True)
class Lease:
    """A group in hand: the number that fences its writes, and the stream sequence its state stands at."""

    group: int
    fence: int
    position: int


@dataclass(frozen=True, slots=True, eq=False)
class LastFrames:
    """The newest accepted frame of each meter since the last snapshot. Columns of one length n.

    Args:
        meter_id: (n,) V16, each once.
        generation: (n,) key generation.
        counter: (n,) invocation counter.
        collected_at_ms, received_at_ms: (n,) by the collector's and the gateway's clock.
        frames: (n,) how many frames were accepted since the last snapshot.
    """

    meter_id: UUIDS
    generation: I64
    counter: I64
    collected_at_ms: I64
    received_at_ms: I64
    frames: I64


@dataclass(frozen=True, slots=True)
class LevelRow:
    """Counts of a UTC day and cell: within 1, 6, 24, 72 hours, later, owed by finished days, owed by all."""

    day: date
    cell: str
    counts: tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class RegisterLevelRow:
    """Billing-window register reads of a read day and cell: due, there by 07:00, there now."""

    read_day: date
    cell: str
    due: int
    in_time: int
    came: int


@dataclass(frozen=True, slots=True)
class KeptPage:
    """What a group remembers of its meters, for the next owner and for staff pages.

    Args:
        page: see :mod:`openami.headend.keeping.memory_page`.
        is_base: the page holds every meter of the group; earlier pages go.
        levels: service levels for staff pages; none between two plans.
        registers: register levels, likewise.
    """

    page: bytes
    is_base: bool
    levels: tuple[LevelRow, ...]
    registers: tuple[RegisterLevelRow, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that changes when a group's position moves, written in one transaction or not at all.

    Args:
        since: position that the group stood at before; anything else there means that another write came through.
        position: stream sequence up to which every output is durable.
        page: counter windows, see :mod:`openami.headend.listening.snapshot`.
        is_base: the page holds every window of the group; earlier pages go.
        frames, accepted: how many since the last snapshot.
        refusals: how many of each reason since then.
        letters: those to show; the stream of dead letters has them all.
        forget_before_ms: letters refused before this (domain time) go from the page; None to leave them.
        last_frames: newest frame of each meter.
        kept: what is remembered of meters; None where nothing of it changed.
    """

    since: int
    position: int
    page: bytes
    is_base: bool
    frames: int
    accepted: int
    refusals: Counter[str]
    letters: list[DeadLetter]
    forget_before_ms: int | None
    last_frames: LastFrames
    kept: KeptPage | None = None


class GroupStore(Protocol):
    """Leases and state of the groups. Instants are real time, given by the caller.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def prepare(self, groups: int) -> None:
        """Make the rows of the groups where there are none.

        Raises:
            HeadendError: the partitions are shared in another number of groups already.
        """
        ...

    async def enlist(self, owner: str, *, now: datetime, until: datetime) -> int:
        """Say that this owner is alive and return how many owners are, itself included."""
        ...

    async def resign(self, owner: str) -> None:
        """Say that this owner is leaving, so that the others need not wait for its silence."""
        ...

    async def acquire(
        self, owner: str, *, limit: int, working: Sequence[int], now: datetime, until: datetime
    ) -> list[Lease]:
        """Take up to ``limit`` groups that are free, run out, or this owner's of an earlier life, not ``working``."""
        ...

    async def renew(self, leases: Sequence[Lease], *, until: datetime) -> set[int]:
        """Extend leases and return the groups that are still in hand."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give a group back, if it is still in hand."""
        ...

    async def pages(self, group: int) -> list[bytes]:
        """Return the pages of counter windows, the base first."""
        ...

    async def releases(self, *, after: int) -> list[CounterRelease]:
        """Return the held counter jumps that people have released, of all groups, numbered above ``after``."""
        ...

    async def memory(self, group: int) -> list[bytes]:
        """Return the pages of what is remembered of meters, the base first."""
        ...

    async def write(self, lease: Lease, snapshot: Snapshot) -> None:
        """Keep a snapshot.

        Raises:
            LostLeaseError: the fence is not this lease's any more, or the group does not stand where the snapshot
                begins (an earlier write was kept although its answer was lost); nothing was written.
        """
        ...


class ColumnSheets(Protocol):
    """What meters said of their own columns. Nothing is changed; a newer sheet supersedes an older one."""

    async def keep(self, sheets: Sequence[ColumnSheet]) -> None:
        """Keep sheets durably; one that is kept already is kept once.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def revision(self) -> int:
        """Return the number of the sheet that was kept last; 0 for none.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def newer(self, after: int) -> tuple[list[ColumnSheet], int]:
        """Return sheets after a number in the order of keeping, as many as fit at once, and the number of the last.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def sheets_of(self, meter_ids: Sequence[UUID]) -> list[ColumnSheet]:
        """Return the newest sheet of each subject of these meters.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...


class RequestStore(Protocol):
    """Requests to meters, so that none is lost or begun twice when an owner dies.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def open(self, group: int) -> list[Request]:
        """Return the open requests of a group, those that staff entered since included."""
        ...

    async def arrivals(self, group: int) -> list[Request]:
        """Return requests of people that nobody has begun."""
        ...

    async def rested(self, group: int, *, since_s: float) -> list[Request]:
        """Return requests for intervals that were given up since an instant (real time)."""
        ...

    async def save(self, lease: Lease, requests: Sequence[Request], figures: Mapping[UUID, Sequence[Figure]]) -> None:
        """Keep requests as they stand, and what a person asked for by request.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...

    async def forget(self, group: int, *, done_before_s: float, before_s: float) -> None:
        """Drop requests that were answered, and any, that ended before an instant (real time)."""
        ...


class AirtimeBook(Protocol):
    """How long radios of meters were on the air, by day.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def days(self, title: SystemTitle, first: date, last: date) -> list[AirtimeDay]:
        """Return a device's UTC days in a span, both ends included, newest first."""
        ...

    async def keep(self, rows: Sequence[AirtimeDay], *, today: date) -> int:
        """Keep rows, in any order and any number of times; return how many were of a day that can be."""
        ...

    async def forget(self, *, today: date) -> None:
        """Drop days that are too old."""
        ...


class RosterSource(Protocol):
    """Who hangs where, by the registry."""

    async def roster(self) -> Roster:
        """Return every meter that hangs or hung, as it stands now.

        Raises:
            StateUnavailableError: the registry does not answer.
        """
        ...
