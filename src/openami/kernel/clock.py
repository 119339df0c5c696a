"""The clock port. Core code never asks the machine for the time; it is handed an instant or a clock.

*Domain time* (capture, schedules, tariffs, VEE windows, the stamps we write) may run faster than the wall clock in a
demonstration. TLS, sessions, leases, retries, time-outs and audit checkpoints use real time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. ``now`` returns an aware UTC instant and never goes backwards by more than the host does."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        ...


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is moved: for tests and replays."""

    instant: datetime

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self.instant

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.instant += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Domain time that runs ``speed`` times as fast as real time from an agreed pair of instants.

    Every process of an installation holds the same three numbers, so they agree on domain time to the
    accuracy of the host clock.
    """

    real_now: Callable[[], datetime]
    real_origin: datetime
    domain_origin: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        """Return the present domain instant in UTC."""
        return self.domain_origin + (self.real_now() - self.real_origin) * self.speed
