"""What estimation may refer to beside the series itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.mdm.vee.estimate.cells import U8
from openami.mdm.vee.grid import BOOLS, I64, Grid


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """References of S series on a grid of N intervals and D days. None means that there are none.

    Args:
        day_kind: (S, D) days of one number are alike: 0 a working day, 1 a weekend or holiday.
        check: (S, N) counts of the check meter over the same intervals; -1 where it has none.
        profile: (S, N) counts, or any other scale where registers know the energy, of the class of the customer;
            -1 where there is none.
        is_profile_level: whether the profile holds counts, so that it may fill without a register.
        is_demand_billed: (S,) the highest interval is billed: shapes are copied from one day, not averaged.
        suspended: (S, N) estimation waits, as in a storm: cells stay missing by name.
        dark: (S, N) the meter's own event log says that it had no power for the whole interval.
    """

    day_kind: U8 | None = None
    check: I64 | None = None
    profile: I64 | None = None
    is_profile_level: bool = True
    is_demand_billed: BOOLS | None = None
    suspended: BOOLS | None = None
    dark: BOOLS | None = None

    def kinds(self, grid: Grid, series: int) -> U8:
        """Return the kind of each day (S, D); weekends where nothing else is said."""
        if self.day_kind is not None:
            return self.day_kind
        return np.broadcast_to(grid.is_weekend.astype(np.uint8), (series, grid.days))


NO_REFERENCES = References()
