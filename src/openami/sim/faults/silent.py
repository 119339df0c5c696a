"""Meters of the demonstration that measure wrong for a while, so that the worklist has something to find.

A stopped meter counts nothing though there is voltage; a half-registering one has lost an element. Register and
intervals agree, as they do in the field: only the past and the voltage give them away. The energy that was not counted
is lost to the meter, not to the law: what is metered stays conserved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

DAY_S = 86_400
STOPPED_DAYS, STOPPED_AGO_DAYS = 6, 5
HALF_DAYS, HALF_AGO_DAYS = 24, 8
FEWEST_DAYS = 75
"""Of history: validation compares with four weeks before, and a fault wants to have been found since."""


@dataclass(frozen=True, slots=True)
class SilentFault:
    """A meter counts a share of what flows.

    Args:
        meter: which.
        start_s, end_s: local midnights or near them, seconds since the epoch, half-open.
        divisor: the share is 1 over this; 0 counts nothing.
    """

    meter: int
    start_s: int
    end_s: int
    divisor: int


def plan_silent(
    seed: int, candidates: npt.NDArray[np.int64], count: int, *, genesis_s: int, history_end_s: int
) -> list[SilentFault]:
    """Place faults near the end of the history: first a stopped meter, then a half-registering one, and so on.

    Args:
        seed: of the world.
        candidates: meters that may have one: no roof, no exchange.
        count: how many.
        genesis_s: begin of the history, a local midnight.
        history_end_s: its end.
    """
    days = (history_end_s - genesis_s) // DAY_S
    if count < 1 or days < FEWEST_DAYS:
        return []
    chosen = dice(seed=seed, stream=Stream.SILENT).choice(candidates, min(count, len(candidates)), replace=False)
    found = []
    for k, meter in enumerate(chosen.tolist()):
        long, ago, divisor = (STOPPED_DAYS, STOPPED_AGO_DAYS, 0) if k % 2 == 0 else (HALF_DAYS, HALF_AGO_DAYS, 2)
        end_s = genesis_s + (days - ago - 2 * (k // 2)) * DAY_S
        found.append(SilentFault(meter, end_s - long * DAY_S, end_s, divisor))
    return found


def measured_mj(
    faults: list[SilentFault], start_s: npt.NDArray[np.int64], through_mj: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return what the meters count of what flows through them.

    Args:
        faults: of the territory.
        start_s: (n,) interval starts.
        through_mj: (m, n) energy through each meter, positive to the home [mJ].
    """
    touching = [f for f in faults if f.start_s <= start_s[-1] and f.end_s > start_s[0]]
    if not touching:
        return through_mj
    counted = through_mj.copy()
    for fault in touching:
        inside = (start_s >= fault.start_s) & (start_s < fault.end_s)
        counted[fault.meter, inside] = 0 if fault.divisor == 0 else counted[fault.meter, inside] // fault.divisor
    return counted
