"""A scene: what the meters of S service points measured and what came in, over the days of a grid, before validation.

A clean scene holds the truth. A spoiled one is a copy in which something went wrong; the two together say what a fault
cost and whether a finding was right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.event import EventKind
from openami.mdm.vee.grid import BOOLS, I64, Grid

ENERGY = (Channel.DELIVERED, Channel.RECEIVED)
RESOLUTIONS_WH = (1, 10, 1_000)
"""A register may show single watt-hours or, as many do, whole kilowatt-hours."""
CAPACITY_WH = 100_000_000
"""Five digits of kWh."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Intervals of one channel, all (S, N).

    Args:
        values: counts after the multiplier [Wh, or 0.1 V].
        came: whether a reading came in.
        flags: :class:`~openami.contracts.quality.RawQuality` bits.
    """

    values: I64
    came: BOOLS
    flags: npt.NDArray[np.uint16]

    def copy(self) -> Readings:
        """Return a copy whose arrays may be changed."""
        return Readings(self.values.copy(), self.came.copy(), self.flags.copy())


@dataclass(frozen=True, slots=True, eq=False)
class Registers:
    """The registers of one channel at the D + 1 midnights of the grid.

    Args:
        value: (S, D + 1) what the register showed, after the multiplier [Wh].
        came: (S, D + 1) whether the read came in.
        capacity_wh: (S,) where the registry says that the register rolls over.
        resolution_wh: (S,) what the register resolves.
        exact_wh: (S, D + 1) what was counted, before it was truncated and rolled over. Not for validation.
    """

    value: I64
    came: BOOLS
    capacity_wh: I64
    resolution_wh: I64
    exact_wh: I64

    def copy(self) -> Registers:
        """Return a copy whose arrays may be changed."""
        value, came, exact_wh = self.value.copy(), self.came.copy(), self.exact_wh.copy()
        return Registers(value, came, self.capacity_wh.copy(), self.resolution_wh.copy(), exact_wh)

    def show(self, row: int) -> None:
        """Show again what was counted, truncated and rolled over."""
        step = int(self.resolution_wh[row])
        self.value[row] = self.exact_wh[row] // step * step % CAPACITY_WH


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the registry says.

    Args:
        limit_w: (S,) the most that the service can carry [W].
        may_return: (S,) an interconnection is approved.
        is_active: (S, D) service is active.
        neighborhood: (S,) number of the transformer.
    """

    limit_w: I64
    may_return: BOOLS
    is_active: BOOLS
    neighborhood: I64

    def copy(self) -> Facts:
        """Return a copy whose arrays may be changed."""
        return Facts(self.limit_w.copy(), self.may_return.copy(), self.is_active.copy(), self.neighborhood.copy())


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """What a meter said happened to it."""

    row: int
    at_s: int
    kind: EventKind


@dataclass(frozen=True, slots=True)
class Stray:
    """A reading that came beside the matrix: a second one of an interval, or one between intervals."""

    channel: Channel
    row: int
    start_s: int
    value: int


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that validation may see of S service points.

    Args:
        grid: N intervals of D local days.
        readings: by channel.
        registers: by energy channel.
        facts: of the registry.
        events: of the meters.
        strays: readings beside the matrix.
    """

    grid: Grid
    readings: dict[Channel, Readings]
    registers: dict[Channel, Registers]
    facts: Facts
    events: list[MeterEvent]
    strays: list[Stray]

    @property
    def count(self) -> int:
        """Number of service points."""
        return len(self.facts.limit_w)

    def copy(self) -> Scene:
        """Return a copy that may be spoiled."""
        return replace(
            self,
            readings={c: r.copy() for c, r in self.readings.items()},
            registers={c: r.copy() for c, r in self.registers.items()},
            facts=self.facts.copy(),
            events=list(self.events),
            strays=list(self.strays),
        )

    def rows(self, mask: BOOLS) -> Scene:
        """Return a clean scene of some of the service points (S,)."""
        facts = self.facts
        return replace(
            self,
            readings={c: Readings(r.values[mask], r.came[mask], r.flags[mask]) for c, r in self.readings.items()},
            registers={
                c: Registers(r.value[mask], r.came[mask], r.capacity_wh[mask], r.resolution_wh[mask], r.exact_wh[mask])
                for c, r in self.registers.items()
            },
            facts=Facts(facts.limit_w[mask], facts.may_return[mask], facts.is_active[mask], facts.neighborhood[mask]),
        )

    def span(self, day: int, until: int | None = None) -> slice:
        """Return the columns of the days ``day`` to ``until`` (exclusive; the next day where None)."""
        last = min(day + 1 if until is None else until, self.grid.days)
        return slice(int(self.grid.day_at[day]), int(self.grid.day_at[last]))


def clean_scene(
    grid: Grid,
    delivered_wh: I64,
    *,
    received_wh: I64,
    voltage_dv: I64,
    dice: np.random.Generator,
    limit_w: int = 48_000,
    came: BOOLS | None = None,
    neighborhood: I64 | None = None,
) -> Scene:
    """Return a scene in which all went right.

    Args:
        grid: N columns.
        delivered_wh: (S, N) measured energy [Wh].
        received_wh: (S, N) the same, given back [Wh].
        voltage_dv: (S, N) mean voltage [0.1 V].
        dice: throw where registers stand and what they resolve.
        limit_w: the most that each service can carry [W].
        came: (S, N) intervals that were measured; all where None.
        neighborhood: (S,) number of the transformer; unknown (-1) where None.
    """
    shape = delivered_wh.shape
    here = np.ones(shape, bool) if came is None else came
    readings, registers = {}, {}
    resolution = np.asarray(dice.choice(np.array(RESOLUTIONS_WH), shape[0]), dtype=np.int64)
    for channel, values in zip(ENERGY, (delivered_wh, received_wh), strict=True):
        readings[channel] = Readings(values.copy(), here.copy(), np.zeros(shape, np.uint16))
        registers[channel] = _registers(grid, values, _bases(dice, shape[0]), resolution)
    readings[Channel.VOLTAGE] = Readings(voltage_dv.copy(), here.copy(), np.zeros(shape, np.uint16))
    facts = Facts(
        np.full(shape[0], limit_w, np.int64),
        np.asarray((received_wh > 0).any(axis=1)),
        np.ones((shape[0], grid.days), bool),
        np.full(shape[0], -1, np.int64) if neighborhood is None else neighborhood,
    )
    return Scene(grid, readings, registers, facts, [], [])


def _bases(dice: np.random.Generator, count: int) -> I64:
    return np.asarray(dice.integers(0, CAPACITY_WH // 2, count), dtype=np.int64)


def _registers(grid: Grid, values: I64, base: I64, resolution: I64) -> Registers:
    total = np.concatenate([np.zeros((len(values), 1), np.int64), np.cumsum(values, axis=1)], axis=1)
    exact = base[:, None] + total[:, grid.day_at]
    shown = exact // resolution[:, None] * resolution[:, None] % CAPACITY_WH
    capacity = np.full(len(values), CAPACITY_WH, np.int64)
    return Registers(shown, np.ones(shown.shape, bool), capacity, resolution, exact)
