"""Digests of one validated day, so that rules compare it with earlier days without reading their intervals. Pure.

The fingerprint is multilinear hashing modulo 2^64, of which the upper half is kept: two different days of one length
have one fingerprint with probability 2^-32. It is no secret and no proof: it tells a repeated day from another.

Source: Lemire and Kaser, "Strongly universal string hashing is fast", 2014 (multilinear family).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import BOOLS, DAY_S, I64
from openami.mdm.vee.history import MIN_DISTINCT, PROFILE_HOURS, U8

U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]
MAX_INTERVALS = 1_500
"""A day of one-minute intervals with its hour more has 1,500."""
PROFILE_WEIGHT = 8
"""Each measured day moves the profile by an eighth of the way to it: half of it is of the last five days."""
_ODD = np.random.Generator(np.random.PCG64(0x0A41)).integers(0, 2**63, MAX_INTERVALS, dtype=np.uint64) * np.uint64(
    2
) + (np.uint64(1))
_SPREAD = np.uint64(0x9E37_79B9_7F4A_7C15)
_WORST_LAST = (
    QualityState.ACTUAL, QualityState.VERIFIED, QualityState.OUTAGE_ZERO, QualityState.DERIVED, QualityState.PARTIAL,
    QualityState.EDITED, QualityState.ESTIMATED, QualityState.FORECAST, QualityState.QUESTIONABLE, QualityState.MISSING,
)  # fmt: skip
_RANK = np.zeros(256, np.uint8)
_RANK[[int(s) for s in _WORST_LAST]] = np.arange(len(_WORST_LAST))
_STATE_OF_RANK = np.array([int(s) for s in _WORST_LAST], np.uint8)
_MEASURED_RANK = int(_RANK[QualityState.OUTAGE_ZERO])


def fingerprints(values: I64) -> U32:
    """Return a number for each day's values in order; 0 for a day too flat to be told from another.

    A day counts as flat if its values fill fewer than :data:`~openami.mdm.vee.history.MIN_DISTINCT` of 64 bins.

    Args:
        values: (S, n) counts of whole days of one length.
    """
    count = values.shape[1]
    if not count:
        return np.zeros(len(values), np.uint32)
    words = np.ascontiguousarray(values).view(np.uint64)
    mixed = np.einsum("ij,j->i", words, _ODD[:count]) >> np.uint64(32)
    bins = np.bitwise_or.reduce(np.uint64(1) << ((words * _SPREAD) >> np.uint64(58)), axis=1)
    found = np.maximum(mixed, np.uint64(1)).astype(np.uint32)
    found[np.bitwise_count(bins) < MIN_DISTINCT] = 0
    return np.asarray(found)


def worst_states(quality: U8) -> U8:
    """Return the worst state of each day: the one that says least of what was used.

    Args:
        quality: (S, n) :class:`~openami.contracts.quality.QualityState`.
    """
    if not quality.shape[1] or not quality.any():
        return np.zeros(len(quality), np.uint8)
    return np.asarray(_STATE_OF_RANK[_RANK[quality].max(axis=1)])


def next_profiles(earlier: I64, values: I64, quality: U8, *, interval_s: int) -> I32:
    """Return the profile by local hour after a day, from the one before it.

    A day that was not wholly measured teaches nothing, and neither does one of 23 or 25 hours.

    Args:
        earlier: (S, 24) counts an hour before the day; a row of zeros where nothing is known.
        values: (S, n) counts of the day.
        quality: (S, n) states.
        interval_s: length of an interval [s].
    """
    hours = earlier.copy()
    if values.shape[1] * interval_s == DAY_S and interval_s <= DAY_S // PROFILE_HOURS:
        measured = _RANK[worst_states(quality)] <= _MEASURED_RANK
        day = values.reshape(len(values), PROFILE_HOURS, -1).sum(axis=2)
        is_first: BOOLS = np.asarray(~earlier.any(axis=1))
        step = np.where(is_first[:, None], day, (day - earlier + PROFILE_WEIGHT // 2) // PROFILE_WEIGHT)
        hours += np.where(measured[:, None], step, 0)
    limit = np.iinfo(np.int32)
    return np.clip(hours, limit.min, limit.max).astype(np.int32)
