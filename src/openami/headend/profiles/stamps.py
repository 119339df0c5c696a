"""COSEM date-times in columns: a meter stamps on the quarter-hour, so a batch holds few days and many equal clocks.

Clocks in plain UTC (deviation 0, no hundredths) are read by arithmetic; any other once for each distinct value by the
protocol's own reader, so that both say the same.

Source: IEC 62056-6-2, 4.1.6.1 (date_time).
"""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.headend.profiles.interpret import ruled
from openami.headend.profiles.model import ClockRule, DeviationRule
from openami.kernel.time import EPOCH, epoch_s
from openami.protocol.cosem import decode_date_time
from openami.protocol.errors import PeerError

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CLOCK_OCTETS = 12
NO_STAMP = np.iinfo(np.int64).min
"""In place of an instant: the clock names none."""
_DEVIATION = 0x00FF_FF00
_HOUR = 0x00FF_0000
_EPOCH_DAY = EPOCH.date().toordinal()


def read_stamps(clocks: U8, zone: ZoneInfo | None, rule: ClockRule) -> I64:
    """Return the instants of clocks.

    Args:
        clocks: (..., 12) contiguous octets of COSEM date-times.
        zone: of a clock without deviation.
        rule: how this model fills its date-times.

    Returns:
        (...) seconds since the epoch; :data:`NO_STAMP` where the generic reader refuses the clock.
    """
    words = clocks.view(">u4").astype(np.uint32)
    day, time, tail = words[..., 0], words[..., 1], words[..., 2]
    hour, minute, second = time >> 16 & 0xFF, time >> 8 & 0xFF, time & 0xFF
    hundredths = tail >> 24
    plain = (tail & _DEVIATION == 0) & ((hundredths == 0) | (hundredths == 0xFF))
    if rule.deviation is DeviationRule.IGNORED:
        plain[...] = False
    plain &= (hour < 24) & (minute < 60) & (second < 60)
    days = _days(day)
    plain &= days != NO_STAMP
    stamps: I64 = np.where(plain, days * 86_400 + (hour * 3_600 + minute * 60 + second), NO_STAMP)
    odd = np.nonzero(~plain)
    if len(odd[0]):
        stamps[odd] = _read_each(clocks[odd], zone, rule)
    return stamps


def _days(day: U32) -> I64:
    """Return days since the epoch of ``year << 16 | month << 8 | day``."""
    if not day.size or day.min() == day.max():
        return np.full(day.shape, _day_number(int(day.flat[0])) if day.size else 0, np.int64)
    distinct, inverse = np.unique(day, return_inverse=True)
    return np.array([_day_number(d) for d in distinct.tolist()], np.int64)[inverse].reshape(day.shape)


def _day_number(day: int) -> int:
    try:
        return date(day >> 16, day >> 8 & 0xFF, day & 0xFF).toordinal() - _EPOCH_DAY
    except ValueError:
        return NO_STAMP


def _read_each(clocks: U8, zone: ZoneInfo | None, rule: ClockRule) -> list[int]:
    known: dict[bytes, int] = {}
    stamps = []
    for clock in np.ascontiguousarray(clocks).view(f"V{CLOCK_OCTETS}").reshape(-1).tolist():
        stamp = known.get(clock)
        if stamp is None:
            stamp = known[clock] = _read_one(clock, zone, rule)
        stamps.append(stamp)
    return stamps


def _read_one(clock: bytes, zone: ZoneInfo | None, rule: ClockRule) -> int:
    try:
        return epoch_s(ruled(decode_date_time(clock), rule).to_utc(zone))
    except PeerError:
        return NO_STAMP
