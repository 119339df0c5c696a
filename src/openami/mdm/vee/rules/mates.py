"""Rules that compare a meter with its mates: those on the same transformer share a voltage, and so a time.

The substation's changes and the mates' loads reach all meters of a transformer at once. Where one meter's voltage
follows that of the others some intervals late, its clock is wrong, whatever its energy looks like.

Source: correlation of voltage changes finds the transformer of a meter in 95 to 100 % of cases (research note on VEE,
5); the use for clocks is our own derivation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import Bound, ChannelGroup, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView

F32 = npt.NDArray[np.float32]
MAX_LAG = 8
"""Two hours of quarter-hours: daylight saving is one, a wrong zone often one or two."""
_LEAST_MATES = 2


def _changes(view: DayView) -> F32:
    """(S, n - 1) changes of voltage from one interval to the next; 0 where either was not read or had no supply."""
    values = view.values.astype(np.float32)
    change = values[:, 1:] - values[:, :-1]
    # Whole days are the rule; only others are masked.
    holed = np.flatnonzero(view.values.min(axis=1) <= 0)
    if len(holed):
        read = view.values[holed] > 0
        change[holed] *= read[:, 1:] & read[:, :-1]
    return change


def _mates(change: F32, neighborhood: I64) -> tuple[F32, BOOLS]:
    """Return the sum of the changes of each series' mates, itself left out, and which series has at least two."""
    known = neighborhood >= 0
    _, group = np.unique(neighborhood, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], np.arange(group.max() + 1))
    # Sorted places (the rule) need no copy.
    sorted_change = change if (order[1:] > order[:-1]).all() else change[order]
    total = np.add.reduceat(sorted_change, first, axis=0)
    count = np.bincount(group)
    return total[group] - change, np.asarray(known & (count[group] >= _LEAST_MATES + 1))


def _correlation(mine: F32, theirs: F32, lag: int) -> F32:
    """(k,) correlation of my change with theirs ``lag`` intervals before."""
    n = mine.shape[1]
    a = mine[:, max(lag, 0) : n + min(lag, 0)]
    b = theirs[:, max(-lag, 0) : n - max(lag, 0)]
    norm = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    return np.asarray(np.einsum("ij,ij->i", a, b) / np.maximum(norm, 1e-6), dtype=np.float32)


def _clock(view: DayView, t: Thresholds) -> Iterator[Spot]:
    neighborhood = view.seen.around.places.neighborhood
    if neighborhood is None or view.hi - view.lo < 4 * MAX_LAG:
        return
    change = _changes(view)
    theirs, has_mates = _mates(change, neighborhood)
    now = _correlation(change, theirs, 0)
    rows = where(view.wanted & has_mates & (now < t["follows"]))
    if not rows:
        return
    lags = [lag for lag in range(-MAX_LAG, MAX_LAG + 1) if lag]
    found = np.stack([_correlation(change[rows], theirs[rows], lag) for lag in lags])
    best = found.argmax(axis=0)
    for k, row in enumerate(rows):
        late, peak = lags[int(best[k])], float(found[best[k], k])
        if peak >= t["match"] and peak - float(now[row]) >= t["margin"]:
            evidence: Evidence = {
                "shift_s": late * view.seen.grid.interval_s,
                "match": round(peak, 3),
                "now": round(float(now[row]), 3),
            }
            yield Spot(row, view.lo, view.hi, evidence)


RULES = (
    Rule(
        "clock_shift",
        "The meter's voltage follows that of its mates some intervals late or early: its clock is wrong.",
        frozenset({ChannelGroup.VOLTAGE}),
        each_day(_clock),
        {
            "follows": Bound("correlation with the mates at the same time from which nothing is asked", 0, 1),
            "match": Bound("least correlation with the mates at another time", 0.1, 1),
            "margin": Bound("by which it beats the correlation at the same time", 0, 2),
        },
    ),
)
