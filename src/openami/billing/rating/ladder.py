"""Energy over the blocks of a ladder."""

from __future__ import annotations

import itertools


def filled(total_wh: int, ends_wh: tuple[int, ...]) -> list[int]:
    """Return the energy in each block of a ladder.

    >>> filled(900, (750,))
    [750, 150]
    """
    edges = [0, *(min(e, total_wh) for e in ends_wh), total_wh]
    return [b - a for a, b in itertools.pairwise(edges)]
