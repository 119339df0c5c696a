"""What is remembered of local days: digests, so that no interval of an earlier day is read again.

Rules that compare a day with the last four weeks (high and low use, an earlier day repeated to the count, a clock that
went wrong by an hour, a half-registering meter) read these columns. Intervals of earlier days are read only for series
with gaps. :func:`remembered` is the one way to make them, for the store and for the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import BOOLS, I64, Grid

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
DIGEST_DAYS = 28
PROFILE_HOURS = 24
MIN_DISTINCT = 8
"""A vacant home repeats its days honestly: a day with fewer different values says nothing by repeating another."""

_RANK = np.zeros(256, np.uint8)
"""How bad a state is, for the worst of a day: what is not in the list is as good as measured."""
for _rank, _state in enumerate(
    (
        QualityState.ACTUAL,
        QualityState.VERIFIED,
        QualityState.DERIVED,
        QualityState.OUTAGE_ZERO,
        QualityState.PARTIAL,
        QualityState.EDITED,
        QualityState.ESTIMATED,
        QualityState.FORECAST,
        QualityState.QUESTIONABLE,
        QualityState.MISSING,
    )
):
    _RANK[_state] = _rank
_BY_RANK = np.argsort(_RANK[: len(QualityState)]).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Digests of D local days in a row, oldest first, of S series.

    Args:
        total: (S, D) counts of the day; 0 where there is no day.
        maximum: (S, D) the highest interval of the day, counts.
        base: (S, D) the lowest hour of the day, counts: what runs day and night.
        digest: (S, D) hash of the day's values in order, below 2**32; 0 where there is no day, or nothing but zeros.
        state: (S, D) the worst :class:`~openami.contracts.quality.QualityState` of the day; MISSING for no day.
        profile: (S, 24) mean counts by local hour over the days that have no missing interval, 0 where none is; kept
            ones weigh later days more (:mod:`openami.mdm.vee.profile`).
    """

    total: I64
    maximum: I64
    base: I64
    digest: U64
    state: U8
    profile: I64

    @classmethod
    def none(cls, series: int, days: int = 0) -> History:
        """Return the history of series of which nothing is remembered."""
        shape = (series, days)
        return cls(
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.uint64),
            np.full(shape, QualityState.MISSING, np.uint8),
            np.zeros((series, PROFILE_HOURS), np.int64),
        )

    def at(self, rows: I64) -> History:
        """Return the history of some of the series."""
        return History(
            self.total[rows], self.maximum[rows], self.base[rows], self.digest[rows], self.state[rows],
            self.profile[rows],
        )  # fmt: skip

    @property
    def days(self) -> int:
        """Number of days."""
        return int(self.total.shape[1])

    @property
    def is_known(self) -> BOOLS:
        """(S, D) days without a missing interval."""
        return np.asarray(self.state != QualityState.MISSING)


def remembered(grid: Grid, values: I64, quality: U8, *, hung: BOOLS | None = None) -> History:
    """Return the digests of the grid's days.

    Args:
        grid: the columns.
        values: (S, N) counts.
        quality: (S, N) states.
        hung: (S, N) cells in which a meter hung; None for all. A day on which it did not hang throughout is no day.
    """
    state = _worst(grid, quality)
    if hung is not None:
        whole = np.logical_and.reduceat(hung, grid.day_at[:-1], axis=1)
        state = np.where(whole, state, np.uint8(QualityState.MISSING))
    is_known = state != QualityState.MISSING
    total, base, profile = _hours(grid, values, is_known)
    return History(
        total=total,
        maximum=_by_day(np.maximum, grid, values),
        base=base,
        digest=_hashes(grid, values) * is_known,
        state=state,
        profile=profile,
    )


def with_states(grid: Grid, memory: History, quality: U8, rows: I64) -> History:
    """Return digests of the same values with the states of some rows as they are now."""
    if not len(rows):
        return memory
    state = memory.state.copy()
    state[rows] = _worst(grid, quality[rows])
    # What is remembered of a day hangs on no state but whether it was there at all.
    return replace(memory, state=state)


def _worst(grid: Grid, quality: U8) -> U8:
    """Return the worst state of each day (S, D)."""
    found = np.full((len(quality), grid.days), QualityState.ACTUAL, np.uint8)
    # Mostly a whole day of actual values: the rank of each is looked up for the few others alone.
    odd = np.flatnonzero(quality.max(axis=1, initial=0))
    found[odd] = _BY_RANK[np.maximum.reduceat(_RANK[quality[odd]], grid.day_at[:-1], axis=1)]
    return found


