"""What a run leaves as it was on the days next to the asked ones, which share a bracket with them. Pure.

Such a day gets a new version because the bracket's energy is shared out anew. Its other cells belong to brackets that
reach farther, or to none: this run does not know them as the day's own run does. They stay as the day's version has
them, and so do the findings about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from openami.contracts.day import DayTable, day_number
from openami.mdm.validation.ports import DayFinding
from openami.mdm.validation.table import Stamp, Versions
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import BOOLS, Grid
from openami.mdm.vee.outcome import Outcome

_COLUMNS = (
    ("values", "values"), ("quality", "quality"), ("method", "method"), ("low", "band_low"), ("high", "band_high")
)  # fmt: skip


def frozen_cells(grid: Grid, beside: BOOLS, brackets: Brackets) -> BOOLS:
    """Return the cells (S, N) of days beside the asked ones that no bracket of the run holds.

    Args:
        grid: the columns.
        beside: (S, D) days that are written though nobody asked for them.
        brackets: of the run.
    """
    edges = np.zeros((len(beside), grid.columns + 1), np.int64)
    np.add.at(edges, (brackets.row, brackets.lo), 1)
    np.add.at(edges, (brackets.row, brackets.hi), -1)
    return np.asarray(beside[:, grid.day_of] & (np.cumsum(edges, axis=1)[:, :-1] == 0))


def keep_cells(grid: Grid, points: Sequence[UUID], outcome: Outcome, frozen: BOOLS, latest: DayTable) -> None:
    """Write into frozen cells of an outcome what the latest versions have there."""
    row_of = {point.bytes: row for row, point in enumerate(points)}
    base = day_number(grid.first)
    for index, (point, number) in enumerate(
        zip(latest.service_point_id.tolist(), latest.local_day.tolist(), strict=True)
    ):
        row, day = row_of[bytes(point)], number - base
        cut = slice(int(grid.day_at[day]), int(grid.day_at[day + 1]))
        mine = frozen[row, cut]
        old = slice(int(latest.offsets[index]), int(latest.offsets[index + 1]))
        if mine.any() and int(latest.interval_s[index]) == grid.interval_s and old.stop - old.start == len(mine):
            for ours, theirs in _COLUMNS:
                getattr(outcome, ours)[row, cut][mine] = getattr(latest, theirs)[old][mine]


def carried(
    grid: Grid, points: Sequence[UUID], frozen: BOOLS, known: Sequence[DayFinding], versions: Versions, stamp: Stamp
) -> list[DayFinding]:
    """Return open findings about frozen cells, tied to the versions that their days have now."""
    row_of = {point: row for row, point in enumerate(points)}
    found = []
    for f in known:
        version = versions.get((f.service_point_id.bytes, day_number(f.local_day)))
        row = row_of.get(f.service_point_id)
        if version is None or row is None or f.channel is not stamp.channel:
            continue
        day = grid.index_of(f.local_day)
        lo, hi = (int(c) for c in np.searchsorted(grid.edge_s, [f.period.start_s, f.period.end_s]))
        # What reaches on into later days was tied to this one, its first.
        if frozen[row, max(lo, int(grid.day_at[day])) : min(hi, int(grid.day_at[day + 1]))].all():
            found.append(replace(f, version=version, run_id=stamp.run_id, known_at=stamp.known_at))
    return found
