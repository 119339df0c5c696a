"""The worst 30 minutes of a radio, from what it counted itself.

A day's mean hides what people ask about. So the most that was sent in any 30 minutes is looked for: exactly where each
sending is known, and from above where only counts per minute (or any other short slot) were kept. A window that begins
within a slot reaches into one slot more than it is long, so that one is counted whole: never less than the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.network.exposure.error import ExposureError

WINDOW_S = 1800
"""47 CFR 1.1310: the limit for the general population is an average over 30 minutes."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One time on the air.

    Args:
        start_s: when it began, seconds on any one clock.
        seconds: how long it took, at least 0.
    """

    start_s: float
    seconds: float


def worst_window_s(sendings: Iterable[Sending], window_s: float = WINDOW_S) -> float:
    """Return the most seconds on the air within any window of time [s].

    Args:
        sendings: in any order; one radio sends one thing at a time, so none overlap.
        window_s: length of the window [s].

    Raises:
        ExposureError: sendings overlap, or one takes less than no time.

    >>> worst_window_s([Sending(0, 2), Sending(1799, 2), Sending(9000, 3)])
    3.0
    """
    ordered = sorted(sendings, key=lambda s: s.start_s)
    _refuse_overlap(ordered)
    if not ordered:
        return 0.0
    start = np.array([s.start_s for s in ordered], dtype=np.float64)
    end = np.array([s.start_s + s.seconds for s in ordered], dtype=np.float64)
    sent = np.concatenate(([0.0], np.cumsum(end - start)))

    def sent_until(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Seconds on the air before each instant."""
        begun = np.searchsorted(start, at, side="right")
        newest = np.maximum(begun - 1, 0)
        unfinished = np.where(begun > 0, np.maximum(end[newest] - at, 0.0), 0.0)
        return sent[begun] - unfinished

    # A window that begins elsewhere can be moved to where a sending begins without losing any of it.
    return float(np.max(sent_until(start + window_s) - sent_until(start)))


def _refuse_overlap(ordered: Sequence[Sending]) -> None:
    free_at = -np.inf
    for one in ordered:
        if one.seconds < 0:
            raise ExposureError(f"a sending of {one.seconds} s: give at least 0")
        # Starts come rounded to a microsecond or so, and one sending follows at the heels of another.
        if one.start_s < free_at - 1e-6:
            raise ExposureError(f"a sending begins at {one.start_s} s, before the one before it ended at {free_at} s")
        free_at = one.start_s + one.seconds


def worst_window_share(slots_s: npt.ArrayLike, *, slot_s: float, window_s: float = WINDOW_S) -> float:
    """Return the largest share of any window that was spent on the air, 0 to 1, from above.

    Args:
        slots_s: (n,) seconds on the air in each slot, one slot after the other.
        slot_s: length of a slot [s]; the window is a whole number of slots.
        window_s: length of the window [s].

    Raises:
        ExposureError: slots do not fit the window, or a slot was sent for longer than it is.

    >>> worst_window_share([0.0, 6.0, 0.0], slot_s=60)
    0.0033333333333333335
    """
    sent = np.asarray(slots_s, dtype=np.float64)
    length = round(window_s / slot_s) if slot_s > 0 else 0
    if length < 1 or not np.isclose(length * slot_s, window_s):
        raise ExposureError(f"slots of {slot_s} s do not fill a window of {window_s} s")
    if not sent.size:
        return 0.0
    if not bool(np.all((sent >= 0) & (sent <= slot_s * (1 + 1e-9)))):
        raise ExposureError(f"a slot of {slot_s} s was sent for {sent.min():g} to {sent.max():g} s")
    reach = min(length + 1, sent.size)
    before = np.concatenate(([0.0], np.cumsum(sent)))
    return min(1.0, float(np.max(before[reach:] - before[:-reach])) / window_s)
