"""Rules about time: day and month swapped, a clock that went wrong by an hour, estimation that lasts.

Source: research on utility practice (clock one hour off since daylight saving); Oracle Utilities MDM (Prolonged
Estimation Check); our own, for files whose dates were read the other way around.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.rules.rule import ALL, MEASURED_ENERGY, Bound, Evidence, Rule, Spot, Thresholds, each_day, where
from openami.mdm.vee.rules.seen import DayView, Seen

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


RULES = (
    Rule(
        "date_swapped",
        "A day is empty, and its readings stand where day and month are read the other way around.",
        ALL,
        _date_swapped,
        {"share": Bound("share of the other day's intervals that must be double, or alone", 0.1, 1)},
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
