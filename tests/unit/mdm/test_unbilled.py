"""Usage that no account answers for is found by place and run of days, the most energy first."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import numpy as np

from openami.contracts.day import day_number
from openami.contracts.reading import uuid_column
from openami.mdm.ports import DailyTotals
from openami.mdm.usage.unbilled import UnbilledUsage, unbilled_usage

FIRST = date(2026, 6, 1)
A, B = UUID(int=1), UUID(int=2)


def totals(rows: list[tuple[UUID, int, int, int]]) -> DailyTotals:
    """Return (place, day of June, Wh, estimated intervals) as the store gives them."""
    n = len(rows)
    return DailyTotals(
        service_point_id=uuid_column([r[0] for r in rows]),
        local_day=np.array([day_number(FIRST) + r[1] - 1 for r in rows], np.int32),
        total=np.array([r[2] for r in rows], np.int64),
        intervals=np.full(n, 96, np.int32),
        estimated=np.array([r[3] for r in rows], np.int32),
        missing=np.zeros(n, np.int32),
        version=np.ones(n, np.uint64),
        known_at=np.zeros(n, np.int64),
    )


def test_days_with_an_account_and_days_without_usage_are_no_finding() -> None:
    has_account = np.array([[True, False, False, False, True, False], [False] * 6])
    found = unbilled_usage(totals([(A, d, 9000, 0) for d in range(1, 7)] + [(B, 3, 99, 0)]), [A, B], has_account, FIRST)
    assert found == [
        UnbilledUsage(A, date(2026, 6, 2), date(2026, 6, 4), 3, 27_000, 0),
        UnbilledUsage(A, date(2026, 6, 6), date(2026, 6, 6), 1, 9_000, 0),
    ]


def test_a_run_begins_and_ends_with_usage_and_counts_its_estimates() -> None:
    rows = [(A, 2, 5000, 4), (A, 4, 6000, 0), (B, 1, 50_000, 96)]
    found = unbilled_usage(totals(rows), [A, B], np.zeros((2, 6), bool), FIRST)
    assert found == [
        UnbilledUsage(B, date(2026, 6, 1), date(2026, 6, 1), 1, 50_000, 96),
        UnbilledUsage(A, date(2026, 6, 2), date(2026, 6, 4), 2, 11_000, 4),
    ]


def test_rows_of_other_places_and_days_are_left_alone() -> None:
    rows = [(UUID(int=9), 2, 5000, 0), (A, 30, 5000, 0)]
    assert unbilled_usage(totals(rows), [A], np.zeros((1, 6), bool), FIRST) == []
