"""How much may come in: frames of one meter, octets of one cell, connections of one source. Pure: takes the time.

What is over a rate is not thrown away. A cell (one collector) is read more slowly, and TCP holds it back; a meter's
frames beyond what it can have go to the quarantine; a source that connects too often is let in later.

Source: requirement R6.3 (per meter, per cell, per source); the numbers are ours.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from openami.network.gateway.rate import TokenBucket

METER_FRAMES_AN_HOUR = 10_000
"""A meter that was away sends sixty days of quarter-hours at once, 5,760 of them, and its events."""
CELL_OCTETS_PER_S = 2 * 1024 * 1024
"""Some ten thousand frames a second: a storm of catch-up, and far above what any radio carries."""
CELL_BURST_OCTETS = 64 * 1024 * 1024
SOURCE_CONNECTIONS_PER_S = 100.0
SOURCE_BURST = 5_000
"""All collectors of a utility may come from one address of a carrier, and at once after an outage."""
MAX_SOURCES = 50_000
MAX_CELLS = 50_000
_COUNTERS = 1 << 20
_MASK = _COUNTERS - 1
_HALF = 32


class MeterRates:
    """Counts frames by meter in windows of an hour, in four megaoctets whatever the number of meters.

    Two rows of counters; a meter's count is the smaller of its two, so that it is never too small, and too large only
    where both are shared. Which meters share is known to nobody outside: Python's hash has a secret of the process.

    Args:
        most: frames of one meter in one window, up to 65,534.
        window_s: length of a window [s].
    """

    def __init__(self, *, most: int = METER_FRAMES_AN_HOUR, window_s: float = 3600.0) -> None:
        self._most = most
        self._window_s = window_s
        self._ends_s = 0.0
        self._one = array("H")
        self._other = array("H")

    def takes(self, title: bytes, *, now_s: float) -> bool:
        """Count a frame, and tell whether its meter may have it.

        Args:
            title: the meter's.
            now_s: domain time, seconds since any epoch: at a higher speed a meter sends more.
        """
        if not self._ends_s - self._window_s <= now_s < self._ends_s:
            self._begin(now_s)
        key = hash(title)
        at, beside = key & _MASK, key >> _HALF & _MASK
        one, other = self._one[at], self._other[beside]
        most = self._most
        if one > most and other > most:
            return False
        if one <= most:
            self._one[at] = one + 1
        if other <= most:
            self._other[beside] = other + 1
        return one < most or other < most

    def _begin(self, now_s: float) -> None:
        self._ends_s = now_s + self._window_s
        self._one = array("H", bytes(2 * _COUNTERS))
        self._other = array("H", bytes(2 * _COUNTERS))


class CellRates:
    """A token bucket for each collector, kept from one connection to the next.

    Args:
        octets_per_s: sustained.
        burst_octets: what may come at once.
    """

    def __init__(self, *, octets_per_s: float = CELL_OCTETS_PER_S, burst_octets: float = CELL_BURST_OCTETS) -> None:
        self._octets_per_s = octets_per_s
        self._burst_octets = burst_octets
        self._buckets: dict[int, TokenBucket] = {}

    def bucket_of(self, collector_id: int, now_s: float) -> TokenBucket:
        """Return a collector's bucket.

        Args:
            collector_id: its number.
            now_s: monotonic real time [s].
        """
        bucket = self._buckets.get(collector_id)
        if bucket is None:
            if len(self._buckets) >= MAX_CELLS:
                self._buckets = {n: b for n, b in self._buckets.items() if b.delay_s(octets=0, now_s=now_s) > 0}
            bucket = self._buckets[collector_id] = TokenBucket(self._octets_per_s, self._burst_octets, now_s)
        return bucket


class SourceRates:
    """Counts connections by the address that they come from.

    Args:
        per_s: sustained, connections a second.
        burst: at once.
    """

    def __init__(self, *, per_s: float = SOURCE_CONNECTIONS_PER_S, burst: int = SOURCE_BURST) -> None:
        self._make: Callable[[float], TokenBucket] = lambda now_s: TokenBucket(per_s, float(burst), now_s)
        self._buckets: dict[str, TokenBucket] = {}

    def takes(self, source: str, *, now_s: float) -> bool:
        """Count a connection, and tell whether it may go on; one that may not costs the source nothing more.

        Args:
            source: the peer's network address.
            now_s: monotonic real time [s].
        """
        bucket = self._buckets.get(source)
        if bucket is None:
            if len(self._buckets) >= MAX_SOURCES:
                # The oldest address gives way: who has many addresses gains nothing that it would not have anyway.
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[source] = self._make(now_s)
        if bucket.delay_s(octets=0, now_s=now_s) > 0:
            return False
        bucket.delay_s(octets=1, now_s=now_s)
        return True


@dataclass(frozen=True, slots=True)
class Flow:
    """All of them.

    Args:
        meters: None: a meter may send as much as it likes.
        cells: None: a collector is read as fast as it sends.
        sources: how often one address may connect.
    """

    meters: MeterRates | None = None
    cells: CellRates | None = None
    sources: SourceRates = field(default_factory=SourceRates)
