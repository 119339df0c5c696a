"""The clock object: time in UTC, the zone and its daylight saving as data, and the ways to set it.

Source: IEC 62056-6-2, 4.5.1 (clock); wildcards of a date-time 4.1.6.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from openami.kernel.time import EPOCH, QUARTER_HOUR_S
from openami.meter.objects.model import READERS, Attribute, Call, CosemObject, Method, Writing, cosem_object
from openami.meter.objects.shapes import EARLIEST, LATEST, Moment, integer_of, moment
from openami.meter.objects.values import boolean, enum, i8, i16, no_time
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, Tag, octet_string, u8
from openami.protocol.cosem.datetime import (
    STATUS_INVALID,
    UNSPECIFIED_DEVIATION,
    CosemDateTime,
    date_time_from_utc,
)
from openami.protocol.cosem.reference import ActionResult

CLOCK_INSTANCE = "0.0.1.0.0.255"
MAX_SHIFT_S = 900
_LAST_OF_MONTH = 0xFE
_CRYSTAL = 1
_PRESET_LIFE = timedelta(days=1)
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Clock:
    """What the clock object needs.

    Args:
        zone: zone of the service point.
        shows: gives what the clock shows, UTC.
        is_valid: whether the meter trusts it.
        set_to: sets it; the meter logs that itself.
    """

    zone: ZoneInfo
    shows: Callable[[], datetime]
    is_valid: Callable[[], bool]
    set_to: Callable[[datetime], None]


def clock_object(clock: Clock) -> CosemObject:
    """Return the clock (class 8)."""
    preset = _Preset(clock)
    writing = Writing(Moment(clock.zone), lambda data: clock.set_to(moment(data, clock.zone)))
    minute, quarter = timedelta(minutes=1), timedelta(seconds=QUARTER_HOUR_S)
    return cosem_object(
        8, 0, CLOCK_INSTANCE,
        [
            Attribute(2, lambda: _time(clock), READERS, writing),
            Attribute(3, lambda: i16(_standard_deviation(clock)), READERS),
            Attribute(4, lambda: u8(0 if clock.is_valid() else STATUS_INVALID), READERS),
            Attribute(5, lambda: _change(clock, into=True), READERS),
            Attribute(6, lambda: _change(clock, into=False), READERS),
            Attribute(7, lambda: i8(_daylight_minutes(clock)), READERS),
            Attribute(8, lambda: boolean(_daylight_minutes(clock) != 0), READERS),
            Attribute(9, lambda: enum(_CRYSTAL), READERS),
        ],
        [
            Method(1, _to_nearest(clock, quarter)),
            Method(2, _to_nearest(clock, quarter)),
            Method(3, _to_nearest(clock, minute)),
            Method(4, preset.adjust),
            Method(5, preset.take),
            Method(6, lambda parameter: _shift(clock, parameter)),
        ],
    )  # fmt: skip


def _time(clock: Clock) -> Data:
    status = 0 if clock.is_valid() else STATUS_INVALID
    return octet_string(date_time_from_utc(clock.shows(), status=status).encode())


def _to_nearest(clock: Clock, step: timedelta) -> Call:
    def call(_parameter: Data | None) -> Data | None:
        clock.set_to(EPOCH + round((clock.shows() - EPOCH) / step) * step)
        return None

    return call


def _shift(clock: Clock, parameter: Data | None) -> Data | None:
    if parameter is None or parameter.tag is not Tag.LONG or not -MAX_SHIFT_S <= integer_of(parameter) <= MAX_SHIFT_S:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    clock.set_to(clock.shows() + timedelta(seconds=integer_of(parameter)))
    return None


class _Preset:
    """A time given ahead, which the clock takes when it is told to within a window."""

    __slots__ = ("_clock", "_kept")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: tuple[datetime, datetime, datetime] | None = None

    def take(self, parameter: Data | None) -> Data | None:
        members = parameter.elements if parameter is not None and parameter.tag is Tag.STRUCTURE else ()
        try:
            preset, start, end = (moment(m, self._clock.zone) for m in members)
        except (AccessRefusedError, ValueError):
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED) from None
        if not (EARLIEST <= preset < LATEST and start < end <= start + _PRESET_LIFE):
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        self._kept = (preset, start, end)
        return None

    def adjust(self, _parameter: Data | None) -> Data | None:
        kept, self._kept = self._kept, None
        if kept is None or not kept[1] <= self._clock.shows() < kept[2]:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        self._clock.set_to(kept[0])
        return None


def _daylight_minutes(clock: Clock) -> int:
    year = clock.shows().year
    saving = [datetime(year, month, 1, tzinfo=clock.zone).dst() or _NOTHING for month in (1, 7)]
    return int(max(saving) / timedelta(minutes=1))


def _standard_deviation(clock: Clock) -> int:
    """UTC minus local standard time, in minutes, the sign of a date-time's deviation."""
    local = clock.shows().astimezone(clock.zone)
    standard = (local.utcoffset() or _NOTHING) - (local.dst() or _NOTHING)
    return -int(standard / timedelta(minutes=1))


def _change(clock: Clock, *, into: bool) -> Data:
    octets = _changes(clock.zone, clock.shows().year)[0 if into else 1]
    return octet_string(octets) if octets else no_time()


@lru_cache(maxsize=8)
def _changes(zone: ZoneInfo, year: int) -> tuple[bytes | None, bytes | None]:
    """Return when daylight saving begins and ends every year, as rules of weekday and month with wildcards."""
    begins = ends = None
    instant = datetime(year, 1, 1, tzinfo=UTC)
    before = instant.astimezone(zone).utcoffset() or _NOTHING
    while instant.year == year:
        instant += timedelta(hours=1)
        after = instant.astimezone(zone).utcoffset() or _NOTHING
        if after > before:
            begins = _rule((instant + before).replace(tzinfo=None))
        elif after < before:
            ends = _rule((instant + before).replace(tzinfo=None))
        before = after
    return begins, ends


def _rule(local: datetime) -> bytes:
    is_last = (local + timedelta(days=7)).month != local.month
    # "The first Sunday on or after the eighth" is how the second one is said.
    day = _LAST_OF_MONTH if is_last else (local.day - 1) // 7 * 7 + 1
    return CosemDateTime(
        0xFFFF, local.month, day, local.isoweekday(), local.hour, local.minute, 0, 0, UNSPECIFIED_DEVIATION, 0xFF
    ).encode()
