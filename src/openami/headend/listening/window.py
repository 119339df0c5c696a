"""Sliding windows of accepted invocation counters, one per key pair, as columns.

A counter is judged only after the frame's tag has verified, so a forged frame changes nothing. Inside the window and
unseen is accepted in any order; seen, or below the window, is a replay; a forward jump over :data:`MAX_JUMP` is held
for a person, because accepting it would silence the meter's true counter. A window that has seen nothing takes any
counter: the factory and the field test have counted before us.

Bit ``k`` of a window says that counter ``highest - k`` was accepted; word 0 holds the newest 64.

Source: DESIGN section 4, step 4; RFC 4303, appendix A (anti-replay windows).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]

WIDTH = 1024
WORDS = WIDTH // 64
MAX_JUMP = 10**6
NONE_SEEN = -1
"""``highest`` of a window that has accepted nothing; 0 is a counter like any other."""
MAX_TURNS = 4
"""A row that comes more often than this in one call is judged alone; fewer, many rows at a time."""
_ONE = np.uint64(1)
_FULL = (1 << WIDTH) - 1


class Verdict(IntEnum):
    """What the window says of a counter."""

    ACCEPTED = 0
    REPLAY = 1
    JUMP = 2


class CounterWindows:
    """Windows by row number. Grows; a new row has seen nothing."""

    def __init__(self, rows: int = 0) -> None:
        self.highest: I64 = np.full(rows, NONE_SEEN, np.int64)
        self.bitmap: U64 = np.zeros((rows, WORDS), np.uint64)

    def __len__(self) -> int:
        return len(self.highest)

    def grow(self, rows: int) -> None:
        """Make room for that many rows in all; memory is taken in steps, so growing by one is cheap."""
        have = len(self.highest)
        if rows > have:
            more = max(rows, have + have // 8) - have
            self.highest = np.concatenate([self.highest, np.full(more, NONE_SEEN, np.int64)])
            self.bitmap = np.concatenate([self.bitmap, np.zeros((more, WORDS), np.uint64)])

    def forget(self, rows: Rows) -> None:
        """Set these windows to "none seen": their group belongs to another owner now."""
        self.highest[rows] = NONE_SEEN
        self.bitmap[rows] = 0

    def accept(self, rows: Rows, counters: I64) -> U8:
        """Judge verified counters in the order given and keep those that are accepted.

        Args:
            rows: (n,) row of each counter; a row may come several times.
            counters: (n,) invocation counters, 0 to 2**32 - 1.

        Returns:
            (n,) :class:`Verdict` numbers.
        """
        verdicts: U8 = np.zeros(len(rows), np.uint8)
        turns, crowded = _turns(rows)
        for turn in turns:
            verdicts[turn] = self._accept_distinct(rows[turn], counters[turn])
        for run in crowded:
            verdicts[run] = self._accept_run(int(rows[run[0]]), counters[run].tolist())
        return verdicts

    def _accept_run(self, row: int, counters: list[int]) -> list[Verdict]:
        """Judge many counters of one row, on one big integer: a meter that empties its memory sends thousands."""
        highest, seen = int(self.highest[row]), int.from_bytes(self.bitmap[row].astype("<u8").tobytes(), "little")
        verdicts = []
        for counter in counters:
            ahead = counter - highest
            if highest == NONE_SEEN:
                highest, seen, verdict = counter, 1, Verdict.ACCEPTED
            elif ahead > MAX_JUMP:
                verdict = Verdict.JUMP
            elif ahead > 0:
                seen = (seen << ahead | 1) & _FULL if ahead < WIDTH else 1
                highest, verdict = counter, Verdict.ACCEPTED
            elif ahead <= -WIDTH or seen >> -ahead & 1:
                verdict = Verdict.REPLAY
            else:
                seen, verdict = seen | 1 << -ahead, Verdict.ACCEPTED
            verdicts.append(verdict)
        self.highest[row] = highest
        self.bitmap[row] = np.frombuffer(seen.to_bytes(WIDTH // 8, "little"), "<u8")
        return verdicts

    def _accept_distinct(self, rows: Rows, counters: I64) -> U8:
        """Judge counters of rows that differ from each other."""
        highest = self.highest[rows]
        ahead, first = counters - highest, highest == NONE_SEEN
        verdicts: U8 = np.full(len(rows), Verdict.REPLAY, np.uint8)
        verdicts[~first & (ahead > MAX_JUMP)] = Verdict.JUMP
        fresh = np.flatnonzero(first)
        if len(fresh):
            verdicts[fresh] = Verdict.ACCEPTED
            self.highest[rows[fresh]] = counters[fresh]
            self.bitmap[rows[fresh], 0] = _ONE
        forward = np.flatnonzero(~first & (ahead > 0) & (ahead <= MAX_JUMP))
        if len(forward):
            verdicts[forward] = Verdict.ACCEPTED
            moving = rows[forward]
            self.highest[moving] = counters[forward]
            moved = _shifted(self.bitmap[moving], ahead[forward])
            moved[:, 0] |= _ONE
            self.bitmap[moving] = moved
        behind = np.flatnonzero(~first & (ahead <= 0) & (ahead > -WIDTH))
        if len(behind):
            age = -ahead[behind]
            word, bit = age // 64, _ONE << (age % 64).astype(np.uint64)
            unseen = (self.bitmap[rows[behind], word] & bit) == 0
            verdicts[behind[unseen]] = Verdict.ACCEPTED
            self.bitmap[rows[behind][unseen], word[unseen]] |= bit[unseen]
        return verdicts


def _shifted(bitmap: U64, steps: I64) -> U64:
    """Return windows (m, WORDS) moved to older places by ``steps`` (m,), each over 0."""
    words, bits = np.minimum(steps // 64, WORDS), (steps % 64).astype(np.uint64)[:, None]
    if words.any():
        source = np.arange(WORDS)[None, :] - words[:, None]
        bitmap = np.where(source >= 0, np.take_along_axis(bitmap, np.maximum(source, 0), axis=1), np.uint64(0))
    moved: U64 = bitmap << bits
    # Shifting a 64-bit word by 64 is undefined, so the carry is shifted twice.
    moved[:, 1:] |= (bitmap[:, :-1] >> _ONE) >> (np.uint64(63) - bits)
    return moved


def _turns(rows: Rows) -> tuple[list[Rows], list[Rows]]:
    """Split positions into turns in which every row is different, and runs of rows that come very often.

    A row's positions keep their order in either.
    """
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    if len(starts) == len(rows):
        return ([np.arange(len(rows))] if len(rows) else []), []
    lengths = np.diff(np.append(starts, len(rows)))
    often = lengths > MAX_TURNS
    crowded = [order[at : at + n] for at, n in zip(starts[often].tolist(), lengths[often].tolist(), strict=True)]
    rank = np.arange(len(rows)) - np.repeat(starts, lengths)
    rank[np.repeat(often, lengths)] = MAX_TURNS
    return [order[rank == turn] for turn in range(min(int(rank.max()) + 1, MAX_TURNS))], crowded
