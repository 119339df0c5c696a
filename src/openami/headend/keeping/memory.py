"""What the owner of a lease group remembers of its meters: coverage, midnight reads, clocks, and when it last looked.

Fed from the same outcomes that are published, and written with the group's position in one transaction: after any
kill it stands exactly where the counter windows stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.event import DeviceEvent
from openami.contracts.quality import RawQuality
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.headend.keeping.clock_watch import ClockErrors
from openami.headend.keeping.coverage import DAY_S, NONE, SLOT_S, Coverage
from openami.headend.keeping.midnights import Midnights
from openami.headend.keeping.roster import Roster
from openami.headend.keeping.supply import note_supply

I64 = npt.NDArray[np.int64]
NO_ZONE = -1
_COUNTER_BITS = np.uint64(0xFFFF_FFFF)


def _column() -> I64:
    return np.zeros(0, np.int64)


@dataclass(slots=True, eq=False)
class GroupMemory:
    """Columns by meter number of ``coverage``.

    Args:
        coverage: intervals that came and that are missing.
        midnights: register reads at local midnight.
        clocks: what frames say of clocks.
        clock_at_s, logs_at_s: when clock and event logs were last read in a session; 0 for never.
        zone: number of the meter's zone in ``zones``; -1 for the installation's.
        zones: zones by number.
        cells: names of radio cells by number; a name that got a number keeps it.
    """

    coverage: Coverage
    midnights: Midnights = field(default_factory=Midnights)
    clocks: ClockErrors = field(default_factory=ClockErrors)
    clock_at_s: I64 = field(default_factory=_column)
    logs_at_s: I64 = field(default_factory=_column)
    zone: I64 = field(default_factory=_column)
    zones: list[ZoneInfo] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)

    def grow(self) -> None:
        """Give every meter of the coverage its place in the other columns."""
        n = len(self.coverage)
        self.midnights.grow(n)
        self.clocks.grow(n)
        more = n - len(self.clock_at_s)
        if more > 0:
            for name, value in (("clock_at_s", 0), ("logs_at_s", 0), ("zone", NO_ZONE)):
                setattr(self, name, np.concatenate([getattr(self, name), np.full(more, value, np.int64)]))

    def enroll(
        self, roster: Roster, *, is_ours: Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.bool_]], now_s: int
    ) -> None:
        """Take the roster's meters of this group.

        Args:
            roster: every meter of the installation.
            is_ours: tells which titles belong to the group.
            now_s: domain time.
        """
        mine = np.flatnonzero(is_ours(roster.title))
        self.coverage.enroll(
            roster.title[mine],
            roster.meter_id[mine],
            since_s=roster.installed_s[mine],
            until_s=roster.removed_s[mine],
            cells=np.array([self._cell_number(roster.hung[place].cell) for place in mine.tolist()], np.int64),
            now_s=now_s,
        )
        self.grow()
        places = {zone.key: number for number, zone in enumerate(self.zones)}
        number = self.coverage.find(roster.title[mine])
        for at, place in zip(number.tolist(), mine.tolist(), strict=True):
            name = roster.hung[place].zone
            if name not in places:
                places[name] = len(self.zones)
                self.zones.append(ZoneInfo(name))
            self.zone[at] = places[name]

    def _cell_number(self, name: str) -> int:
        if not name:
            return NONE
        if name not in self.cells:
            self.cells.append(name)
        return self.cells.index(name)

    def cell_name(self, number: int) -> str:
        """Return the name of a cell by its number; empty for none."""
        return self.cells[number] if 0 <= number < len(self.cells) else ""

    def roll(self, now_s: int) -> None:
        """Begin the days up to now, in coverage and midnights together: one page holds both."""
        self.coverage.roll(now_s)
        self.midnights.roll(now_s)

    def receive_readings(self, batch: ReadingBatch, *, arrived: Arrived, now_s: int) -> int:
        """Note intervals that were emitted and return how many were new.

        Args:
            batch: as published; the delivered channel speaks for its interval.
            arrived: when each frame was collected.
            now_s: domain time.
        """
        self.roll(now_s)
        rows = np.flatnonzero((batch.channel == Channel.DELIVERED) & (batch.interval_s == SLOT_S))
        number = self.coverage.find_ids(batch.meter_id[rows])
        rows, number = rows[number >= 0], number[number >= 0]
        return self.coverage.receive(
            number,
            batch.start[rows],
            is_marked=(batch.quality[rows] & int(RawQuality.POWER_DOWN)) != 0,
            arrived_s=arrived.of(number, batch.message_id[rows], otherwise_s=now_s),
            now_s=now_s,
        )

    def receive_registers(self, batch: RegisterBatch, *, arrived: Arrived, now_s: int, zone: ZoneInfo) -> None:
        """Note register reads that were emitted; ``zone`` is the installation's."""
        rows = np.flatnonzero(batch.channel == Channel.DELIVERED)
        number = self.coverage.find_ids(batch.meter_id[rows])
        rows, number = rows[number >= 0], number[number >= 0]
        self.roll(now_s)
        self.grow()
        came_s = arrived.of(number, batch.message_id[rows], otherwise_s=now_s)
        for one in np.unique(self.zone[number]).tolist():
            here = self.zone[number] == one
            at_s, its = batch.at[rows[here]], self.zone_of(one, zone)
            self.midnights.receive(number[here], at_s, came_s[here], zone=its, now_s=now_s)
        self.coverage.changed.update(np.unique(number).tolist())

    def receive_events(self, events: Iterable[DeviceEvent]) -> None:
        """Note what events say of the supply."""
        for meter_id, some in groupby(sorted(events, key=lambda e: e.meter_id), key=lambda e: e.meter_id):
            number = int(self.coverage.find_ids(uuid_column([meter_id]))[0])
            if number >= 0:
                note_supply(self.coverage, number, list(some))

    def note_clocks(self, number: I64, difference_s: I64, *, now_s: int) -> None:
        """Note what frames say of their meters' clocks: stamp less collector's clock [s]."""
        self.grow()
        self.clocks.note(number, difference_s, today=now_s // DAY_S)

    def zone_of(self, number: int, otherwise: ZoneInfo) -> ZoneInfo:
        """Return a zone by its number."""
        return self.zones[number] if number >= 0 else otherwise


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """When frames were collected, by meter number and message. Columns of one length, in the order of ``key``."""

    key: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    at_s: I64 = field(default_factory=_column)

    @classmethod
    def made(cls, number: I64, counter: I64, at_s: I64) -> Arrived:
        """Return the index of accepted frames: (m,) meters, invocation counters, seconds since the epoch."""
        key = _frame_key(number, counter.astype(np.uint64))
        order = np.argsort(key, kind="stable")
        return cls(key[order], at_s[order])

    def of(self, number: I64, message_id: npt.NDArray[np.uint64], *, otherwise_s: int) -> I64:
        """Return when the frames of these rows were collected."""
        if not len(self.key):
            return np.full(len(number), otherwise_s, np.int64)
        wanted = _frame_key(number, message_id)
        at = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
        return np.where(self.key[at] == wanted, self.at_s[at], otherwise_s)


def _frame_key(number: I64, message_id: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # Two key generations of one meter with one counter in one batch would share a key, and a minute's error is no harm.
    return np.asarray(number.astype(np.uint64) << np.uint64(32) | message_id & _COUNTER_BITS)
