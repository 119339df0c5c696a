"""How much came how soon: counts by UTC day and radio cell, for service levels.

An interval is counted once, when it first arrives, by its age then. What was expected of a meter's day is counted
when the day is finished; :func:`openami.headend.keeping.gaps.standing` adds the days that are still open.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]

HORIZON_HOURS = (1, 6, 24, 72)
_LIMITS_S = np.array([h * 3600 for h in HORIZON_HOURS], np.int64)
LATER = len(HORIZON_HOURS)
EXPECTED = LATER + 1
WIDTH = EXPECTED + 1
"""Columns of a count: within each horizon and not within the one before, later than all, expected."""
_CELL_BITS = 20


@dataclass(slots=True, eq=False)
class Levels:
    """Counts by (UTC day, cell number); ``changed`` names those to be written next."""

    counts: dict[tuple[int, int], I64] = field(default_factory=dict)
    changed: set[tuple[int, int]] = field(default_factory=set)

    def add(self, day: I64, cell: I64, age_s: I64) -> None:
        """Count intervals that arrived.

        Args:
            day: (m,) UTC day of each, since 1970-01-01.
            cell: (m,) number of the meter's cell, -1 where it has none.
            age_s: (m,) from the interval's end to its arrival [s].
        """
        self._add(day, cell, np.searchsorted(_LIMITS_S, age_s, side="left"), np.ones(len(day), np.int64))

    def expect(self, day: I64, cell: I64, count: I64) -> None:
        """Count what finished days of meters were expected to give; columns of one length."""
        self._add(day, cell, np.full(len(day), EXPECTED), count)

    def forget(self, before_day: int) -> None:
        """Drop days before this one."""
        for key in [k for k in self.counts if k[0] < before_day]:
            del self.counts[key]
            self.changed.discard(key)

    def _add(self, day: I64, cell: I64, column: I64, weight: I64) -> None:
        if not len(day):
            return
        packed = (day << _CELL_BITS | cell + 1) * WIDTH + column
        found, inverse = np.unique(packed, return_inverse=True)
        sums = np.bincount(inverse, weights=weight).astype(np.int64)
        for one, total in zip(found.tolist(), sums.tolist(), strict=True):
            place, at = divmod(one, WIDTH)
            key = (place >> _CELL_BITS, (place & (1 << _CELL_BITS) - 1) - 1)
            self.counts.setdefault(key, np.zeros(WIDTH, np.int64))[at] += total
            self.changed.add(key)
