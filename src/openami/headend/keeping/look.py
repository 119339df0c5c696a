"""A look at one meter's coverage: what is known of each quarter-hour, for the page that explains a missing read."""

from __future__ import annotations

import numpy as np

from openami.headend.keeping.coverage import ABSENT, DARK, RECEIVED, RING_DAYS, SLOTS, Coverage, page_key
from openami.headend.keeping.missing import IntervalState


def interval_states(coverage: Coverage, number: int, first: int, count: int) -> list[IntervalState]:
    """Return what is known of quarter-hours of a meter.

    Args:
        coverage: of the meter's group.
        number: the meter.
        first: first quarter-hour since 1970-01-01T00:00Z.
        count: how many.

    Returns:
        ``UNKNOWN`` where nothing is expected of the meter.
    """
    return [_state(coverage, number, slot) for slot in range(first, first + count)]


def _state(coverage: Coverage, number: int, slot: int) -> IntervalState:
    day, place = divmod(slot, SLOTS)
    if not coverage.since[number] <= slot < coverage.until[number]:
        return IntervalState.UNKNOWN
    if coverage.finished[number] >> np.uint64(day % RING_DAYS) & np.uint64(1) and day > coverage.today - RING_DAYS:
        # Of a finished day nothing is missing.
        return IntervalState.RECEIVED
    key = int(page_key(np.array([number], np.int64), day)[0])
    at = int(np.searchsorted(coverage.key, key))
    if at < len(coverage.key) and coverage.key[at] == key:
        octets = coverage.bits[at, :, place // 8] >> np.uint8(place % 8) & 1
        for kind, state in (
            (RECEIVED, IntervalState.RECEIVED), (DARK, IntervalState.DARK), (ABSENT, IntervalState.ABSENT),
        ):  # fmt: skip
            if octets[kind]:
                return state
    return IntervalState.MISSING
