"""Which interval length a place's day has, where meters of different lengths followed each other. Pure.

A day has one length. On the day of an exchange it is the least common multiple of both meters' lengths, so that the
readings of each fill whole intervals of the day and none is split by a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from math import lcm
from zoneinfo import ZoneInfo

from openami.kernel.time import local_date, local_days
from openami.mdm.registry.records import InstalledMeter

_TICK = timedelta(microseconds=1)


def spans_by_length(
    installed: Sequence[InstalledMeter], zone: ZoneInfo, first: date, last: date
) -> Iterator[tuple[int, date, date]]:
    """Yield (interval length [s], first day, last day) of runs of days of one place, both days included.

    Args:
        installed: all installations of the place that touch the days.
        zone: of the place.
        first: day, included.
        last: likewise.
    """
    if last < first:
        return
    lengths = {one.meter.interval_s for one in installed}
    if len(lengths) == 1:
        yield lengths.pop(), first, last
        return
    hung = [_days(one, zone, first, last) for one in installed]
    begun: tuple[int, date] | None = None
    for day in local_days(first, last):
        there = [i.meter.interval_s for i, (a, b) in zip(installed, hung, strict=True) if a <= day <= b]
        length = lcm(*there) if there else 0
        if begun is not None and begun[0] != length:
            yield begun[0], begun[1], day - timedelta(days=1)
            begun = None
        if begun is None and length:
            begun = length, day
    if begun is not None:
        yield begun[0], begun[1], last


def _days(one: InstalledMeter, zone: ZoneInfo, first: date, last: date) -> tuple[date, date]:
    start, end = one.installation.start, one.installation.end
    since = max(first, local_date(start, zone))
    return since, last if end is None else local_date(end - _TICK, zone)


def fits(one: InstalledMeter, interval_s: int) -> bool:
    """Tell whether the meter's readings fill whole intervals of a length [s]."""
    return interval_s % one.meter.interval_s == 0
