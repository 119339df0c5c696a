"""From the kernel's matrices to day versions and findings: only what differs from the latest version. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_from_number, day_number
from openami.contracts.reading import uuid_column
from openami.kernel.finding import Severity
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s
from openami.mdm.validation.decisions import Force
from openami.mdm.validation.ports import DayFinding
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.outcome import Outcome, Statement
from openami.mdm.vee.ruleset import RuleBook

_COLUMNS = (
    ("values", "values"),
    ("quality", "quality"),
    ("method", "method"),
    ("low", "band_low"),
    ("high", "band_high"),
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of a run carries, the decisions and rules that it obeys, and what was loaded already."""

    channel: Channel
    run_id: UUID
    known_at: datetime
    force: Force = field(default_factory=Force)
    loads: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    book: RuleBook = field(default_factory=RuleBook)
    since: date | None = None
    """Days before it keep what they have: their raw readings were removed."""

    def kept_back(self, grid: Grid, wanted: BOOLS) -> BOOLS:
        """Return the wanted days (S, D) without those whose raw readings were removed."""
        if self.since is None or self.since <= grid.first:
            return wanted
        there = np.arange(grid.days) >= grid.index_of(self.since)
        return np.asarray(wanted & there)


def changed_days(
    grid: Grid, points: Sequence[UUID], outcome: Outcome, wanted: BOOLS, *, latest: DayTable, stamp: Stamp
) -> tuple[DayTable, I64, I64]:
    """Return the wanted days that have no version yet, or one of other content, with the next version number.

    With them come the row and the index of the day of each.

    Args:
        grid: the columns.
        points: (S,) service point of each row.
        outcome: matrices (S, N).
        wanted: (S, D) days to write.
        latest: the latest versions there are.
        stamp: channel, run and domain time.
    """
    row, day = np.nonzero(wanted)
    version = np.ones(len(row), np.uint64)
    keep = np.ones(len(row), bool)
    if len(latest):
        _compare(grid, points, outcome, row, day, latest=latest, version=version, keep=keep)
    row, day, version = row[keep], day[keep], version[keep]
    lo = grid.day_at[day]
    count = grid.day_at[day + 1] - lo
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])
    cell = np.repeat(row * grid.columns + lo - offsets[:-1], count) + np.arange(offsets[-1])
    ids = uuid_column(list(points))
    days = DayTable(
        service_point_id=ids[row],
        channel=np.full(len(row), stamp.channel, np.uint8),
        local_day=(day + day_number(grid.first)).astype(np.int32),
        interval_s=np.full(len(row), grid.interval_s, np.uint32),
        start_utc=grid.start_s[lo],
        version=version,
        known_at=np.full(len(row), epoch_s(stamp.known_at), np.int64),
        run_id=uuid_column([stamp.run_id] * len(row)) if len(row) else np.zeros(0, "V16"),
        offsets=offsets,
        values=outcome.values.ravel()[cell],
        quality=outcome.quality.ravel()[cell],
        method=outcome.method.ravel()[cell],
        band_low=outcome.low.ravel()[cell],
        band_high=outcome.high.ravel()[cell],
    )
    return days, row, day


def _compare(
    grid: Grid,
    points: Sequence[UUID],
    outcome: Outcome,
    row: I64,
    day: I64,
    *,
    latest: DayTable,
    version: npt.NDArray[np.uint64],
    keep: BOOLS,
) -> None:
    """Set the next version of days that are there, and drop those whose content is the same."""
    base = day_number(grid.first)
    there = {
        (bytes(point), number): index
        for index, (point, number) in enumerate(
            zip(latest.service_point_id.tolist(), latest.local_day.tolist(), strict=True)
        )
    }
    for pair, (r, d) in enumerate(zip(row.tolist(), day.tolist(), strict=True)):
        index = there.get((points[r].bytes, d + base))
        if index is None:
            continue
        version[pair] = latest.version[index] + np.uint64(1)
        new = slice(int(grid.day_at[d]), int(grid.day_at[d + 1]))
        old = slice(int(latest.offsets[index]), int(latest.offsets[index + 1]))
        same = int(latest.interval_s[index]) == grid.interval_s and all(
            np.array_equal(getattr(outcome, ours)[r, new], getattr(latest, theirs)[old]) for ours, theirs in _COLUMNS
        )
        keep[pair] = not same


Versions = dict[tuple[bytes, int], int]
"""Version of each (service point, local day number)."""


def versions_of(days: DayTable) -> Versions:
    """Return the version of each day of a table."""
    rows = zip(days.service_point_id.tolist(), days.local_day.tolist(), days.version.tolist(), strict=True)
    return {(bytes(point), number): int(version) for point, number, version in rows}


def unchanged_versions(
    grid: Grid, points: Sequence[UUID], wanted: BOOLS, *, latest: DayTable, changed: Versions
) -> Versions:
    """Return the wanted days whose latest version stays as it is, with that version."""
    known, base = versions_of(latest), day_number(grid.first)
    row, day = np.nonzero(wanted)
    keys = [(points[r].bytes, d + base) for r, d in zip(row.tolist(), day.tolist(), strict=True)]
    return {key: known[key] for key in keys if key in known and key not in changed}


def findings_of(
    grid: Grid, points: Sequence[UUID], statements: Sequence[Statement], versions: Versions, stamp: Stamp
) -> list[DayFinding]:
    """Return statements about days of these versions, each tied to the first of them that it touches."""
    base = day_number(grid.first)
    found = []
    for s in statements:
        point = points[s.row]
        touched = range(int(grid.day_of[s.lo]), int(grid.day_of[s.hi - 1]) + 1)
        number = next((d + base for d in touched if (point.bytes, d + base) in versions), None)
        if number is None:
            continue
        found.append(
            DayFinding(
                service_point_id=point,
                channel=stamp.channel,
                local_day=day_from_number(number),
                version=versions[point.bytes, number],
                run_id=stamp.run_id,
                rule=s.rule,
                severity=Severity.FAIL if s.is_failure else Severity.WARN,
                period=Period(
                    instant_from_epoch_s(int(grid.edge_s[s.lo])), instant_from_epoch_s(int(grid.edge_s[s.hi]))
                ),
                known_at=stamp.known_at,
                evidence=s.evidence,
            )
        )
    return found
