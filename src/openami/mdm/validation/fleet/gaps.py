"""Plain days of series with gaps: filled from the four weeks before, many series at once. Pure.

A gap that both midnights' registers bracket wants the days like it, as the careful road finds them: the versions of
the four weeks before, and what has come of the day after. Those are asked for once a night, in the order of the service
points, because the store unpacks with each place the few that lie beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import RawQuality
from openami.contracts.reading import I64, uuids_of
from openami.kernel.time import epoch_s
from openami.mdm.ports import Values
from openami.mdm.store.ids import IdIndex, sorted_ids
from openami.mdm.validation.fleet.layout import chains_of
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.load import Inputs, limits_of, multiplied, with_versions
from openami.mdm.validation.table import Stamp
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import LOOK_BACK_DAYS, References
from openami.mdm.vee.grid import BOOLS, Grid, grid_of
from openami.mdm.vee.kernel import filled
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.rules.rule import group_of

_N = TypeVar("_N", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Gapped:
    """R series of one channel with gaps on one day, held by the registers of both midnights.

    Args:
        roster: the meters.
        place: (R,) their rows in the fleet's roster.
        matrix: what came of the day.
        brackets: of the day, by row.
        siblings: what came of the other channels.
    """

    roster: Roster
    place: I64
    matrix: Matrix
    brackets: Brackets
    siblings: Mapping[Channel, Matrix]

    def at(self, rows: I64) -> Gapped:
        """Return some of the series, in the order of their rows."""
        new = np.full(len(self.place), -1, np.int64)
        new[rows] = np.arange(len(rows))
        kept = self.brackets.kept(new[self.brackets.row] >= 0)
        row = new[kept.row]
        order = np.lexsort((kept.lo, row))
        return Gapped(
            self.roster.at(rows), self.place[rows], self.matrix.at(rows), replace(kept, row=row).at(order),
            {c: m.at(rows) for c, m in self.siblings.items()},
        )  # fmt: skip


def are_fillable(roster: Roster, matrix: Matrix, outcome: Outcome) -> BOOLS:
    """Tell which rows, unsettled by the day alone, the careful road would fill from the four weeks before.

    What the day next door decides is left to it: a single interval lost at a midnight, a power failure across one, a
    day without any reading whose date may have been read the other way around.

    Args:
        roster: the meters.
        matrix: what came.
        outcome: what became of it.
    """
    if roster.is_long is None:
        return np.zeros(len(roster), bool)
    missing = ~matrix.present | outcome.refused
    alone = (missing[:, 0] & ~missing[:, 1]) | (missing[:, -1] & ~missing[:, -2])
    return np.asarray(roster.is_long & ~alone & matrix.present.any(axis=1) & ~may_be_dark(matrix, outcome))


def may_be_dark(matrix: Matrix, outcome: Outcome) -> BOOLS:
    """Tell which rows may have had no power across a midnight: only the day next door says."""
    missing = ~matrix.present | outcome.refused
    at_edge = missing[:, 0] | missing[:, -1]
    if not matrix.flags.any():
        return np.zeros(len(missing), bool)
    return np.asarray(at_edge & ((matrix.flags & RawQuality.POWER_DOWN) != 0).any(axis=1))


def joined(parts: Sequence[Gapped]) -> Gapped:
    """Return all of some series as one, by service point."""
    shift = np.cumsum([0, *(len(p.place) for p in parts)])
    rosters, brackets = [p.roster for p in parts], [p.brackets for p in parts]
    whole = Gapped(
        _rosters(rosters),
        np.concatenate([p.place for p in parts]),
        _matrices([p.matrix for p in parts]),
        _brackets([replace(b, row=b.row + s) for b, s in zip(brackets, shift.tolist(), strict=False)]),
        {c: _matrices([p.siblings[c] for p in parts]) for c in parts[0].siblings},
    )
    return whole.at(sorted_ids(whole.roster.point))


def window_of(grid: Grid) -> Grid:
    """Return a day with the days that its estimates refer to: four weeks before and the day after."""
    day = timedelta(days=1)
    return grid_of(grid.zone, grid.first - LOOK_BACK_DAYS * day, grid.last + day, grid.interval_s)


def has_weeks(grid: Grid, gapped: Gapped, before: DayTable) -> BOOLS:
    """Tell which series have a version of each of the days before; of the others raw readings are to be read."""
    row = IdIndex(gapped.roster.point).rows_of(before.service_point_id)
    alike = (row >= 0) & (before.interval_s == grid.interval_s)
    return np.asarray(np.bincount(row[alike], minlength=len(gapped.place)) == LOOK_BACK_DAYS)


def inputs_over_weeks(grid: Grid, gapped: Gapped, before: DayTable, after: Values, stamp: Stamp) -> Inputs:
    """Return what the kernel needs to fill the day, on the window of :func:`window_of`.

    Args:
        grid: one local day.
        gapped: the series.
        before: the versions of the four weeks before.
        after: readings of the day after, of these meters and others.
        stamp: channel and domain time: nothing is expected after it.
    """
    window, count = window_of(grid), len(gapped.place)
    lo = int(window.day_at[LOOK_BACK_DAYS])
    mine = slice(lo, lo + grid.columns)
    matrix = _empty(count, window)
    next_day = _day_after(window, gapped, after, stamp)
    for name in ("values", "present", "flags", "conflicting", "duplicated"):
        getattr(matrix, name)[:, mine] = getattr(gapped.matrix, name)
        getattr(matrix, name)[:, mine.stop :] = getattr(next_day, name)
    whole, touched = np.zeros((count, window.columns), bool), np.zeros((count, window.columns), bool)
    whole[:, window.edge_s[1:] <= epoch_s(stamp.known_at)] = True
    touched[:, mine] = True
    brackets = replace(gapped.brackets, lo=gapped.brackets.lo + lo, hi=gapped.brackets.hi + lo)
    limit = limits_of(window, count, chains_of(window, gapped.roster), stamp.channel)
    inputs = Inputs(
        uuids_of(gapped.roster.point), matrix, Coverage(whole, touched), brackets, limit, [], np.ones(count, bool)
    )
    return with_versions(window, inputs, before)


def filled_day(grid: Grid, inputs: Inputs, references: References, stamp: Stamp) -> tuple[Outcome, Brackets]:
    """Return the day of the inputs' window, filled as the careful road fills it, and how its brackets were understood.

    No rule was asked yet.
    """
    window = window_of(grid)
    lo = int(window.day_at[LOOK_BACK_DAYS])
    found, known = filled(
        window, inputs.matrix, coverage=inputs.coverage, brackets=inputs.brackets, limit=inputs.limit,
        group=group_of(stamp.channel), book=stamp.book, references=references,
    )  # fmt: skip

    def cut(matrix: npt.NDArray[_N]) -> npt.NDArray[_N]:
        return np.ascontiguousarray(matrix[:, lo : lo + grid.columns])

    day = Outcome(
        cut(found.values), cut(found.quality), cut(found.method), cut(found.low), cut(found.high), cut(found.refused),
        [replace(s, lo=s.lo - lo, hi=s.hi - lo) for s in found.statements],
    )  # fmt: skip
    return day, replace(known, lo=known.lo - lo, hi=known.hi - lo)


def _day_after(window: Grid, gapped: Gapped, after: Values, stamp: Stamp) -> Matrix:
    """Lay out what came of the day after up to the run."""
    day = grid_of(window.zone, window.last, window.last, window.interval_s)
    row = IdIndex(gapped.roster.meter).rows_of(after.meter_id)
    kept = (row >= 0) & (after.start < epoch_s(stamp.known_at))
    row = row[kept]
    return placed(
        day, len(gapped.place), row=row, start_s=after.start[kept],
        value=multiplied(after.value[kept], gapped.roster.multiplier[row]), quality=after.quality[kept],
    )  # fmt: skip


def _empty(series: int, grid: Grid) -> Matrix:
    shape = (series, grid.columns)
    return Matrix(
        np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, np.uint16), np.zeros(shape, bool),
        np.zeros(shape, bool), np.zeros((series, grid.days), np.int64),
    )  # fmt: skip


def _matrices(parts: Sequence[Matrix]) -> Matrix:
    names = ("values", "present", "flags", "duplicated", "conflicting", "off_grid")
    return Matrix(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _brackets(parts: Sequence[Brackets]) -> Brackets:
    names = ("row", "lo", "hi", "energy", "tolerance", "slack", "off_lo_s", "off_hi_s")
    return Brackets(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _rosters(parts: Sequence[Roster]) -> Roster:
    names = ("meter", "point", "channels", "capacity", "resolution", "multiplier", "limit_w", "may_feed_in")
    columns: list[Any] = [np.concatenate([getattr(p, name) for p in parts]) for name in names]
    for name in ("neighborhood", "is_long"):
        pieces: list[Any] = [getattr(p, name) for p in parts]
        columns.append(None if any(p is None for p in pieces) else np.concatenate(pieces))
    return Roster(*columns)
