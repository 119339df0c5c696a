"""A meter's own clock: an oscillator that drifts and can be set.

Source: IEC 62054-21 allows half a second a day at reference conditions, about 6 parts per million.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MILLION = 1_000_000


@dataclass(slots=True)
class MeterClock:
    """Shows a time that is right once and then drifts.

    Args:
        set_at: true instant at which the clock was last set.
        drift_ppm: how much it gains (or, negative, loses) per million of true time.
        offset: what it showed too much when it was set.
        is_valid: whether the meter trusts it; after a long loss of power it does not.
    """

    set_at: datetime
    drift_ppm: int = 0
    offset: timedelta = timedelta(0)
    is_valid: bool = True

    def shows(self, instant: datetime) -> datetime:
        """Return the time that the clock shows at a true instant."""
        return instant + self.offset + (instant - self.set_at) * self.drift_ppm / _MILLION

    def truly(self, shown: datetime) -> datetime:
        """Return the true instant at which the clock shows this time, to the microsecond."""
        drifted = (shown - self.offset - self.set_at) * _MILLION / (_MILLION + self.drift_ppm)
        return self.set_at + drifted

    def set_to(self, shown: datetime, *, instant: datetime) -> None:
        """Let the clock show a time at a true instant; from there it drifts on."""
        self.set_at, self.offset, self.is_valid = instant, shown - instant, True
