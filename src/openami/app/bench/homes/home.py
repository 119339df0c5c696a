"""A metered home as arrays over whole local days, and the half of the homes that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

import numpy as np

from openami.kernel.time import instant_from_epoch_s, local_date, local_midnight, zone_named
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of

SPLIT_SEED = 20_261_130
"""Thrown once, before any rule was tuned. Another seed is another experiment."""


class Half(StrEnum):
    """What a home may be used for."""

    TUNE = "tune"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """One metered home. All arrays have one value for each of N intervals of whole local days.

    Args:
        name: unique; source and number.
        source: name of the source it came from.
        half: whether thresholds may be chosen with it.
        zone_name: IANA zone of its local days.
        interval_s: length of an interval [s].
        first: first local day.
        delivered_wh: (N,) differences of a register in whole Wh; 0 where absent.
        present: (N,) whether it was measured.
        received_wh: (N,) what a roof gave back [Wh]; None where no roof is metered.
        voltage_dv: (N,) mean voltage [0.1 V]; None where none was measured.
    """

    name: str
    source: str
    half: Half
    zone_name: str
    interval_s: int
    first: date
    delivered_wh: I64
    present: BOOLS
    received_wh: I64 | None = None
    voltage_dv: I64 | None = None

    def grid(self) -> Grid:
        """Return the grid of its days."""
        zone = zone_named(self.zone_name)
        start_s = int(local_midnight(self.first, zone).timestamp())
        end_s = start_s + len(self.delivered_wh) * self.interval_s
        return grid_of(zone, self.first, local_date(instant_from_epoch_s(end_s - 1), zone), self.interval_s)

    def whole_days(self) -> BOOLS:
        """(D,) the days of which every interval was measured."""
        grid = self.grid()
        return np.asarray(np.logical_and.reduceat(self.present, grid.day_at[:-1]))

    def part(self, first: int, last: int, half: Half) -> Home:
        """Return the days ``first`` to ``last`` (exclusive) as a home of its own."""
        day_at = self.grid().day_at
        cut = slice(int(day_at[first]), int(day_at[last]))
        return replace(
            self,
            name=f"{self.name}-{half}",
            half=half,
            first=self.first + timedelta(days=first),
            delivered_wh=self.delivered_wh[cut],
            present=self.present[cut],
            received_wh=None if self.received_wh is None else self.received_wh[cut],
            voltage_dv=None if self.voltage_dv is None else self.voltage_dv[cut],
        )


def split(homes: Sequence[Home]) -> list[Home]:
    """Return the homes of one source in halves: half of the homes, or, of a lone home, half of its days.

    The split depends on the number of homes alone. Of an odd number the held-out half has one more.
    """
    if len(homes) == 1:
        days = homes[0].grid().days
        if days < 2:
            return [homes[0].part(0, days, Half.HELD_OUT)]
        return [homes[0].part(0, days // 2, Half.TUNE), homes[0].part(days // 2, days, Half.HELD_OUT)]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(homes))
    tuned = set(order[: len(homes) // 2].tolist())
    return [replace(home, half=Half.TUNE if k in tuned else Half.HELD_OUT) for k, home in enumerate(homes)]
