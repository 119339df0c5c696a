"""Validated days of many service points laid out as matrices, one for each run of local days and interval length. Pure.

Rows are laid by columns: no step is taken for each day of each place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import QualityState
from openami.contracts.reading import uuids_of
from openami.mdm.store.spans import run_starts
from openami.mdm.vee.grid import I64, Grid, grid_of


@dataclass(frozen=True, slots=True)
class LocalDays:
    """Local days of one zone, first and last included."""

    zone: ZoneInfo
    first: date
    last: date


@dataclass(frozen=True, slots=True, eq=False)
class UsageMatrix:
    """Validated intervals of many service points on one grid, for fleet billing.

    Args:
        service_points: S ids, the order of the rows.
        zone: the grid's zone.
        interval_s: [s].
        start_s: (N,) start of each interval.
        day_at: (D + 1,) column at which each local day begins.
        values: (S, N) int64 counts; 0 where there is no version or the state is MISSING.
        quality: (S, N) uint8 states; MISSING where there is no version.
        versions: (S, D) uint64 version of each day; 0 where there is none.
    """

    service_points: tuple[UUID, ...]
    zone: ZoneInfo
    interval_s: int
    start_s: I64
    day_at: I64
    values: I64
    quality: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    versions: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]


def matrices_of(table: DayTable, asked: Mapping[UUID, LocalDays]) -> dict[LocalDays, list[UsageMatrix]]:
    """Return the days of a table as matrices, by the local days that were asked for.

    Args:
        table: of one channel, each day at most once; other days than those asked for are passed over.
        asked: the local days of each service point of the table.
    """
    begin = run_starts(table.service_point_id)
    points = uuids_of(table.service_point_id[begin])
    run_of = np.repeat(np.arange(len(begin)), np.diff(begin, append=len(table.local_day)))
    by_days: dict[LocalDays, list[int]] = {}
    for run, point in enumerate(points):
        by_days.setdefault(asked[point], []).append(run)
    found: dict[LocalDays, list[UsageMatrix]] = {}
    for days, runs in by_days.items():
        is_mine = np.zeros(len(begin), bool)
        is_mine[runs] = True
        day = table.local_day.astype(np.int64)
        inside = is_mine[run_of] & (day >= day_number(days.first)) & (day <= day_number(days.last))
        rows = np.flatnonzero(inside)
        lengths = table.interval_s[rows]
        for interval_s in np.unique(lengths).tolist():
            mine = rows[lengths == interval_s]
            found.setdefault(days, []).append(_matrix(table, points, run_of[mine], mine, days, int(interval_s)))
    return found


def _matrix(
    table: DayTable, points: list[UUID], run_of: I64, rows: I64, days: LocalDays, interval_s: int
) -> UsageMatrix:
    """Lay rows of a table out; ``run_of`` numbers the service point of each row."""
    grid = grid_of(days.zone, days.first, days.last, interval_s)
    # A service point whose days lie apart in the table has several runs and one row.
    order = tuple(dict.fromkeys(points[r] for r in np.unique(run_of).tolist()))
    row_of = {point: row for row, point in enumerate(order)}
    row = np.array([row_of.get(p, -1) for p in points], np.int64)[run_of]
    day = table.local_day[rows].astype(np.int64) - day_number(days.first)
    into, taken = _places(table, grid, rows, row, day)
    values = np.zeros(len(order) * grid.columns, np.int64)
    quality = np.full(len(order) * grid.columns, QualityState.MISSING, np.uint8)
    values[into], quality[into] = table.values[taken], table.quality[taken]
    versions = np.zeros((len(order), grid.days), np.uint64)
    versions[row, day] = table.version[rows]
    shape = (len(order), grid.columns)
    return UsageMatrix(
        order, days.zone, interval_s, grid.start_s, grid.day_at, values.reshape(shape), quality.reshape(shape), versions
    )


def _places(table: DayTable, grid: Grid, rows: I64, row: I64, day: I64) -> tuple[I64, I64]:
    """Return where each value of some rows goes in the flat matrix, and where it stands in the table."""
    counts = table.offsets[rows + 1] - table.offsets[rows]
    if (counts != grid.day_at[day + 1] - grid.day_at[day]).any():
        wrong = int(np.flatnonzero(counts != grid.day_at[day + 1] - grid.day_at[day])[0])
        raise ValueError(f"a day of {counts[wrong]} intervals of {grid.interval_s} s is none of {grid.zone.key}")
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    into = np.repeat(row * grid.columns + grid.day_at[day], counts) + within
    return into, np.repeat(table.offsets[rows], counts) + within
