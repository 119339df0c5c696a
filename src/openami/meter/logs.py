"""What a meter writes down: event logs, and the log and counters of power failures.

Each log is a ring: the oldest entry makes room. Source: IEC 62056-6-2, event logs 0.0.99.98.e.255, power failure
monitoring 0.0.96.7.x.255 and 1.0.99.97.0.255.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from openami.kernel.time import EPOCH
from openami.meter.events import LOG_OF, LOGS, EventCode
from openami.meter.objects.profile import Table, hundredths, table_of

LOG_ENTRIES = 256
"""Entries of each log: months of an ordinary meter."""
FAILURE_ENTRIES = 128
LONG_FAILURE_S = 180
"""From three minutes on a failure is a long one (a sustained one by EN 50160); the threshold can be set."""
_HUNDREDTH = timedelta(milliseconds=10)


class LogEntry(NamedTuple):
    """One entry: when by the meter's clock, in which log, what, and its place among all entries."""

    at_cs: int
    log: int
    code: EventCode
    place: int

    @property
    def at(self) -> datetime:
        """When, as an instant."""
        return EPOCH + self.at_cs * _HUNDREDTH


def _rings() -> dict[int, deque[LogEntry]]:
    return {log: deque(maxlen=LOG_ENTRIES) for log in LOGS}


@dataclass(slots=True)
class EventLogs:
    """The event logs of a meter."""

    rings: dict[int, deque[LogEntry]] = field(default_factory=_rings)
    count: int = 0

    def add(self, at: datetime, code: EventCode, log: int | None = None) -> LogEntry:
        """Write an entry in a log, the code's own where none is given, and return it."""
        place = LOG_OF[code] if log is None else log
        entry = LogEntry(hundredths(at), place, code, self.count)
        self.rings[place].append(entry)
        self.count += 1
        return entry

    def has(self, at: datetime, code: EventCode) -> bool:
        """Whether an event of an instant is kept already."""
        at_cs = hundredths(at)
        return any(e.at_cs == at_cs and e.code is code for e in self.rings[LOG_OF[code]])

    def entries(self) -> list[tuple[datetime, EventCode]]:
        """Return all entries in the order in which they were written."""
        kept = sorted((e for ring in self.rings.values() for e in ring), key=lambda e: e.place)
        return [(e.at, e.code) for e in kept]

    def last(self) -> LogEntry | None:
        """Return the entry that was written last, of any log."""
        return max((ring[-1] for ring in self.rings.values() if ring), key=lambda e: e.place, default=None)

    def latest(self, log: int) -> int:
        """Return the code of a log's last entry; 0 where it is empty."""
        ring = self.rings[log]
        return int(ring[-1].code) if ring else 0

    def table(self, log: int) -> Table:
        """Return a log as rows of clock and code."""
        return table_of([(e.at_cs, int(e.code)) for e in self.rings[log]], columns=1)


@dataclass(slots=True)
class PowerFailures:
    """Failures of the supply.

    Args:
        long_s: from this duration on, a failure is a long one [s].
        count: all failures.
        long_count: the long ones.
        last_long: end of the last long one by the meter's clock, and its duration [s].
        ring: end [0.01 s] and duration [s] of each long one.
    """

    long_s: int = LONG_FAILURE_S
    count: int = 0
    long_count: int = 0
    last_long: tuple[datetime, int] | None = None
    ring: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=FAILURE_ENTRIES))

    def end(self, began: datetime, ended: datetime) -> None:
        """Count a failure that is over; both instants by the meter's clock."""
        duration_s = max((ended - began) // timedelta(seconds=1), 0)
        self.count += 1
        if duration_s >= self.long_s:
            self.long_count += 1
            self.last_long = (ended, duration_s)
            self.ring.append((hundredths(ended), duration_s))

    def table(self) -> Table:
        """Return the log of long failures: end and duration."""
        return table_of(list(self.ring), columns=1)
