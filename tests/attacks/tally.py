"""What the tests of each attack came to: a plugin of pytest that counts while they run."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from tests.attacks.marks import LONG, rows_of
from tests.attacks.rows import ROWS


class Result(StrEnum):
    """How a row came out."""

    HOLDS = "holds"
    BROKEN = "BROKEN"
    SKIPPED = "skipped"
    """Tests of it were skipped; those that ran passed."""
    UNTESTED = "NO TEST"


@dataclass(slots=True)
class RowTally:
    """Tests of one row. Where one could not even begin it counts as failed."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: int = 0

    @property
    def result(self) -> Result:
        """What it all comes to."""
        if self.failed:
            return Result.BROKEN
        if not self.passed:
            return Result.UNTESTED
        return Result.SKIPPED if self.skipped else Result.HOLDS


class Tally:
    """Counts by row. Give it to :func:`pytest.main` as a plugin.

    Attributes:
        rows: what ran.
        long: by row, how many tests only the long runs (``make soak``) take.
    """

    def __init__(self) -> None:
        self.rows: dict[str, RowTally] = defaultdict(RowTally)
        self.long: Counter[str] = Counter()

    def pytest_testnodedown(self, node: Any) -> None:
        """Take from a worker how many tests only the long runs take; all workers collect the same."""
        self.long = Counter(getattr(node, "workeroutput", {}).get(LONG, {})) or self.long

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: by its call, or by the step before or after it that went wrong."""
        for row in rows_of(report.user_properties):
            tally = self.rows[row]
            if report.failed:
                tally.failed.append(report.nodeid)
            elif report.skipped:
                tally.skipped += 1
            elif report.when == "call":
                tally.passed += 1

    @property
    def is_good(self) -> bool:
        """Whether every row of the table has a test and none is broken."""
        return all(self.rows[row].result in {Result.HOLDS, Result.SKIPPED} for row in ROWS)