def _by_day(reduce: np.ufunc, grid: Grid, values: I64) -> I64:
    """Return what a day's values come to (S, D): one day alone is reduced in a fraction of the time."""
    if grid.days == 1:
        return np.asarray(reduce.reduce(values, axis=1)[:, None])
    return np.asarray(reduce.reduceat(values, grid.day_at[:-1], axis=1))


def joined(earlier: History, later: History) -> History:
    """Return both spans of days as one; the profile is the earlier one's."""
    return History(
        total=np.concatenate([earlier.total, later.total], axis=1),
        maximum=np.concatenate([earlier.maximum, later.maximum], axis=1),
        base=np.concatenate([earlier.base, later.base], axis=1),
        digest=np.concatenate([earlier.digest, later.digest], axis=1),
        state=np.concatenate([earlier.state, later.state], axis=1),
        profile=earlier.profile,
    )


def _hours(grid: Grid, values: I64, is_known: BOOLS) -> tuple[I64, I64, I64]:
    """Return the total and the lowest hour of each day, and the mean day by hour over the known days."""
    series = len(values)
    if grid.days == 1:
        hour, by_hour = _by_hour(grid, values, 0)
        if len(hour) == PROFILE_HOURS:
            profile = by_hour if is_known.all() else by_hour * is_known
            return by_hour.sum(axis=1, keepdims=True), by_hour.min(axis=1, keepdims=True), profile
    base = np.zeros((series, grid.days), np.int64)
    total, count = np.zeros((series, PROFILE_HOURS), np.int64), np.zeros((series, PROFILE_HOURS), np.int64)
    for day in range(grid.days):
        hour, by_hour = _by_hour(grid, values, day)
        base[:, day] = by_hour.min(axis=1)
        known = is_known[:, day, None]
        total[:, hour] += by_hour * known
        count[:, hour] += known
    return _by_day(np.add, grid, values), base, total // np.maximum(count, 1)


def _by_hour(grid: Grid, values: I64, day: int) -> tuple[I64, I64]:
    """Return the local hours of a day in which an interval begins, and the counts in them."""
    lo, hi = int(grid.day_at[day]), int(grid.day_at[day + 1])
    hour = grid.slot[lo:hi] * grid.interval_s // 3600
    begins = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(hour[1:] != hour[:-1]) + 1])
    return hour[begins], _added(values[:, lo:hi], begins)


def _added(values: I64, begins: I64) -> I64:
    """Return the sums of the runs of columns that begin at these places."""
    length = np.diff(begins, append=values.shape[1])
    step = int(length[0])
    if (length != step).any():
        return np.asarray(np.add.reduceat(values, begins, axis=1))
    # Runs of one length are added column by column, which takes a fifth of the time.
    total = values[:, ::step].copy()
    for shift in range(1, step):
        total += values[:, shift::step]
    return total


def _hashes(grid: Grid, values: I64) -> U64:
    """Return one hash a day: the sum of each value times a constant of its place, the upper half of 64 bits.

    Two different days of one length have one hash with probability 2**-32: enough to tell a repeated day, and half the
    octets to keep. Source: Lemire and Kaser, "Strongly universal string hashing is fast", 2014 (multilinear family).
    """
    found = np.zeros((len(values), grid.days), np.uint64)
    for day in range(grid.days):
        lo, hi = int(grid.day_at[day]), int(grid.day_at[day + 1])
        words = np.ascontiguousarray(values[:, lo:hi]).view(np.uint64)
        found[:, day] = np.einsum("ij,j->i", words, _weights(hi - lo)) >> np.uint64(32)
    return found


@lru_cache(maxsize=8)
def _weights(count: int) -> U64:
    """Return odd constants that look random and stay the same for ever (splitmix64)."""
    state, found = 0x9E37_79B9_7F4A_7C15, []
    for k in range(1, count + 1):
        z = (state * k) & 0xFFFF_FFFF_FFFF_FFFF
        z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & 0xFFFF_FFFF_FFFF_FFFF
        z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & 0xFFFF_FFFF_FFFF_FFFF
        found.append((z ^ (z >> 31)) | 1)
    return np.array(found, dtype=np.uint64)
