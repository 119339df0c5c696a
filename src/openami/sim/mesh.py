"""The territory's air: where meters and collectors stand, and what each cell's mesh makes of what meters send.

Homes stand along streets, each cell's collector on a pole in the middle. A home's radio keeps its place when the meter
is exchanged. Every throw is keyed by cell and quarter-hour, so the same seed makes the same air, in any order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.contracts.frame import FrameClass
from openami.network.radio import (
    Air,
    AirtimeCounters,
    AirUse,
    Crossing,
    DayUse,
    Mesh,
    Parcel,
    cross,
    plan_mesh,
    spread_window_s,
)
from openami.sim.dice import Stream, dice

I64 = npt.NDArray[np.int64]
STREET_HOMES = 20
PLOT_M = 28.0
STREET_M = 45.0
SECOND_US = 1_000_000
POWER_UP_OCTETS = 120


@dataclass(frozen=True, slots=True)
class OnAir:
    """A frame that a meter sends.

    Args:
        sent_s: when, seconds since the epoch.
        home: from where.
        frame_class: how urgent it is.
        octets: how long it is.
    """

    sent_s: int
    home: int
    frame_class: FrameClass
    octets: int


@dataclass(slots=True, eq=False)
class CellAir:
    """One cell: node 0 is its collector, node k the k-th of its homes.

    Args:
        seed: the world's.
        cell: its number, from 0.
        first_home: number of its first home.
        mesh: who hears whom.
        airtime: who was on the air.
        lost: frames that did not come through, so far.
        heard_twice: frames that the collector heard more than once, so far.
    """

    seed: int
    cell: int
    first_home: int
    mesh: Mesh
    airtime: AirtimeCounters = field(init=False)
    lost: int = 0
    heard_twice: int = 0
    _calls: int = 0
    _called: deque[tuple[int, AirUse, int, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.airtime = AirtimeCounters(self.mesh.size)

    def carry(self, sent: Sequence[tuple[int, OnAir]], *, slot: int) -> list[tuple[int, int]]:
        """Carry frames; return the number that each was given and when the collector heard it [s], in order.

        Args:
            sent: number and frame.
            slot: number of the quarter-hour; keys the dice.
        """
        d = dice(seed=self.seed, stream=Stream.AIR, day=self.cell * 1_000_003 + slot)
        air = Air(self.mesh, d, self.airtime)
        heard = air.carry(
            Parcel(s.sent_s * SECOND_US, 1 + s.home - self.first_home, int(s.frame_class), s.octets, number)
            for number, s in sent
        )
        self.lost += len(air.lost)
        self.heard_twice += len(heard) - (len(sent) - len(air.lost))
        return [(a.key, -(-a.at_us // SECOND_US)) for a in heard]

    def call(self, home: int, *, octets: int, down: bool, at_s: int) -> Crossing:
        """Throw one request or answer of the collector's call to a meter, and count who was on the air."""
        self._calls += 1
        d = dice(seed=self.seed, stream=Stream.CALL, day=self.cell * 1_000_003 + self._calls)
        crossing = cross(self.mesh, d, node=1 + home - self.first_home, octets=octets, down=down)
        origin = crossing.sendings[0][0] if crossing.sendings else 0
        for node, on_air_us in crossing.sendings:
            use = AirUse.OWN if node == origin else AirUse.RELAYED
            # Calls come while a quarter-hour is carried in a thread: they are counted with the next one.
            self._called.append((node, use, at_s * SECOND_US, on_air_us))
        return crossing

    def close(self, until_s: int) -> None:
        """Say that nothing more is sent before an instant."""
        while self._called:
            node, use, at_us, on_air_us = self._called.popleft()
            self.airtime.add(node, use, at_us=at_us, on_air_us=on_air_us)
        self.airtime.close(until_s * SECOND_US)


@dataclass(slots=True, eq=False)
class TerritoryAir:
    """All cells.

    Args:
        seed: the world's.
        cell_of: (homes,) cell of each home, from 0, ascending.
    """

    seed: int
    cell_of: I64
    cells: list[CellAir] = field(init=False)

    def __post_init__(self) -> None:
        homes = np.bincount(self.cell_of)
        first = np.r_[0, np.cumsum(homes)[:-1]]
        self.cells = [
            CellAir(self.seed, cell, int(first[cell]), _mesh(self.seed, cell, int(n))) for cell, n in enumerate(homes)
        ]

    def carry(self, sent: Sequence[OnAir], *, slot: int) -> list[tuple[int, int]]:
        """Return which frames (by place in ``sent``) the collectors hear and when [s], in order of time.

        Args:
            sent: what meters send within a quarter-hour or so.
            slot: number of the quarter-hour; keys the dice.
        """
        by_cell: dict[int, list[tuple[int, OnAir]]] = defaultdict(list)
        for place, one in enumerate(sent):
            by_cell[int(self.cell_of[one.home])].append((place, one))
        heard = [h for cell, frames in by_cell.items() for h in self.cells[cell].carry(frames, slot=slot)]
        return sorted(heard, key=lambda h: h[1])

    def power_up_window_s(self, homes: I64) -> int:
        """Return over how long meters spread their first words after supply returned to these homes [s]."""
        fullest = int(np.bincount(self.cell_of[homes]).max()) if len(homes) else 0
        return spread_window_s(fullest, frames=1, octets=POWER_UP_OCTETS)

    def day(self, day: int) -> list[tuple[int, DayUse]]:
        """Return the first home of each cell and who was on its air on a UTC day, so far."""
        return [(cell.first_home, cell.airtime.day(day)) for cell in self.cells]

    def close(self, until_s: int) -> None:
        """Say that nothing more is sent before an instant."""
        for cell in self.cells:
            cell.close(until_s)


def _mesh(seed: int, cell: int, homes: int) -> Mesh:
    d = dice(seed=seed, stream=Stream.MESH, day=cell)
    number = np.arange(homes)
    x_m = (number % STREET_HOMES) * PLOT_M + d.uniform(-6, 6, homes)
    y_m = (number // STREET_HOMES) * STREET_M + d.uniform(-8, 8, homes)
    return plan_mesh(np.r_[x_m.mean(), x_m], np.r_[y_m.mean(), y_m], d)
