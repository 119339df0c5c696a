"""Where a wrong clock's stamps begin and end: its seams. Pure.

A rule says on which local days a clock is wrong. A clock goes wrong and right at any time of a day, and a span of whole
days would move good readings, or leave wrong ones. The stamps themselves show when: a clock that jumps forward by k
intervals skips k stamps, one that jumps back by k gives k stamps twice, with other values. Of those the store takes the
later made, which are those after the jump: wrong ones where the clock goes wrong, right ones where it goes right.

So the wrong stamps of a fast clock begin after a hole of k and end before k doubled ones; those of a slow clock begin
with k doubled ones and end before a hole of k. A seam is looked for up to three days beyond the days that the rule
named, since of a day that is wrong for a few hours, or without supply, the rule says nothing; else the edge of the
named days stays.

Source: own derivation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from openami.kernel.time import Period
from openami.mdm.vee.grid import BOOLS, I64

SILENT = timedelta(hours=50)
"""So long a rule may be silent inside one fault (a day without supply says nothing); beyond it there are two faults."""
BEYOND = 3
"""Days beyond those that a rule named in which a seam may lie: as many as it may be silent, and the day of the jump."""


@dataclass(frozen=True, slots=True)
class Seams:
    """The columns of wrong stamps.

    Args:
        lo, hi: half-open.
        begins_seen, ends_seen: whether the stamps show that edge; else it is the edge of the days that a rule named.
    """

    lo: int
    hi: int
    begins_seen: bool = False
    ends_seen: bool = False


def seams_of(gone: BOOLS, twice: BOOLS, lo: int, hi: int, *, ahead: int, day: int) -> Seams:
    """Return where a clock's stamps are wrong.

    Args:
        gone: (N,) no channel of the meter has a reading.
        twice: (N,) readings of some channel differ.
        lo: first column of the days that the rule named.
        hi: column after the last of them.
        ahead: intervals by which stamps are late; negative where they are early.
        day: intervals of a day: a seam lies at most one inside the days' edges, and :data:`BEYOND` outside them.
    """
    holes, doubles = runs_of_length(gone, abs(ahead)), _doubles(twice, abs(ahead))
    begins = holes + ahead if ahead > 0 else doubles
    ends = doubles if ahead > 0 else holes
    begin = _nearest(begins, lo, lo - BEYOND * day, min(lo + day, hi - 1))
    end = _nearest(ends, hi, max(hi - day, lo + 1), hi + BEYOND * day)
    found = Seams(lo if begin is None else begin, hi if end is None else end, begin is not None, end is not None)
    return found if found.lo < found.hi else Seams(lo, hi)


def stretches(periods: Iterable[Period]) -> list[Period]:
    """Return findings of one fault at one place joined: a clock that was right for days in between is two faults."""
    found: list[Period] = []
    for period in sorted(periods, key=lambda p: p.start):
        if found and period.start - found[-1].end <= SILENT:
            found[-1] = Period(found[-1].start, max(found[-1].end, period.end))
        else:
            found.append(period)
    return found


def runs_of_length(mask: BOOLS, length: int) -> I64:
    """Return the first columns of the runs of exactly this length; one at either end of the columns is no whole run."""
    step = np.diff(mask.astype(np.int8), prepend=0, append=0)
    first, after = np.flatnonzero(step == 1), np.flatnonzero(step == -1)
    whole = (after - first == length) & (first > 0) & (after < len(mask))
    return np.asarray(first[whole], dtype=np.int64)


def _doubles(twice: BOOLS, length: int) -> I64:
    """Return the first columns of runs of doubled stamps.

    Where both readings of a stamp happen to be equal the store tells nothing. Such a stamp inside a run is bridged, and
    at one end of it does no harm: moved or not, its value is true where it lands.
    """
    at = np.flatnonzero(twice)
    if not len(at):
        return np.zeros(0, np.int64)
    begins = np.concatenate([np.ones(1, bool), np.diff(at) > max(length - 1, 1)])
    first, last = at[begins], at[np.append(begins[1:], True)]
    span = last - first + 1
    return np.asarray(first[(span == length) | ((length > 2) & (span == length - 1))], dtype=np.int64)


def _nearest(columns: I64, edge: int, least: int, most: int) -> int | None:
    near = columns[(columns >= least) & (columns <= most)]
    return int(near[np.abs(near - edge).argmin()]) if len(near) else None
