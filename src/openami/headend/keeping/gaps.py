"""What is missing of a :class:`~openami.headend.keeping.coverage.Coverage`, as stretches, and how the days stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from openami.headend.keeping.coverage import (
    ABSENT,
    DARK,
    DAY_BITS,
    DAY_MASK,
    DEPTH_DAYS,
    I64,
    MARKED,
    RECEIVED,
    RING_DAYS,
    SLOT_S,
    SLOTS,
    U8,
    Coverage,
    Mask,
    page_key,
)
from openami.headend.keeping.levels import EXPECTED, HORIZON_HOURS, Levels

MARKED_DAYS = 3
"""A day with a row that was cut short stays open this long: the other end of the outage may lie in the next day."""
_FIRST = np.packbits(np.tri(SLOTS + 1, SLOTS, -1, dtype=np.uint8), axis=1, bitorder="little")
"""Row k: the first k quarter-hours of a day."""


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Missing stretches as columns of one length n, by meter and time.

    Args:
        number: (n,) meter.
        first: (n,) first missing quarter-hour.
        count: (n,) how many.
    """

    number: I64
    first: I64
    count: I64

    def __len__(self) -> int:
        return len(self.number)


def find_gaps(coverage: Coverage, *, until_s: int) -> Gaps:
    """Return what is missing of the intervals that ended by an instant, and finish the days that miss nothing.

    Args:
        coverage: of a group; days are begun and finished in it.
        until_s: seconds since the epoch; an interval that ends later is not missing yet.
    """
    coverage.roll(until_s)
    _open_days(coverage)
    horizon = until_s // SLOT_S
    gaps = _missing_runs(coverage, horizon)
    dark = _dark_runs(coverage, gaps)
    for i in np.flatnonzero(dark).tolist():
        first, count = int(gaps.first[i]), int(gaps.count[i])
        coverage.excuse(int(gaps.number[i]), first * SLOT_S, (first + count) * SLOT_S)
    _finish_days(coverage, horizon)
    return Gaps(gaps.number[~dark], gaps.first[~dark], gaps.count[~dark])


