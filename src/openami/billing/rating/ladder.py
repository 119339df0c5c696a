"""Energy over the blocks of a ladder."""

from __future__ import annotations

import itertools


def filled(total_wh: int, ends_wh: tuple[int, ...], *, before_wh: int = 0) -> list[int]:
    """Return the energy in each block of a ladder, of which ``before_wh`` was used up already.

    >>> filled(900, (750,)), filled(900, (750,), before_wh=100)
    ([750, 150], [650, 250])
    """
    after = before_wh + total_wh
    edges = [before_wh, *(min(max(e, before_wh), after) for e in ends_wh), after]
    return [b - a for a, b in itertools.pairwise(edges)]
