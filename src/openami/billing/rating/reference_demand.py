"""Demand windows by hand, for the engine that reads like the rate sheet: one window at a time, in local wall time.

It shares no window code with :mod:`openami.billing.rating.window`; a property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from openami.billing.rating.demand import DemandKey, FoundDemand, LeftOut, Peak, system_peaks
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.rating.window import window_minutes
from openami.billing.tariff.demand import CoincidentRule, WindowAlignment
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import instant_from_epoch_s

Lookup = Callable[[datetime, int], tuple[int, int]]
"""From a wall time and a demand charge to the price version and the demand period."""


@dataclass(frozen=True, slots=True)
class _Slot:
    second: int
    wall: datetime
    wh: int | None
    is_estimated: bool


def demand_by_hand(
    schedule: RateSchedule,
    usage: Usage,
    span: BillSpan,
    zone: ZoneInfo,
    version_of: Callable[[date], int],
    price_of: Lookup,
    coincident: Sequence[datetime] = (),
) -> FoundDemand:
    """Return a bill's peaks and what was left out, window by window.

    Raises:
        TariffError: as :func:`~openami.billing.rating.demand.demand_of`.
    """
    peaks: dict[DemandKey, list[Peak]] = {}
    counts: dict[DemandKey, int] = {}
    left_out: list[LeftOut] = []
    days = [date.fromordinal(o) for o in range(span.first.toordinal(), span.end.toordinal())]
    versions = sorted({version_of(d) for d in days})
    instants = system_peaks(schedule, versions, span, zone, coincident).tolist()
    slots = _slots(usage, span, zone)
    for version in versions:
        for charge, priced in enumerate(schedule.versions[version].demand):
            minutes = window_minutes(schedule, charge, version, usage.interval_s)
            length = minutes * 60 // usage.interval_s
            is_clock = priced.alignment is WindowAlignment.CLOCK
            windows = _on_the_clock(slots, minutes) if is_clock else _rolling(slots, length)
            kept = [w for w in windows if len(w) == length and version_of(w[0].wall.date()) == version]
            keyed = [(w, {_key(version_of, price_of, s.wall, charge, version) for s in w}) for w in kept]
            if is_clock and any(len(keys) > 1 for _, keys in keyed):
                raise TariffError(f"{schedule.code}.{priced.name}.window", "a window crosses a demand period's edge")
            whole = [(w, keys.pop()) for w, keys in keyed if len(keys) == 1]
            if priced.coincident is not None:
                heads = {_holding(whole, i, minutes * 60) for i in instants}
                whole = [pair for n, pair in enumerate(whole) if n in heads]
            for window, (_, period) in whole:
                key = (version, charge, period)
                counts[key] = counts.get(key, 0) + 1
                if any(s.wh is None or s.is_estimated for s in window):
                    left_out.append(_out(key, window, minutes * 60))
                    continue
                energy = sum(s.wh or 0 for s in window)
                watts = (energy * 120 + minutes) // (2 * minutes)
                peaks.setdefault(key, []).append(Peak(watts, window[0].second))
    return FoundDemand(
        {k: _peak(p, schedule.versions[k[0]].demand[k[1]].coincident) for k, p in peaks.items()},
        counts,
        tuple(_joined(sorted(left_out))),
    )


def _slots(usage: Usage, span: BillSpan, zone: ZoneInfo) -> list[_Slot]:
    """Every interval that the days have, with its energy or None; the usage says where in a minute they begin."""
    period = span.period(zone)
    inside = [i for i, s in enumerate(usage.start_s.tolist()) if period.start_s <= s < period.end_s]
    starts = usage.start_s.tolist()
    second = period.start_s + ((starts[inside[0]] - period.start_s) % usage.interval_s if inside else 0)
    by_slot = {(starts[i] - second) // usage.interval_s: i for i in inside}
    found: list[_Slot] = []
    while second < period.end_s:
        row = by_slot.get(len(found))
        guessed = row is not None and usage.estimated is not None and bool(usage.estimated[row])
        wall = instant_from_epoch_s(second).astimezone(zone)
        found.append(_Slot(second, wall, None if row is None else int(usage.wh[row]), guessed))
        second += usage.interval_s
    return found


def _on_the_clock(slots: list[_Slot], minutes: int) -> list[list[_Slot]]:
    found: dict[tuple[object, ...], list[_Slot]] = {}
    for slot in slots:
        minute = (slot.wall.hour * 60 + slot.wall.minute) // minutes
        found.setdefault((slot.wall.date(), minute, slot.wall.utcoffset()), []).append(slot)
    return list(found.values())


def _rolling(slots: list[_Slot], length: int) -> list[list[_Slot]]:
    return [slots[i : i + length] for i in range(len(slots) - length + 1)]


def _key(
    version_of: Callable[[date], int], price_of: Lookup, wall: datetime, charge: int, version: int
) -> tuple[int, int]:
    found = version_of(wall.date())
    return price_of(wall, charge) if found == version else (found, -1)


def _holding(whole: list[tuple[list[_Slot], tuple[int, int]]], instant: int, length_s: int) -> int:
    """Return which window holds an instant: of several, the last that begins by then; -1 for none."""
    holding = [n for n, (w, _) in enumerate(whole) if w[0].second <= instant < w[0].second + length_s]
    return holding[-1] if holding else -1


def _peak(found: list[Peak], rule: CoincidentRule | None) -> Peak:
    if rule is CoincidentRule.MEAN:
        return Peak((2 * sum(p.watts for p in found) + len(found)) // (2 * len(found)), found[0].start_s)
    return max(found, key=lambda p: (p.watts, -p.start_s))


def _out(key: DemandKey, window: list[_Slot], length_s: int) -> LeftOut:
    guessed = any(s.is_estimated for s in window)
    return LeftOut(*key, window[0].second, window[0].second + length_s, 1, guessed)


def _joined(rows: list[LeftOut]) -> list[LeftOut]:
    found: list[LeftOut] = []
    for row in rows:
        last = found[-1] if found else None
        same = last is not None and (last.version, last.charge, last.period, last.is_estimated) == (
            row.version, row.charge, row.period, row.is_estimated
        )  # fmt: skip
        if last is not None and same and row.start_s <= last.end_s:
            found[-1] = LeftOut(
                row.version, row.charge, row.period, last.start_s, row.end_s, last.windows + 1, row.is_estimated
            )
        else:
            found.append(row)
    return found
