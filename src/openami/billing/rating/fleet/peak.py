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
MAX_WH = 2**48
"""A window's energy times 120 stays in 64 bits; no service point has 281 TWh in one."""


@dataclass(frozen=True, slots=True, eq=False)
class PeakColumns:
    """The peaks of one demand charge.

    Args:
        index: its windows.
        watts: by demand period (n,); ``NO_PEAK`` where no window is complete.
        usage, first: the intervals, and the column of the bill's first: where a peak is, is looked up when asked for.
        lacking: (n, w) windows that lack actual intervals; None where none does.
        guessed: (n, w) windows with an estimate; None where none is.
    """

    index: WindowIndex
    watts: dict[int, I64]
    usage: UsageMatrix
    first: int
    lacking: Flags | None
    guessed: Flags | None

    def of_row(self, row: int) -> dict[tuple[int, int, int], Peak]:
        """Return one service point's peaks, each with its earliest window."""
        found = {}
        energy = _windows(self.index, self.usage.wh[row : row + 1], self.first)[0]
        for period, watts in self.watts.items():
            if watts[row] == NO_PEAK:
                continue
            mine = self.index.windows.period == period
            if self.lacking is not None:
                mine = mine & ~self.lacking[row]
            sure = np.flatnonzero(mine)
            # A mean of several peaks of the system is dated by the first of them.
            best = 0 if self.index.rule is CoincidentRule.MEAN else int(np.argmax(_watts(self.index, energy[sure])))
            key = self.index.version, self.index.charge, period
            found[key] = Peak(int(watts[row]), int(self.index.windows.start_s[sure[best]]))
        return found

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
        UsageError: a window holds more than ``MAX_WH``.
    """
    energy = _windows(index, usage.wh, first)
    lacking, guessed = _lacking(index, usage, first)
    if index.rule is CoincidentRule.MEAN:
        watts = {p: _mean(index, p, energy, lacking) for p in np.unique(index.windows.period).tolist()}
    else:
        watts = _highest(index, energy if lacking is None else np.where(lacking, NO_PEAK, energy))
    return PeakColumns(index, watts, usage, first, lacking, guessed)


def _highest(index: WindowIndex, energy: I64) -> dict[int, I64]:
    """Return the highest power by demand period: more energy in a window is never less power."""
    highest = highest_of_groups(index.periods, energy)
    if highest.size and int(highest.max()) > MAX_WH:
        raise UsageError(f"a window of more than {MAX_WH} Wh cannot be billed")
    return {
        period: np.where(highest[:, place] == NO_PEAK, NO_PEAK, _watts(index, highest[:, place]))
        for place, period in enumerate(index.periods.group.tolist())
    }


def _watts(index: WindowIndex, wh: I64) -> I64:
    """Return the mean power of windows [W], rounded half up."""
    minutes = index.windows.minutes
    return (wh * 120 + minutes) // (2 * minutes)


def _mean(index: WindowIndex, period: int, energy: I64, lacking: Flags | None) -> I64:
    """Return the mean power of the complete windows in which the system peaked, rounded half up."""
    mine = np.flatnonzero(index.windows.period == period)
    sure = np.ones((len(energy), len(mine)), np.bool_) if lacking is None else ~lacking[:, mine]
    count = sure.sum(axis=1)
    total = (_watts(index, energy[:, mine]) * sure).sum(axis=1)
    mean = (2 * total + count) // np.maximum(2 * count, 1)
    return np.where(count > 0, mean, NO_PEAK)


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
        if step == 1:
            return mine
        found = mine[:, ::step] + mine[:, 1::step]
        for place in range(2, step):
            found += mine[:, place::step]
        return found
    found = mine[:, index.heads]
    for place in range(1, step):
        found += mine[:, index.heads + place]
    return found
