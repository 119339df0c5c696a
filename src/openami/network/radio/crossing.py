"""One request or answer over a quiet mesh, as a collector's call to a meter takes it: waiting, loss, time on the air.

Unlike :mod:`openami.network.radio.air` it knows no other frames: calls go one at a time and wait for their turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log1p

from openami.network.radio.air import BACKOFF_US, RELAY_US, Dice
from openami.network.radio.mesh import Mesh
from openami.network.radio.signal import ACK_OCTETS, air_us, fragments_of

TRIES = 4
"""Sendings of a fragment over one link; then the call is lost."""
TURN_US = 150_000
"""How long a hop waits for its turn on average: sleeping radios and other frames."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What the air did to one frame.

    Args:
        took_us: from the first sending to the end [us].
        arrives: whether the last node has it.
        sendings: node and time on the air [us] of all who sent, in order.
    """

    took_us: int
    arrives: bool
    sendings: tuple[tuple[int, int], ...]

    @property
    def on_air_us(self) -> int:
        """Time on the air of all nodes together [us]."""
        return sum(on_air_us for _, on_air_us in self.sendings)


def cross(mesh: Mesh, dice: Dice, *, node: int, octets: int, down: bool) -> Crossing:
    """Throw one crossing.

    Args:
        mesh: the cell.
        dice: thrown for every fragment.
        node: the device, 1 to n.
        octets: length of the frame.
        down: from the collector to the device, or back.
    """
    way = mesh.way(node)
    if way[-1] != 0:
        return Crossing(TURN_US, arrives=False, sendings=())
    links = list(pairwise(way))
    took_us = 0
    sendings: list[tuple[int, int]] = []
    for child, parent in reversed(links) if down else links:
        sender, hearer = (parent, child) if down else (child, parent)
        on_air_us, acks, arrives = _link(dice, octets, float(mesh.heard[child]))
        turn_us = int(-log1p(-dice.random()) * TURN_US + dice.random() * BACKOFF_US)
        took_us += turn_us + on_air_us + acks + RELAY_US
        sendings.append((sender, on_air_us))
        if acks:
            sendings.append((hearer, acks))
        if not arrives:
            return Crossing(took_us, arrives=False, sendings=tuple(sendings))
    return Crossing(took_us, arrives=True, sendings=tuple(sendings))


def _link(dice: Dice, octets: int, heard: float) -> tuple[int, int, bool]:
    """Return time on the air of the sender and of the acknowledgements [us], and whether all fragments came."""
    on_air_us = acks_us = 0
    for length in fragments_of(octets):
        tries = 1
        while dice.random() >= heard:
            on_air_us += air_us(length)
            tries += 1
            if tries > TRIES:
                return on_air_us, acks_us, False
        on_air_us += air_us(length)
        acks_us += air_us(ACK_OCTETS)
    return on_air_us, acks_us, True