def standing(coverage: Coverage, *, until_s: int) -> Mapping[tuple[int, int], I64]:
    """Return the counts of :class:`~openami.headend.keeping.levels.Levels` with what open days are expected to give."""
    coverage.roll(until_s)
    _open_days(coverage)
    owed = _owed(coverage, until_s // SLOT_S)
    number, day = coverage.key >> DAY_BITS, coverage.key & DAY_MASK
    both = Levels({key: value.copy() for key, value in coverage.levels.counts.items()})
    hangs = owed > 0
    both.expect(day[hangs], coverage.cell[number[hangs]], owed[hangs])
    return both.counts


def share_within(counts: I64, hours: int) -> float:
    """Return the share of expected intervals that came within 1, 6, 24 or 72 hours; 1.0 where none is expected."""
    within = int(counts[: HORIZON_HOURS.index(hours) + 1].sum())
    return within / int(counts[EXPECTED]) if counts[EXPECTED] else 1.0


def _open_days(coverage: Coverage) -> None:
    """Begin the pages of days that nothing has come from."""
    late = np.flatnonzero(coverage.opened < coverage.today)
    if not len(late):
        return
    first = max(int(coverage.opened[late].min()) + 1, coverage.today - DEPTH_DAYS + 1)
    keys = [np.zeros(0, np.int64)]
    for day in range(first, coverage.today + 1):
        on = late[coverage.opened[late] < day]
        owes = (coverage.since[on] < (day + 1) * SLOTS) & (coverage.until[on] > day * SLOTS)
        done = coverage.finished[on] >> np.uint64(day % RING_DAYS) & np.uint64(1) == 1
        keys.append(page_key(on[owes & ~done], day))
    coverage.begin_pages(np.sort(np.concatenate(keys)))
    coverage.opened[late] = coverage.today


def _owed(coverage: Coverage, horizon: int) -> I64:
    """Return how many quarter-hours of each page count in service levels: (pages,)."""
    number = coverage.key >> DAY_BITS
    first = np.maximum(coverage.since, coverage.counted)[number]
    owed = np.bitwise_count(_expected(coverage, horizon, first) & ~coverage.bits[:, DARK]).sum(axis=1)
    return np.where(coverage.is_rostered[number], owed, 0).astype(np.int64)


def _expected(coverage: Coverage, horizon: int, first: I64 | None = None) -> U8:
    """Return which quarter-hours from ``first`` (of each page) to the horizon each page owes: (pages, 12)."""
    number, start = coverage.key >> DAY_BITS, (coverage.key & DAY_MASK) * SLOTS
    end = np.minimum(coverage.until[number], horizon)
    # While a meter has no supply it owes nothing from the interval in which it failed.
    down = coverage.down_s[number]
    end = np.where(down >= 0, np.minimum(end, down // SLOT_S), end)
    begin = coverage.since[number] if first is None else first
    low, high = (np.clip(edge - start, 0, SLOTS) for edge in (begin, end))
    return np.asarray(_FIRST[high] & ~_FIRST[low])


def _missing(coverage: Coverage, horizon: int) -> U8:
    known = coverage.bits[:, RECEIVED] | coverage.bits[:, DARK] | coverage.bits[:, ABSENT]
    return np.asarray(_expected(coverage, horizon) & ~known)


def _missing_runs(coverage: Coverage, horizon: int) -> Gaps:
    missing = _missing(coverage, horizon)
    rows = np.flatnonzero(missing.any(axis=1))
    page, place = np.nonzero(np.unpackbits(missing[rows], axis=1, bitorder="little"))
    key = coverage.key[rows][page]
    number, slot = key >> DAY_BITS, (key & DAY_MASK) * SLOTS + place
    if not len(slot):
        return Gaps(number, slot, slot)
    starts = np.flatnonzero((np.diff(slot, prepend=slot[0] - 2) != 1) | (np.diff(number, prepend=number[0]) != 0))
    return Gaps(number[starts], slot[starts], np.diff(np.append(starts, len(slot))))


def _dark_runs(coverage: Coverage, gaps: Gaps) -> Mask:
    """Tell which stretches lie between two rows that were cut short: there the supply was away."""
    dark = np.zeros(len(gaps), np.bool_)
    marked = np.unique(coverage.key[coverage.bits[:, MARKED].any(axis=1)] >> DAY_BITS)
    some = np.flatnonzero(np.isin(gaps.number, marked))
    before, after = gaps.first[some] - 1, gaps.first[some] + gaps.count[some]
    dark[some] = _is_marked(coverage, gaps.number[some], before) & _is_marked(coverage, gaps.number[some], after)
    return dark


def _is_marked(coverage: Coverage, number: I64, slot: I64) -> Mask:
    wanted = page_key(number, slot // SLOTS)
    at = np.minimum(np.searchsorted(coverage.key, wanted), len(coverage.key) - 1)
    octet = coverage.bits[at, MARKED, slot % SLOTS // 8]
    return np.asarray((coverage.key[at] == wanted) & (octet >> (slot % 8).astype(np.uint8) & 1 == 1))


def _finish_days(coverage: Coverage, horizon: int) -> None:
    """Fold pages that owe nothing more into the meter's bits, and count what they owed."""
    number, day = coverage.key >> DAY_BITS, coverage.key & DAY_MASK
    over = ((day + 1) * SLOTS <= horizon) & (coverage.down_s[number] < 0)
    waits = coverage.bits[:, MARKED].any(axis=1) & (day > coverage.today - MARKED_DAYS)
    done = over & ~waits & ~_missing(coverage, horizon).any(axis=1)
    if not done.any():
        return
    owed = _owed(coverage, horizon)
    counts = done & (owed > 0)
    coverage.levels.expect(day[counts], coverage.cell[number[counts]], owed[counts])
    np.bitwise_or.at(coverage.finished, number[done], np.uint64(1) << (day[done] % RING_DAYS).astype(np.uint64))
    coverage.changed.update(np.unique(number[done]).tolist())
    coverage.key, coverage.bits = coverage.key[~done], coverage.bits[~done]
