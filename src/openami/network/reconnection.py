"""How long a collector waits before it tries its line again: a herd that lost its line together comes back spread."""

from __future__ import annotations

LEAST_WAIT_S = 0.1
FIRST_SPAN_S = 1.0
LONGEST_WAIT_S = 60.0
"""After a long outage ten thousand collectors come back over a minute, and the gateway shakes 170 hands a second."""
URGENT_WAIT_S = 5.0
"""What a collector that holds a last gasp waits at most: outages are found from those that come first."""


def rest_s(throw: float, tries: int, *, is_urgent: bool, longest_s: float = LONGEST_WAIT_S) -> float:
    """Return how long to wait before a connection is tried again [s].

    The wait is spread over the whole span, so that collectors which lost their line together do not come back together.

    Args:
        throw: a number from 0 up to 1.
        tries: connections that failed since one was good.
        is_urgent: whether a last gasp waits.
        longest_s: the span after many tries.

    >>> [round(rest_s(0.5, n, is_urgent=False), 2) for n in (0, 3, 20)], round(rest_s(0.5, 20, is_urgent=True), 2)
    ([0.55, 4.05, 30.05], 2.55)
    """
    span_s: float = min(URGENT_WAIT_S if is_urgent else longest_s, FIRST_SPAN_S * 2.0 ** min(tries, 16))
    return LEAST_WAIT_S + throw * (span_s - LEAST_WAIT_S)
