"""Peaks of a fleet: the highest mean power of any window of actual intervals, by demand period, and what lacks some."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from openami.billing.rating.demand import LeftOut, Peak, left_out_ranges
from openami.billing.rating.errors import UsageError
from openami.billing.rating.fleet.matrix import Flags, UsageMatrix
from openami.billing.rating.fleet.runs import highest_of_groups
from openami.billing.rating.fleet.window_index import WindowIndex
from openami.billing.rating.usage import I64
from openami.billing.tariff.demand import CoincidentRule

NO_PEAK = -1
MAX_W = 2**48
"""Power and the window's number share an integer; no service point has 281 TW."""


@dataclass(frozen=True, slots=True, eq=False)
class PeakColumns:
    """The peaks of one demand charge.

    Args:
        index: its windows.
        watts: by demand period (n,); ``NO_PEAK`` where no window is complete.
        start_s: by demand period, where each peak's window starts [s] (n,).
        lacking: (n, w) windows that lack actual intervals; None where none does.
        guessed: (n, w) windows with an estimate; None where none is.
    """

    index: WindowIndex
    watts: dict[int, I64]
    start_s: dict[int, I64]
    lacking: Flags | None
    guessed: Flags | None

    def of_row(self, row: int) -> dict[tuple[int, int, int], Peak]:
        """Return one service point's peaks."""
        return {
            (self.index.version, self.index.charge, period): Peak(int(watts[row]), int(self.start_s[period][row]))
            for period, watts in self.watts.items()
            if watts[row] != NO_PEAK
        }

    def left_out(self, row: int) -> list[LeftOut]:
        """Return the windows of one service point that set no peak, joined where they touch."""
        if self.lacking is None or not self.lacking[row].any():
            return []
        index = self.index
        none = np.zeros(len(index.heads), np.bool_)
        guessed = none if self.guessed is None else self.guessed[row]
        windows = replace(index.windows, is_complete=~self.lacking[row], has_estimate=guessed)
        return [
            one
            for period in np.unique(index.windows.period).tolist()
            for one in left_out_ranges(
                windows,
                np.flatnonzero((index.windows.period == period) & self.lacking[row]),
                (index.version, index.charge, period),
            )
        ]


def peak_columns(index: WindowIndex, usage: UsageMatrix, first: int) -> PeakColumns:
    """Return the peaks of one demand charge in one bill.

    Args:
        index: the charge's windows.
        usage: every row's intervals.
        first: column of the bill's first interval.

    Raises:
        UsageError: a window holds more than ``MAX_W``.
    """
    minutes = index.windows.minutes
    watts = (_windows(index, usage.wh, first) * 120 + minutes) // (2 * minutes)
    if watts.size and int(watts.max()) > MAX_W:
        raise UsageError(f"a window of more than {MAX_W} W cannot be billed")
    lacking, guessed = _lacking(index, usage, first)
    if index.rule is CoincidentRule.MEAN:
        found = {p: _mean(index, p, watts, lacking) for p in np.unique(index.windows.period).tolist()}
    else:
        found = _highest(index, watts, lacking)
    return PeakColumns(
        index, {p: w for p, (w, _) in found.items()}, {p: s for p, (_, s) in found.items()}, lacking, guessed
    )


def _highest(index: WindowIndex, watts: I64, lacking: Flags | None) -> dict[int, tuple[I64, I64]]:
    # The highest of power times windows plus rank is the highest power, and among equals the earliest window.
    count = len(index.heads)
    ranked = watts * count + np.arange(count - 1, -1, -1)
    if lacking is not None:
        ranked[lacking] = NO_PEAK
    highest = highest_of_groups(index.periods, ranked)
    starts = index.windows.start_s
    return {
        period: (highest[:, place] // count, starts[count - 1 - highest[:, place] % count])
        for place, period in enumerate(index.periods.group.tolist())
    }


def _mean(index: WindowIndex, period: int, watts: I64, lacking: Flags | None) -> tuple[I64, I64]:
    """Return the mean power of the complete windows in which the system peaked, rounded half up."""
    mine = np.flatnonzero(index.windows.period == period)
    sure = np.ones((len(watts), len(mine)), np.bool_) if lacking is None else ~lacking[:, mine]
    count = sure.sum(axis=1)
    total = (watts[:, mine] * sure).sum(axis=1)
    mean = (2 * total + count) // np.maximum(2 * count, 1)
    return np.where(count > 0, mean, NO_PEAK), index.windows.start_s[mine[np.argmax(sure, axis=1)]]


def _lacking(index: WindowIndex, usage: UsageMatrix, first: int) -> tuple[Flags | None, Flags | None]:
    """Return which windows lack an actual interval and which hold an estimate; None where no window does."""
    whole = len(index.slots) == index.intervals
    if whole and usage.absent is None and usage.estimated is None:
        return None, None
    rows, columns = len(usage.wh), slice(first, first + len(index.slots))
    absent = np.ones((rows, index.intervals), np.bool_)
    absent[:, index.slots] = False if usage.absent is None else usage.absent[:, columns]
    guessed = np.zeros((rows, index.intervals), np.bool_)
    if usage.estimated is not None:
        guessed[:, index.slots] = usage.estimated[:, columns]
    bad = _any(index, absent | guessed)
    return bad, _any(index, guessed)


def _any(index: WindowIndex, flags: Flags) -> Flags:
    found = flags[:, index.heads]
    for place in range(1, index.length):
        found |= flags[:, index.heads + place]
    return found


def _windows(index: WindowIndex, wh: I64, first: int) -> I64:
    """Sum intervals by window: (n, w) Wh."""
    mine = wh[:, first : first + len(index.slots)]
    if len(index.slots) < index.intervals:
        laid = np.zeros((len(wh), index.intervals), np.int64)
        laid[:, index.slots] = mine
        mine = laid
    step = index.length
    if len(index.heads) * step == index.intervals and bool((np.diff(index.heads) == step).all()):
        # Whole windows lie side by side: adding every first, second ... interval beats summing rows of two or four.
        found = mine[:, ::step].copy()
        for place in range(1, step):
            found += mine[:, place::step]
        return found
    found = mine[:, index.heads]
    for place in range(1, step):
        found += mine[:, index.heads + place]
    return found
