"""What ``openami vee`` does with its tables: the same kernel as the platform, one series at a time. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.commands.vee_table import Rows
from openami.contracts.quality import Method, QualityState
from openami.kernel.time import instant_from_epoch_s, local_date
from openami.mdm.importing import FileRefusedError
from openami.mdm.vee.brackets import Brackets, Chains, Reads, RegisterFault, brackets_of
from openami.mdm.vee.grid import DAY_S, I64, Grid, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import placed
from openami.mdm.vee.outcome import Coverage, Outcome, Statement
from openami.mdm.vee.rules import statements_of

MAX_PLACES = 6
"""Counts go down to a micro-watt-hour: what a file says is kept to the digit."""
MAX_COLUMNS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Validated:
    """One validated series: columns lo to hi of the grid are its span. Counts are ``10**-places`` Wh."""

    grid: Grid
    lo: int
    hi: int
    places: int
    outcome: Outcome
    statements: list[Statement]

    def wh(self, count: int) -> int | float:
        """Return a count in Wh, an integer where it is one."""
        if self.places == 0:
            return count
        value = Decimal(count).scaleb(-self.places)
        return int(value) if value == value.to_integral_value() else float(value)

    def count_of(self, state: QualityState) -> int:
        """Return how many intervals of the span are in a state."""
        return int(np.count_nonzero(self.outcome.quality[0, self.lo : self.hi] == state))

    def findings(self) -> list[dict[str, Any]]:
        """Return the findings as rows of the JSON document."""
        return [
            {
                "rule": s.rule,
                "severity": "fail" if s.is_failure else "warn",
                "start": self.time(int(self.grid.edge_s[s.lo])),
                "end": self.time(int(self.grid.edge_s[s.hi])),
                "evidence": {
                    k: self.wh(v) if k.endswith("_wh") and isinstance(v, int) else v for k, v in s.evidence.items()
                },
            }
            for s in sorted(self.statements, key=lambda s: (s.lo, s.rule))
        ]

    def time(self, at_s: int) -> str:
        """Return an instant as local time with its offset."""
        return instant_from_epoch_s(at_s).astimezone(self.grid.zone).isoformat()

    def rows(self) -> dict[str, list[Any]]:
        """Return the versions as columns; a missing interval has no value."""
        span, out = slice(self.lo, self.hi), self.outcome
        missing = (out.quality[0, span] == QualityState.MISSING).tolist()

        def column(matrix: I64) -> list[Any]:
            values = matrix[0, span].tolist()
            return [None if gone else self.wh(v) for v, gone in zip(values, missing, strict=True)]

        return {
            "start": [self.time(int(s)) for s in self.grid.start_s[span]],
            "value_wh": column(out.values),
            "quality": [QualityState(q).name.lower() for q in out.quality[0, span].tolist()],
            "method": [Method(m).name.lower() for m in out.method[0, span].tolist()],
            "band_low_wh": column(out.low),
            "band_high_wh": column(out.high),
        }


def validate_rows(rows: Rows, registers: Rows | None, *, zone: ZoneInfo, max_power_w: int) -> Validated:
    """Validate one series.

    Args:
        rows: its intervals.
        registers: its register reads, or None.
        zone: of its local days.
        max_power_w: the most that the service can carry [W].

    Raises:
        FileRefusedError: no interval length that divides a day, or a span that no file should have.
    """
    interval_s = _interval(rows.at_s)
    reads = registers or Rows()
    places = _places(rows.value + reads.value)
    instants = [*rows.at_s, *(s + interval_s for s in rows.at_s), *reads.at_s]
    first_s, last_s = min(instants), max(instants)
    if (last_s - first_s) // interval_s > MAX_COLUMNS:
        raise FileRefusedError(0, f"the times span more than {MAX_COLUMNS} intervals: is one of them wrong?")
    first, last = (local_date(instant_from_epoch_s(s), zone) for s in (first_s, last_s - 1))
    grid = grid_of(zone, first, last, interval_s)
    n = len(rows.at_s)
    matrix = placed(
        grid,
        1,
        row=np.zeros(n, np.int64),
        start_s=np.array(rows.at_s, dtype=np.int64),
        value=_counts(rows.value, places),
        quality=np.array(rows.quality, dtype=np.uint16),
    )
    lo, hi = (int(grid.floor_column(np.array([s]))[0]) for s in (first_s, last_s - 1))
    touched = np.zeros((1, grid.columns), bool)
    touched[0, lo : hi + 1] = True
    coverage = Coverage(touched, touched)
    brackets, faults = _brackets(grid, reads, places, max_power_w)
    limit = np.array([-(-max_power_w * interval_s // 3600) * 10**places])
    outcome = validated(grid, matrix, coverage=coverage, brackets=brackets, limit=limit)
    statements = statements_of(
        grid, matrix, outcome, coverage=coverage, limit=limit, faults=faults, wanted=np.ones((1, grid.days), bool)
    )
    return Validated(grid, lo, hi + 1, places, outcome, statements)


def _interval(at_s: list[int]) -> int:
    """Return the most common step between starts [s]; a quarter-hour where there is none."""
    steps = np.diff(np.unique(np.array(at_s, dtype=np.int64)))
    if not len(steps):
        return 900
    sizes, counts = np.unique(steps, return_counts=True)
    interval = int(sizes[int(np.argmax(counts))])
    # The short and the long day of daylight saving.
    if abs(interval - DAY_S) <= 3600:
        interval = DAY_S
    if interval < 60 or DAY_S % interval:
        raise FileRefusedError(0, f"intervals of {interval} s do not divide a day")
    return interval


def _places(values: list[Decimal]) -> int:
    """Return how many decimals the values have, at most six."""
    most = max((-int(v.normalize().as_tuple().exponent) for v in values if v), default=0)
    return min(max(most, 0), MAX_PLACES)


def _counts(values: list[Decimal], places: int) -> I64:
    return np.array([round(v.scaleb(places)) for v in values], dtype=np.int64)


def _brackets(grid: Grid, reads: Rows, places: int, max_power_w: int) -> tuple[Brackets, list[RegisterFault]]:
    """Return what the registers know. Capacity and resolution are read off the reads themselves."""
    value = _counts(reads.value, places)
    unit = 10**places
    most = int(value.max(initial=1))
    capacity = unit
    while capacity <= most:
        capacity *= 10
    resolution = 1
    while len(value) >= 3 and resolution < 10_000 * unit and not (value % (resolution * 10)).any():
        resolution *= 10

    def one(number: int) -> I64:
        return np.array([number], dtype=np.int64)

    chains = Chains(
        row=one(0),
        start_s=one(int(grid.edge_s[0])),
        end_s=one(int(grid.edge_s[-1])),
        capacity=one(capacity),
        resolution=one(resolution),
        multiplier=one(1),
        limit_w=one(max_power_w * unit),
    )
    n = len(value)
    return brackets_of(
        grid, chains, Reads(np.zeros(n, np.int64), np.array(reads.at_s, dtype=np.int64), value, np.zeros(n, bool))
    )
