"""Faults of the intervals: what a recorder, a head-end or a file does to a day."""

from __future__ import annotations

from datetime import date

import numpy as np

from openami.contracts.channel import Channel
from openami.kernel.time import epoch_s, local_midnight
from openami.sim.faults.metering.draft import Draft
from openami.sim.faults.metering.scene import Stray

_MONTHS = 12


def spike(draft: Draft) -> None:
    """One interval at a multiple of the day's highest."""
    day = draft.on_day
    at = int(draft.dice.integers(day.start, day.stop))
    draft.write(slice(at, at + 1), _whole(draft.truth()[day].max(initial=1) * draft.severity))


def gap(draft: Draft) -> None:
    """Intervals that did not come, on all channels of the meter."""
    where = draft.stretch(int(draft.severity))
    for readings in draft.scene.readings.values():
        readings.came[draft.row, where] = False


def scale(draft: Draft) -> None:
    """A day times a factor."""
    draft.write(draft.on_day, _whole(draft.truth()[draft.on_day] * draft.severity))


def shift(draft: Draft) -> None:
    """Everything from the day on is stamped late: what happened at t is said to have happened at t + k.

    The k intervals at the seam hold what came before, so that no hole gives the fault away.
    """
    late, onward = int(draft.severity), draft.onward
    for channel in draft.scene.readings:
        values = draft.truth(channel)
        draft.write(onward, values[onward.start - late : onward.stop - late], channel)


def duplicate_day(draft: Draft) -> None:
    """The readings of an earlier day under a new date."""
    day, earlier = draft.on_day, draft.scene.span(draft.day - int(draft.severity))
    length = min(day.stop - day.start, earlier.stop - earlier.start)
    for channel in draft.scene.readings:
        values = draft.truth(channel)[earlier.start : earlier.start + length]
        draft.write(slice(day.start, day.start + length), values, channel)


def stuck(draft: Draft) -> None:
    """The recorder repeats the last interval. It starts on one that is not zero where the day has one."""
    where = draft.stretch(int(draft.severity))
    day = draft.truth()[draft.on_day]
    value = day[np.flatnonzero(day)[0]] if day.any() else 0
    if draft.truth()[max(where.start - 1, 0)] > 0:
        value = draft.truth()[max(where.start - 1, 0)]
    draft.write(where, np.full(where.stop - where.start, value, np.int64))


def negative(draft: Draft) -> None:
    """One interval below zero."""
    where = draft.stretch(1)
    mean = max(float(draft.truth()[draft.on_day].mean()), 1.0)
    draft.write(where, -np.maximum(_whole(np.array([mean * draft.severity])), 1))


def overflow(draft: Draft) -> None:
    """One interval at the recorder's limit."""
    draft.write(draft.stretch(1), np.array([int(draft.severity)]))


def swapped_date(draft: Draft) -> None:
    """A day is stamped with day and month swapped; the nearest later day on which that can happen."""
    grid = draft.scene.grid
    index = next(d for d in [*range(draft.day, grid.days), *range(draft.day, 0, -1)] if _swappable(grid.day(d)))
    day = grid.day(index)
    where = draft.scene.span(index)
    midnight = epoch_s(local_midnight(date(day.year, day.day, day.month), grid.zone))
    for channel, readings in draft.scene.readings.items():
        readings.came[draft.row, where] = False
        for k, value in enumerate(draft.truth(channel)[where].tolist()):
            draft.scene.strays.append(Stray(channel, draft.row, midnight + k * grid.interval_s, value))


def off_grid(draft: Draft) -> None:
    """A day's stamps lie between the intervals."""
    where, grid = draft.on_day, draft.scene.grid
    for channel, readings in draft.scene.readings.items():
        readings.came[draft.row, where] = False
        for column in range(where.start, where.stop):
            start_s = int(grid.start_s[column]) + int(draft.severity) * 60
            draft.scene.strays.append(Stray(channel, draft.row, start_s, int(draft.truth(channel)[column])))


def conflict(draft: Draft) -> None:
    """Intervals came twice, with different values."""
    where, grid = draft.stretch(int(draft.severity)), draft.scene.grid
    for column in range(where.start, where.stop):
        value = int(draft.truth()[column]) * 2 + 5
        draft.scene.strays.append(Stray(Channel.DELIVERED, draft.row, int(grid.start_s[column]), value))


def unexplained_zero(draft: Draft) -> None:
    """Nothing is measured for a time, though there was supply and no event says otherwise."""
    where = draft.stretch(int(draft.severity))
    draft.write(where, np.zeros(where.stop - where.start, np.int64))


def _swappable(day: date) -> bool:
    return day.day <= _MONTHS and day.day != day.month


def _whole(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(values), dtype=np.int64)
