"""A line between two ends that loses, doubles, flips and cuts octets, by seeded dice; a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Hostility:
    """How bad a line is: each a probability per piece of what is sent at once.

    Args:
        lose, double, flip: loss, immediate doubling, and one to three flipped bits.
        cut: how often octets are cut into pieces at any place.
    """

    lose: float = 0.0
    double: float = 0.0
    flip: float = 0.0
    cut: float = 0.0


GOOD = Hostility()


class HostileLine:
    """One direction of a line; octets keep their order."""

    def __init__(self, hostility: Hostility, dice: Random) -> None:
        self._hostility = hostility
        self._dice = dice

    def carry(self, octets: bytes) -> list[bytes]:
        """Return the pieces that arrive of what was sent at once."""
        if not octets:
            return []
        pieces = [octets]
        if self._chance(self._hostility.double):
            pieces.append(octets)
        pieces = [part for piece in pieces for part in self._cut(piece)]
        arrived = []
        for piece in pieces:
            if self._chance(self._hostility.lose):
                continue
            arrived.append(self._flip(piece) if self._chance(self._hostility.flip) else piece)
        return arrived

    def _chance(self, probability: float) -> bool:
        return self._dice.random() < probability

    def _cut(self, octets: bytes) -> list[bytes]:
        if not self._chance(self._hostility.cut):
            return [octets]
        places = sorted(self._dice.randrange(len(octets) + 1) for _ in range(self._dice.randint(1, 4)))
        return [octets[a:b] for a, b in zip([0, *places], [*places, len(octets)], strict=True) if a < b]

    def _flip(self, octets: bytes) -> bytes:
        flipped = bytearray(octets)
        for _ in range(self._dice.randint(1, 3)):
            flipped[self._dice.randrange(len(flipped))] ^= 1 << self._dice.randrange(8)
        return bytes(flipped)
