"""The twelve octets of a COSEM date-time.

Year u16, month, day of month, day of week, hour, minute, second, hundredths, deviation i16 [minutes], clock status.
UTC is local time plus deviation: -120 means two hours ahead of UTC. 0x8000 is an unspecified deviation; then a named
zone must help, and bit 7 of the status tells which of the two passes of an ambiguous hour is meant.
Source: IEC 62056-6-2, 4.1.6.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from openami.kernel.time import require_utc
from openami.protocol.errors import PeerError, UsageError

DATE_TIME_OCTETS = 12
UNSPECIFIED_DEVIATION = -0x8000
UNSPECIFIED = 0xFF
STATUS_DAYLIGHT_SAVING = 0x80
STATUS_INVALID = 0x01
MAX_DEVIATION_MINUTES = 840
_LAYOUT = struct.Struct(">HBBBBBBBhB")


@dataclass(frozen=True, slots=True)
class CosemDateTime:
    """A date-time as sent; wildcards (0xFF, 0xFFFF, and 0xFD or 0xFE for days and months) are kept as sent.

    Args:
        year: 1 to 9999, or 0xFFFF.
        month: 1 to 12, or a wildcard.
        day: day of month.
        weekday: 1 Monday to 7 Sunday, or 0xFF.
        hour: 0 to 23, or 0xFF.
        minute: 0 to 59, or 0xFF.
        second: 0 to 59, or 0xFF.
        hundredths: 0 to 99 [0.01 s], or 0xFF.
        deviation_minutes: UTC minus local time, or :data:`UNSPECIFIED_DEVIATION`.
        status: clock status bits; 0xFF where unspecified.
    """

    year: int
    month: int
    day: int
    weekday: int
    hour: int
    minute: int
    second: int
    hundredths: int
    deviation_minutes: int
    status: int

    def encode(self) -> bytes:
        """Return the twelve octets.

        Raises:
            UsageError: a field that does not fit.
        """
        try:
            return _LAYOUT.pack(
                self.year,
                self.month,
                self.day,
                self.weekday,
                self.hour,
                self.minute,
                self.second,
                self.hundredths,
                self.deviation_minutes,
                self.status,
            )
        except struct.error as error:
            raise UsageError("a date-time field does not fit its octets") from error

    @property
    def has_deviation(self) -> bool:
        """Whether the date-time says by itself which instant it is."""
        return self.deviation_minutes != UNSPECIFIED_DEVIATION

    @property
    def is_daylight_saving(self) -> bool:
        """Whether the clock says that daylight saving is active; False where the status is unspecified."""
        return self.status != UNSPECIFIED and bool(self.status & STATUS_DAYLIGHT_SAVING)

    @property
    def is_clock_invalid(self) -> bool:
        """Whether the clock says that it cannot be trusted."""
        return self.status != UNSPECIFIED and bool(self.status & STATUS_INVALID)

    def local(self, *, offset: int = 0) -> datetime:
        """Return the wall-clock time as sent, without a zone; an unspecified second or hundredth is zero.

        Args:
            offset: where the date-time stood, for the error.

        Raises:
            PeerError: a wildcard where a date or time is needed, or a day that does not exist.
        """
        hundredths = 0 if self.hundredths == UNSPECIFIED else self.hundredths
        second = 0 if self.second == UNSPECIFIED else self.second
        if hundredths > 99:
            raise PeerError("bad_date_time", f"{hundredths} hundredths of a second", offset)
        try:
            return datetime(  # noqa: DTZ001 - wall-clock time by intent; to_utc gives the instant
                self.year, self.month, self.day, self.hour, self.minute, second, hundredths * 10_000
            )
        except ValueError:
            raise PeerError("bad_date_time", "a date-time that names no moment", offset) from None

    def to_utc(self, zone: ZoneInfo | None = None, *, offset: int = 0) -> datetime:
        """Return the instant.

        Args:
            zone: the meter's zone, used only where the deviation is unspecified.
            offset: where the date-time stood, for the error.

        Raises:
            PeerError: no moment, a deviation out of range, or no deviation and no zone.
        """
        local = self.local(offset=offset)
        try:
            if self.has_deviation:
                if abs(self.deviation_minutes) > MAX_DEVIATION_MINUTES:
                    raise PeerError("bad_date_time", f"a deviation of {self.deviation_minutes} minutes", offset)
                return (local + timedelta(minutes=self.deviation_minutes)).replace(tzinfo=UTC)
            if zone is None:
                raise PeerError("no_zone", "a date-time without deviation needs the meter's zone", offset)
            # fold=0 is the first pass of an ambiguous hour, the one with daylight saving.
            fold = 0 if self.is_daylight_saving else 1
            return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        except OverflowError:
            raise PeerError("bad_date_time", "a date-time at the edge of the calendar", offset) from None


def decode_date_time(octets: bytes, *, offset: int = 0) -> CosemDateTime:
    """Read twelve octets as they are; whether they name a moment is asked later.

    Raises:
        PeerError: not twelve octets.
    """
    if len(octets) != DATE_TIME_OCTETS:
        raise PeerError("bad_date_time", f"a date-time of {len(octets)} octets, expected {DATE_TIME_OCTETS}", offset)
    return CosemDateTime(*_LAYOUT.unpack(octets))


def date_time_from_utc(instant: datetime, *, deviation_minutes: int = 0, status: int = 0) -> CosemDateTime:
    """Return the date-time of an instant, to the hundredth of a second, with the deviation stated.

    >>> from datetime import UTC
    >>> date_time_from_utc(datetime(2026, 3, 1, 12, tzinfo=UTC), deviation_minutes=360).encode().hex()
    '07ea03010706000000016800'
    """
    local = require_utc(instant) - timedelta(minutes=deviation_minutes)
    return CosemDateTime(
        local.year,
        local.month,
        local.day,
        local.isoweekday(),
        local.hour,
        local.minute,
        local.second,
        local.microsecond // 10_000,
        deviation_minutes,
        status,
    )
