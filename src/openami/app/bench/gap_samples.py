"""Gaps cut into measured homes, for ``openami bench gaps``: rows of 28 days before each gap, and its days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.bench.homes import Half, Home
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of

BEFORE_DAYS = 28
DAY_S = 86_400
_MONDAY = date(2026, 6, 1)
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Rows of S gaps that begin on the same day of the week.

    Args:
        grid: 28 days before the gap's first day, and its days.
        truth: (S, N) counts.
        gap: (S, N) what is taken away.
    """

    grid: Grid
    truth: I64
    gap: BOOLS

    @property
    def days(self) -> tuple[I64, I64]:
        """Return the first day of each gap and the day after its last, (S,) each."""
        column = np.arange(self.grid.columns)
        first = np.where(self.gap, column, self.grid.columns).min(axis=1)
        last = np.where(self.gap, column, -1).max(axis=1)
        return self.grid.day_of[first], self.grid.day_of[last] + 1


def samples(homes: Sequence[Home], *, length_s: int, count: int, seed: int) -> Iterator[Samples]:
    """Yield gaps of one length at random places, those of one weekday and interval together.

    Places whose days were not all measured, or have a change of the clock, are passed over.

    Args:
        homes: to cut into.
        length_s: of the gap [s]; homes of longer intervals are passed over.
        count: gaps tried in each home.
        seed: of the places.
    """
    dice = np.random.default_rng([seed, length_s])
    rows: dict[tuple[int, int], list[tuple[I64, BOOLS]]] = {}
    for home in homes:
        if home.interval_s > length_s:
            continue
        for weekday, truth, gap in _cut(home, length_s, count, dice):
            rows.setdefault((home.interval_s, weekday), []).append((truth, gap))
    for (interval_s, weekday), mine in sorted(rows.items()):
        first = _MONDAY + timedelta(days=weekday)
        days = len(mine[0][0]) * interval_s // DAY_S
        grid = grid_of(_UTC, first, first + timedelta(days=days - 1), interval_s)
        yield Samples(grid, np.array([t for t, _ in mine]), np.array([g for _, g in mine]))


def _cut(home: Home, length_s: int, count: int, dice: np.random.Generator) -> Iterator[tuple[int, I64, BOOLS]]:
    per_day, length = DAY_S // home.interval_s, length_s // home.interval_s
    grid = home.grid()
    gap_days = -(-length // per_day) + 1
    span = BEFORE_DAYS + gap_days
    whole = home.whole_days() & (np.diff(grid.day_at) == per_day)
    fits = np.flatnonzero(np.convolve(whole, np.ones(span), "valid") == span) if grid.days >= span else np.zeros(0, int)
    if not len(fits):
        return
    for day in dice.choice(fits, count).tolist():
        start = BEFORE_DAYS * per_day + int(dice.integers(1, gap_days * per_day - length))
        lo = int(grid.day_at[day])
        gap = np.zeros(span * per_day, bool)
        gap[start : start + length] = True
        truth = home.delivered_wh[lo : lo + span * per_day]
        if truth[gap].sum() > 0:
            yield grid.day(day).weekday(), truth, gap


def simulated(count: int = 24, *, seed: int = 77) -> list[Home]:
    """Return homes of the simulated territory over a summer, for where no real homes were fetched."""
    from openami.sim.world.world import World

    world = World(seed=seed, home_count=count)
    first = date(2026, 5, 1)
    watts = np.concatenate([world.load(first + timedelta(days=d)).power_mw for d in range(92)], axis=1)
    energy = np.maximum(watts, 0) // 4_000
    present = np.ones(energy.shape[1], bool)
    return [
        Home(f"simulated-{k}", "simulated", Half.HELD_OUT, world.zone_name, 900, first, wh, present)
        for k, wh in enumerate(energy)
    ]
