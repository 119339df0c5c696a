"""A straightforward optimally weighted average, the reference of ``openami bench gaps``. It shares no code with ours.

The line between the neighbors where it is near, the mean of the six nearest like days (weekdays or weekends) inside,
with the weight of the line falling exponentially from the nearer end; scaled to the register difference.

Source: Peppanen, Zhang, Grijalva and Reno 2016. The decay is the one of (0.4, 0.6, 0.8, 1.0, 1.4, 2.0) an hour that
does best on the tuning half of the homes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openami.app.bench.gap_samples import Samples

DECAY_PER_H = 0.4
LIKE_DAYS = 6


def reference(samples: Samples, *, is_scaled: bool) -> npt.NDArray[np.float64]:
    """Return the reference's estimate (S, N) of the gaps; the truth elsewhere."""
    grid = samples.grid
    per_day = grid.slots
    estimate = samples.truth.astype(float)
    for row, (truth, gap) in enumerate(zip(samples.truth, samples.gap, strict=True)):
        at = np.flatnonzero(gap)
        first, last, length = int(at[0]), int(at[-1]), len(at)
        place = np.arange(1, length + 1)
        line = truth[first - 1] + (truth[last + 1] - truth[first - 1]) * place / (length + 1)
        like = np.array([_like(samples, row, column, per_day) for column in at.tolist()])
        edge = np.minimum(place, length + 1 - place) * grid.interval_s / 3600
        weight = np.exp(-DECAY_PER_H * edge)
        guess = weight * line + (1 - weight) * like
        if is_scaled:
            total = guess.sum()
            guess = guess * truth[at].sum() / total if total > 0 else np.full(length, truth[at].mean())
        estimate[row, at] = guess
    return estimate


def _like(samples: Samples, row: int, column: int, per_day: int) -> float:
    grid, truth, gap = samples.grid, samples.truth[row], samples.gap[row]
    day, slot = divmod(column, per_day)
    alike = [
        d
        for d in range(grid.days)
        if d != day and grid.is_weekend[d] == grid.is_weekend[day] and not gap[d * per_day + slot]
    ]
    nearest = sorted(alike, key=lambda d: (abs(d - day), d))[:LIKE_DAYS]
    return float(np.mean([truth[d * per_day + slot] for d in nearest]))
