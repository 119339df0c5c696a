"""What a register shows at an instant at which nobody read it, and what passed while no meter hung there. Pure.

Both are estimates that say what they were made of: a read plus the intervals since (the usage calculation of Itron's
catalogue), and a mean of days. Source: research note vee-grid, section 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.registry.change import EndRead, Unmetered
from openami.mdm.registry.errors import MissingReadError
from openami.mdm.vee.grid import I64

DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What the store holds of one channel of one meter around an instant.

    Args:
        read_s, read: register reads by instant, seconds since the epoch and counts.
        start_s, value: intervals by start, seconds since the epoch and counts.
        interval_s: their length [s].
        capacity: count at which the register rolls over; None where unknown.
        resolution: what the register resolves [counts].
    """

    read_s: I64
    read: I64
    start_s: I64
    value: I64
    interval_s: int
    capacity: int | None
    resolution: int = 1


def register_at(known: Known, at_s: int, *, because: str, meter: str) -> EndRead:
    """Return what the register showed at an instant: a read of that very instant, else an estimate.

    The nearest read is carried to the instant by the intervals in between; seconds without one count at the mean of the
    others. The register truncates to its resolution.

    Args:
        known: reads and intervals around the instant.
        at_s: seconds since the epoch.
        because: why it was not read.
        meter: its serial, for the refusal.

    Raises:
        MissingReadError: the store holds no register read of it at all.
    """
    exact = np.flatnonzero(known.read_s == at_s)
    if len(exact):
        return EndRead(int(known.read[exact[-1]]))
    if not len(known.read_s):
        raise MissingReadError(f"meter {meter}: no register read of it is known, so none can be estimated; give one")
    nearest = int(np.argmin(np.abs(known.read_s - at_s)))
    from_s, value = int(known.read_s[nearest]), int(known.read[nearest])
    passed = _passed(known, min(from_s, at_s), max(from_s, at_s))
    shown = value + (passed if from_s < at_s else -passed)
    shown -= shown % known.resolution
    if known.capacity is not None:
        shown %= known.capacity
    return EndRead(max(shown, 0), because or "not read")


def _passed(known: Known, lo_s: int, hi_s: int) -> int:
    """Return the counts between two instants; what no interval covers counts at the mean of what one does."""
    overlap = np.minimum(known.start_s + known.interval_s, hi_s) - np.maximum(known.start_s, lo_s)
    overlap = np.maximum(overlap, 0)
    covered = int(overlap.sum())
    if covered == 0:
        return 0
    counts = int((known.value * overlap).sum()) // known.interval_s
    return counts + counts * (hi_s - lo_s - covered) // covered


def unmetered(channel: Channel, period: Period, daily_wh: I64, *, by_hand: int | None = None) -> Unmetered:
    """Return the energy that passed while no meter hung there, as a labelled estimate.

    Args:
        channel: delivered or received.
        period: from the out-read to the next in-read.
        daily_wh: (D,) totals of the last validated days before it [Wh], those without a gap.
        by_hand: what a person says it was [Wh]; None to estimate it.
    """
    evidence: Mapping[str, int | float | str] = {"days": len(daily_wh), "seconds": period.duration_s}
    if by_hand is not None:
        return Unmetered(channel, period, by_hand, "by_hand", evidence)
    if not len(daily_wh):
        return Unmetered(channel, period, 0, "no_history", evidence)
    value = int(daily_wh.sum()) * period.duration_s // (len(daily_wh) * DAY_S)
    return Unmetered(channel, period, value, "mean_of_days", evidence)
