"""Which days and places one look of the careful road covers, and which of them need a wider one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import Method
from openami.kernel.time import local_midnight
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.validation.load import Inputs
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import LOOK_BACK_DAYS
from openami.mdm.vee.grid import BOOLS, Grid
from openami.mdm.vee.outcome import Coverage, Outcome

POINTS_AT_ONCE = 500
POINTS_OF_ONE_DAY = 1_500
"""One day and the four weeks before it, of so many, are some 250 MB."""
MAX_DAYS_AT_ONCE = 31
_SETTLED = (
    Method.MEASURED, Method.POWER_FAIL_ZERO, Method.LINEAR_SCALED, Method.MANUAL, Method.CALCULATED, Method.CHECK_METER
)  # fmt: skip
"""Methods of values that no wider window would change."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days asked for, of service points that share zone, interval and window."""

    zone: ZoneInfo
    interval_s: int
    points: tuple[UUID, ...]
    first: date
    last: date
    with_mates: bool = False
    """Whether clocks are judged by mates, too, that are none of these points."""


def pieces(
    zone: ZoneInfo, interval_s: int, points: tuple[UUID, ...], first: date, last: date, *, with_mates: bool = False
) -> list[Span]:
    """Cut a piece of work into such as fit in memory: some service points, at most a month."""
    pieces: list[Span] = []
    while first <= last:
        until = min(last, first + timedelta(days=MAX_DAYS_AT_ONCE - 1))
        step = POINTS_OF_ONE_DAY if first == until else POINTS_AT_ONCE
        pieces += [
            Span(zone, interval_s, points[at : at + step], first, until, with_mates)
            for at in range(0, len(points), step)
        ]
        first = until + timedelta(days=1)
    return pieces


def at_rows(points: Sequence[UUID], mask: BOOLS) -> tuple[UUID, ...]:
    """Return the points at which the mask, (S,), is set."""
    return tuple(p for p, here in zip(points, mask.tolist(), strict=True) if here)


def asked_days(grid: Grid, inputs: Inputs, first: date, last: date) -> BOOLS:
    """Return the asked days on which a meter hung there."""
    asked = np.zeros(grid.days, bool)
    asked[grid.index_of(first) : grid.index_of(last) + 1] = True
    hung = np.logical_or.reduceat(inputs.coverage.touched, grid.day_at[:-1], axis=1)
    return np.asarray(hung & asked)


def worth_writing(inputs: Inputs, channel: Channel, latest: DayTable) -> BOOLS:
    """Return the rows that get versions: all of delivered energy, others where the meter has anything to say."""
    rows: BOOLS = np.asarray(inputs.matrix.present.any(axis=1))
    if channel is Channel.DELIVERED:
        return np.ones(len(rows), bool)
    if channel is Channel.RECEIVED:
        rows = np.asarray((inputs.matrix.values != 0).any(axis=1))
        rows[inputs.brackets.row[inputs.brackets.energy != 0]] = True
    known = {bytes(p) for p in np.unique(latest.service_point_id).tolist()} if len(latest) else set()
    return np.asarray(rows | np.array([p.bytes in known for p in inputs.points], dtype=bool))


def needs_wide(grid: Grid, inputs: Inputs, outcome: Outcome, span: Span) -> BOOLS:
    """Return the rows that the narrow window cannot settle: a long gap, or an end of a day that no read brackets."""
    lo, hi = (int(c) for c in (grid.day_at[grid.index_of(span.first)], grid.day_at[grid.index_of(span.last) + 1]))
    asked = slice(lo, hi)
    settled = np.isin(outcome.method[:, asked], _SETTLED)
    wide: BOOLS = np.asarray((inputs.coverage.touched[:, asked] & ~settled).any(axis=1))
    held = np.zeros((len(inputs.points), grid.columns + 1), bool)
    held[inputs.brackets.row, inputs.brackets.lo] = True
    held[inputs.brackets.row, inputs.brackets.hi] = True
    hung_first = inputs.coverage.touched[:, lo - 1] & inputs.coverage.touched[:, lo]
    hung_last = inputs.coverage.touched[:, hi - 1] & inputs.coverage.touched[:, min(hi, grid.columns - 1)]
    return np.asarray(wide | (hung_first & ~held[:, lo]) | (hung_last & ~held[:, hi]) | ~inputs.has_data)


def held_whole(grid: Grid, inputs: Inputs, span: Span) -> BOOLS:
    """Return the rows whose asked days begin and end with a register read that nothing speaks against."""
    lo, hi = (int(c) for c in (grid.day_at[grid.index_of(span.first)], grid.day_at[grid.index_of(span.last) + 1]))
    begins, ends = np.zeros(len(inputs.points), bool), np.zeros(len(inputs.points), bool)
    begins[inputs.brackets.row[inputs.brackets.lo == lo]] = True
    ends[inputs.brackets.row[inputs.brackets.hi == hi]] = True
    held = np.asarray(begins & ends)
    held[[fault.row for fault in inputs.faults]] = False
    return held


def hung_long(points: Sequence[UUID], installed: Sequence[InstalledMeter], span: Span) -> BOOLS:
    """Return the places at which one meter hung over all days that an estimate may refer to."""
    since = local_midnight(span.first - timedelta(days=LOOK_BACK_DAYS), span.zone)
    count = Counter(i.installation.service_point_id for i in installed)
    long = {i.installation.service_point_id for i in installed if i.installation.start <= since}
    return np.array([count[p] == 1 and p in long for p in points], dtype=bool)


def bracket_windows(grid: Grid, brackets: Brackets, span: Span) -> list[tuple[date, date]]:
    """Return for each row the days of all brackets that touch the asked days."""
    lo, hi = int(grid.day_at[grid.index_of(span.first)]), int(grid.day_at[grid.index_of(span.last) + 1])
    first = np.full(len(span.points), grid.index_of(span.first))
    last = np.full(len(span.points), grid.index_of(span.last))
    touching = (brackets.lo < hi) & (brackets.hi > lo)
    np.minimum.at(first, brackets.row[touching], grid.day_of[brackets.lo[touching]])
    np.maximum.at(last, brackets.row[touching], grid.day_of[brackets.hi[touching] - 1])
    return [(grid.day(a), grid.day(b)) for a, b in zip(first.tolist(), last.tolist(), strict=True)]


def confined(inputs: Inputs, grid: Grid, inside: BOOLS) -> Inputs:
    """Return inputs in which only the days (S, D) inside are to be filled; the days around are references."""
    columns = inside[:, grid.day_of]
    b = inputs.brackets
    kept = columns[b.row, b.lo] & columns[b.row, b.hi - 1]
    brackets = b.kept(kept)
    coverage = Coverage(inputs.coverage.whole, inputs.coverage.touched & columns)
    return replace(inputs, coverage=coverage, brackets=brackets)
