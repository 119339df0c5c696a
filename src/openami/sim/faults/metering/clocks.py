"""A clock that goes wrong and right again, as it is: what a meter measures keeps its truth, only its stamps are wrong.

:func:`openami.sim.faults.metering.intervals.shift` writes a shift into a matrix of cells, and hides its seams. A real
clock leaves them in the rows that a head-end receives: where it jumps forward stamps are skipped, where it jumps back
they come a second time, with other values. A meter reads its registers at its own midnights, each of them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import I64, Grid
from openami.sim.faults.metering.scene import Scene


@dataclass(frozen=True, slots=True)
class WrongClock:
    """One clock's fault.

    Args:
        begins, ends: columns of the true intervals from and before which stamps are wrong.
        ahead: intervals by which they are late; negative where the clock is slow.
    """

    begins: int
    ends: int
    ahead: int


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Rows of one channel as meters send them, in the order of true time at each meter.

    Args:
        row: (n,) service point.
        at_s: (n,) what the meter says of when: the start of an interval, or the instant of a register read.
        value: (n,) counts.
        turn: (n,) which of the meter's messages it is: later ones have more.
    """

    row: I64
    at_s: I64
    value: I64
    turn: I64


def stamped_readings(scene: Scene, channel: Channel, clocks: Mapping[int, WrongClock]) -> Stamped:
    """Return the intervals of a channel under the stamps that the meters' clocks give them.

    Args:
        scene: the truth.
        channel: which.
        clocks: faults by service point; the clocks of all others are right.
    """
    readings = scene.readings[channel]
    row, column = np.nonzero(readings.came)
    ahead = np.zeros(readings.came.shape, np.int64)
    for place, clock in clocks.items():
        ahead[place, clock.begins : clock.ends] = clock.ahead
    at_s = scene.grid.start_s[column] + ahead[row, column] * scene.grid.interval_s
    return Stamped(row, at_s, readings.values[row, column], column)


def stamped_reads(scene: Scene, channel: Channel, clocks: Mapping[int, WrongClock]) -> Stamped:
    """Return what the registers showed at the midnights of each meter's own clock. Arguments as above."""
    columns = [_midnights(scene.grid, clocks.get(place)) for place in range(scene.count)]
    row = np.repeat(np.arange(scene.count), [len(edge) for edge, _ in columns])
    edge, day = (np.concatenate(part) for part in zip(*columns, strict=True))
    values, registers = scene.readings[channel].values, scene.registers[channel]
    total = np.concatenate([np.zeros((scene.count, 1), np.int64), np.cumsum(values, axis=1)], axis=1)
    shown = registers.exact_wh[row, 0] + total[row, edge]
    step = registers.resolution_wh[row]
    value = shown // step * step % registers.capacity_wh[row]
    return Stamped(row, scene.grid.edge_s[scene.grid.day_at[day]], value, edge)


def _midnights(grid: Grid, clock: WrongClock | None) -> tuple[I64, I64]:
    """Return the true edges at which a meter's clock passes each midnight first, and the midnights."""
    edge, day = grid.day_at.astype(np.int64), np.arange(grid.days + 1)
    if clock is None:
        return edge, day
    early = edge - clock.ahead
    by_wrong = (early >= clock.begins) & (early < clock.ends)
    by_right = (edge < clock.begins) | (edge >= clock.ends)
    at = np.where(by_wrong & by_right, np.minimum(early, edge), np.where(by_wrong, early, edge))
    passed = by_wrong | by_right
    return at[passed], day[passed]
