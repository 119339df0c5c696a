"""Rules about time: day and month swapped, a clock that went wrong by an hour, estimation that lasts.

Source: research on utility practice (clock one hour off since daylight saving); Oracle Utilities MDM (Prolonged
Estimation Check); our own, for files whose dates were read the other way around.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.kernel.time import local_midnight
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import (
    ALL,
    MEASURED_ENERGY,
    Bound,
    ChannelGroup,
    Evidence,
    Rule,
    Spot,
    Thresholds,
    each_day,
    where,
)
from openami.mdm.vee.rules.seen import DayView, Seen

F64 = npt.NDArray[np.float64]
_LAST_MONTH = 12


def _other_reading(day: date) -> date | None:
    """Return the day with day and month read the other way around; None where that is no other day.

    >>> _other_reading(date(2026, 3, 5)), _other_reading(date(2026, 3, 13))
    (datetime.date(2026, 5, 3), None)
    """
    if day.day > _LAST_MONTH or day.day == day.month:
        return None
    return date(day.year, day.day, day.month)


def _date_swapped(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    """State a day without any reading whose readings stand on the day that its swapped date names."""
    grid = seen.grid
    at = grid.day_at
    pairs = [(d, grid.index_of(o)) for d in range(grid.days) if (o := _other_reading(grid.day(d))) is not None]
    pairs = [(d, o) for d, o in pairs if 0 <= o < grid.days and wanted[:, d].any()]
    if not pairs:
        return
    count = np.add.reduceat(seen.matrix.present, at[:-1], axis=1, dtype=np.int64)
    differ = np.add.reduceat(seen.matrix.conflicting, at[:-1], axis=1, dtype=np.int64)
    length = np.diff(at)
    for day, other in pairs:
        # The swapped day holds two days of readings, or stands alone among days without any.
        alone = count[:, other] >= t["share"] * length[other]
        for beside in (other - 1, other + 1):
            alone &= count[:, beside] == 0 if 0 <= beside < grid.days else True
        there = (differ[:, other] >= t["share"] * length[other]) | alone
        for row in where(wanted[:, day] & (count[:, day] == 0) & there):
            evidence: Evidence = {"found_on": grid.day(other).isoformat(), "readings": int(count[row, other])}
            yield Spot(row, int(at[day]), int(at[day + 1]), evidence)


def _prolonged(view: DayView, t: Thresholds) -> Iterator[Spot]:
    states = np.concatenate([view.past.state, view.today.state], axis=1)
    days = int(t["days"])
    if states.shape[1] < days:
        return
    guessed = np.isin(states, (QualityState.ESTIMATED, QualityState.MISSING))
    # What is remembered of a day on which nothing hung is no estimate.
    guessed &= (states == QualityState.ESTIMATED) | (np.arange(states.shape[1]) == states.shape[1] - 1)
    length = np.where(guessed.all(axis=1), states.shape[1], np.argmin(guessed[:, ::-1], axis=1))
    again = int(t["again_days"])
    due = (length == days) | ((length > days) & ((length - days) % again == 0))
    for row in where(view.wanted & due):
        yield Spot(row, view.lo, view.hi, {"days": int(length[row])})


def _clock_hour(view: DayView, t: Thresholds) -> Iterator[Spot]:
    """Weeks after the clocks changed, a home that lives an hour apart from its own days before has a wrong clock."""
    back = int(t["days_after"])
    grid = view.seen.grid
    changed = grid.day(view.day) - timedelta(days=back)
    # The change is told by the length of its day; both midnights are instants.
    if local_midnight(changed + timedelta(days=1), grid.zone) - local_midnight(changed, grid.zone) == timedelta(days=1):
        return
    then, now = view.profile(back), view.profile()
    if then is None or now is None:
        return
    rows = view.wanted & (then > 0).any(axis=1) & (now > 0).any(axis=1)
    alike = {hours: _alike(now, np.roll(then, hours, axis=1)) for hours in (-1, 0, 1)}
    best = np.maximum(alike[-1], alike[1])
    for row in where(rows & (best - alike[0] >= t["gain"])):
        late = 1 if alike[1][row] > alike[-1][row] else -1
        evidence: Evidence = {
            "shift_s": late * 3600, "changed_on": changed.isoformat(), "likeness": round(float(alike[0][row]), 3),
            "likeness_shifted": round(float(best[row]), 3),
        }  # fmt: skip
        yield Spot(row, view.lo, view.hi, evidence)


def _alike(a: I64, b: I64) -> F64:
    """Return the correlation of the logarithms of two profiles, row by row."""
    x, y = np.log1p(np.maximum(a, 0)), np.log1p(np.maximum(b, 0))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.asarray((x * y).sum(axis=1) / np.maximum(spread, 1e-9))


RULES = (
    Rule(
        "date_swapped",
        "A day is empty, and its readings stand where day and month are read the other way around.",
        ALL,
        _date_swapped,
        {"share": Bound("share of the other day's intervals that must be double, or alone", 0.1, 1)},
    ),
    Rule(
        "clock_hour",
        "Since the clocks changed the home lives an hour apart from its own weeks before.",
        frozenset({ChannelGroup.DELIVERED}),
        each_day(_clock_hour),
        {
            "days_after": Bound("days after the change at which it is asked", 7, 28),
            "gain": Bound("by how much the correlation of the daily profile rises when it is shifted an hour", 0.01, 2),
        },
    ),
    Rule(
        "prolonged_estimation",
        "A series has had estimates for many days in a row.",
        MEASURED_ENERGY,
        each_day(_prolonged),
        {
            "days": Bound("days in a row", 2, 28),
            "again_days": Bound("after how many more days it is said again", 1, 28),
        },
    ),
)
