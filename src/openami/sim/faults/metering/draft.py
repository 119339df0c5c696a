"""What a fault is given: the copy to spoil, the truth, where and how badly, and dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import I64
from openami.sim.faults.metering.scene import ENERGY, Scene


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """One fault about to happen.

    Args:
        scene: the copy that is spoiled in place.
        clean: the truth; never changed.
        row: service point.
        day: index of the day on which it begins.
        severity: of the kind's grid.
        dice: thrown for this fault alone.
    """

    scene: Scene
    clean: Scene
    row: int
    day: int
    severity: float
    dice: np.random.Generator

    @property
    def on_day(self) -> slice:
        """Columns of the day."""
        return self.scene.span(self.day)

    @property
    def onward(self) -> slice:
        """Columns from the day to the end."""
        return self.scene.span(self.day, self.scene.grid.days)

    def truth(self, channel: Channel = Channel.DELIVERED) -> I64:
        """(N,) what was measured."""
        return np.asarray(self.clean.readings[channel].values[self.row])

    def write(self, where: slice | I64, values: I64, channel: Channel = Channel.DELIVERED) -> None:
        """Report these values instead."""
        self.scene.readings[channel].values[self.row, where] = values

    def stretch(self, length: int) -> slice:
        """Return a stretch of columns, thrown, inside the day where it fits."""
        day = self.on_day
        room = max(day.stop - day.start - length, 0)
        start = day.start + int(self.dice.integers(0, room + 1))
        return slice(start, min(start + length, self.scene.grid.columns))

    def count_in_registers(self) -> None:
        """Make the registers say what the spoiled intervals say: the meter itself counted the fault."""
        for channel in ENERGY:
            registers = self.scene.registers[channel]
            change = self.scene.readings[channel].values[self.row] - self.clean.readings[channel].values[self.row]
            total = np.concatenate([np.zeros(1, np.int64), np.cumsum(change)])[self.scene.grid.day_at]
            registers.exact_wh[self.row] += total
            registers.show(self.row)
