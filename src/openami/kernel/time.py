"""Instants, half-open periods and local days.

An instant is an aware UTC ``datetime``; in columns it is ``int64`` seconds since 1970-01-01T00:00Z. A period is
half-open, ``[start, end)``. A local day has as many intervals as it has: 92, 96 or 100 quarter-hours in a zone with
one-hour daylight saving. Local time exists only at edges, always with a named zone.

Source: ISO 8601; IANA time zone database through :mod:`zoneinfo`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openami.kernel.errors import OpenAmiError

QUARTER_HOUR_S = 900
HOUR_S = 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NaiveInstantError(OpenAmiError):
    """A datetime without a zone was given where an instant is needed."""


class UnknownZoneError(OpenAmiError):
    """A zone name is not in the IANA database."""


class EmptyPeriodError(OpenAmiError):
    """A period would end before or at its start."""


def require_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        NaiveInstantError: the datetime carries no zone.

    >>> require_utc(datetime.fromisoformat("2026-03-08T01:00:00-06:00")).isoformat()
    '2026-03-08T07:00:00+00:00'
    """
    if instant.tzinfo is None:
        raise NaiveInstantError(f"{instant.isoformat()} has no offset: give one, or name the zone it is local to")
    return instant.astimezone(UTC)


def zone_named(name: str) -> ZoneInfo:
    """Return the IANA zone of that name.

    Raises:
        UnknownZoneError: no such zone, whatever the text is.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(f"{name!r} is not an IANA time zone; for example America/Chicago") from error


def epoch_s(instant: datetime) -> int:
    """Return whole seconds since 1970-01-01T00:00Z, rounded down.

    >>> epoch_s(datetime(2026, 1, 1, tzinfo=UTC))
    1767225600
    """
    return (require_utc(instant) - EPOCH) // timedelta(seconds=1)


def instant_from_epoch_s(seconds: int) -> datetime:
    """Return the instant that many seconds after 1970-01-01T00:00Z.

    >>> instant_from_epoch_s(1767225600).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    return EPOCH + timedelta(seconds=int(seconds))


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A half-open span of time ``[start, end)``, both instants in UTC.

    Raises:
        NaiveInstantError: an end carries no zone.
        EmptyPeriodError: the end is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
        object.__setattr__(self, "end", require_utc(self.end))
        if self.end <= self.start:
            raise EmptyPeriodError(f"[{self.start.isoformat()}, {self.end.isoformat()}) holds no time")

    @property
    def duration_s(self) -> int:
        """Length in whole seconds."""
        return (self.end - self.start) // timedelta(seconds=1)

    @property
    def start_s(self) -> int:
        """Start in seconds since the epoch."""
        return epoch_s(self.start)

    @property
    def end_s(self) -> int:
        """End (exclusive) in seconds since the epoch."""
        return epoch_s(self.end)

    def holds(self, instant: datetime) -> bool:
        """Tell whether the instant lies in the period; the end does not."""
        return self.start <= instant < self.end

    def intersection(self, other: Period) -> Period | None:
        """Return the time that both hold, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None


EVER = Period(EPOCH, datetime(9999, 1, 1, tzinfo=UTC))
"""All the time that anything here speaks of: a question without bounds."""


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which the local day begins.

    >>> local_midnight(date(2026, 11, 1), ZoneInfo("America/Chicago")).isoformat()
    '2026-11-01T05:00:00+00:00'
    """
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def local_day(day: date, zone: ZoneInfo) -> Period:
    """Return the local day as a period: 23, 24 or 25 hours long.

    >>> local_day(date(2026, 3, 8), ZoneInfo("America/Chicago")).duration_s // 900
    92
    >>> local_day(date(2026, 11, 1), ZoneInfo("America/Chicago")).duration_s // 900
    100
    """
    return Period(local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone))


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """Return the local calendar day that holds the instant."""
    return require_utc(instant).astimezone(zone).date()


def local_days(first: date, last: date) -> Iterator[date]:
    """Yield each calendar day from first to last, both included."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)
