"""Messages that never arrive. Most meters lose almost nothing; a few sit behind a wall and lose hours at a time.

Daily read success is then 97 to 99.5 % of intervals, as utilities publish it (vee-grid 7.4), and what is missing is
clustered, as it is in real homes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice
from openami.sim.world.feeder import Feeder
from openami.sim.world.slots import DaySlots

Flags = npt.NDArray[np.bool_]
_SINGLE_LOSS = 0.0012
_SPELL_CHANCE = 0.018
_BAD_METER_SHARE = 0.03
_BAD_METER_FACTOR = 8.0
_REGISTER_LOSS = 0.004
_CELL_FAILURES_PER_YEAR = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class DayLosses:
    """What does not arrive on one local day.

    Args:
        intervals: (homes, n) load-profile rows that are lost.
        midnight: (homes,) register reads of the day's first midnight that are lost.
    """

    intervals: Flags
    midnight: Flags


def day_losses(seed: int, feeder: Feeder, slots: DaySlots) -> DayLosses:
    """Throw the losses of a day."""
    homes, n = feeder.home_count, len(slots)
    bad = dice(seed=seed, stream=Stream.LOSS).random(homes) < _BAD_METER_SHARE
    d = dice(seed=seed, stream=Stream.LOSS, day=slots.number)
    chance = np.where(bad, _BAD_METER_FACTOR, 1.0)
    lost = d.random((homes, n)) < (_SINGLE_LOSS * chance)[:, None]
    spell = d.random(homes) < np.minimum(_SPELL_CHANCE * chance, 0.3)
    first = d.integers(0, n, homes)
    length = np.minimum(d.geometric(1 / 14.0, homes), 80)
    column = np.arange(n)[None, :]
    lost |= (spell[:, None]) & (column >= first[:, None]) & (column < (first + length)[:, None])
    midnight = (d.random(homes) < _REGISTER_LOSS * chance) | (spell & (first == 0))
    for cell in range(feeder.cell_count):
        if d.random() < _CELL_FAILURES_PER_YEAR / 365:
            # A collector's aerial fails for a while: its whole cell is silent, and meters do not repeat themselves.
            start, span = int(d.integers(0, n)), int(d.integers(2, 20))
            lost[feeder.cell_of == cell, start : start + span] = True
    return DayLosses(lost, midnight)
