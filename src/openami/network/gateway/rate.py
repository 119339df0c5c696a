"""A token bucket that slows a collector down instead of losing its frames."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Octets per second with a burst.

    Args:
        octets_per_s: sustained rate.
        burst_octets: what may come at once.
        now_s: monotonic time at the start.

    >>> bucket = TokenBucket(octets_per_s=100.0, burst_octets=200.0, now_s=0.0)
    >>> bucket.delay_s(octets=200, now_s=0.0), bucket.delay_s(octets=50, now_s=0.0), bucket.delay_s(octets=0, now_s=1.0)
    (0.0, 0.5, 0.0)
    """

    octets_per_s: float
    burst_octets: float
    now_s: float
    _level: float = 0.0

    def delay_s(self, *, octets: int, now_s: float) -> float:
        """Count octets that came now and return for how long to read no more."""
        self._level = max(0.0, self._level - (now_s - self.now_s) * self.octets_per_s) + octets
        self.now_s = now_s
        return max(0.0, (self._level - self.burst_octets) / self.octets_per_s)
