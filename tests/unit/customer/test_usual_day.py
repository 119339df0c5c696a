"""A usual day by hand: medians by wall clock, gaps left out, clock changes survived."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.customer.usual_day import comparison_span, interval_starts, usual_day

ZONE = ZoneInfo("America/Chicago")


def compare(day: date, values: dict[int, int], by: datetime, *, gap: int | None = None) -> tuple[float | None, int]:
    """Give each earlier week a constant value and ask for the sum by an instant."""
    span = comparison_span(day, ZONE)
    start = np.arange(span.start_s, span.end_s, 900, dtype=np.int64)
    value = np.zeros(len(start), np.int64)
    for week, wh in values.items():
        starts = interval_starts(day - timedelta(weeks=week), ZONE, 900)
        value[np.isin(start, starts)] = wh
    known = start != gap
    found = usual_day(start, value, is_known=known, day=day, zone=ZONE, interval_s=900, by=by)
    return found.by_now_wh, found.days


def test_the_median_of_four_weeks_is_taken_by_the_same_time() -> None:
    noon = datetime(2026, 11, 23, 18, tzinfo=UTC)
    assert compare(date(2026, 11, 23), {1: 100, 2: 200, 3: 400, 4: 900}, noon) == (48 * 300, 4)


def test_a_day_with_a_gap_before_the_time_is_left_out_and_one_after_it_counts() -> None:
    noon = datetime(2026, 11, 23, 18, tzinfo=UTC)
    week = interval_starts(date(2026, 11, 16), ZONE, 900)
    values = {1: 100, 2: 200, 3: 400, 4: 900}
    assert compare(date(2026, 11, 23), values, noon, gap=int(week[3])) == (48 * 400, 3)
    assert compare(date(2026, 11, 23), values, noon, gap=int(week[80])) == (48 * 300, 4)


def test_today_with_25_hours_compares_with_days_of_24() -> None:
    evening = datetime(2026, 11, 2, 6, tzinfo=UTC)
    usual, days = compare(date(2026, 11, 1), {1: 100, 2: 100, 3: 100, 4: 100}, evening)
    assert (usual, days) == (100 * 100, 4)


def test_a_usual_day_with_the_lost_hour_of_spring_leaves_that_week_out() -> None:
    noon = datetime(2026, 3, 15, 17, tzinfo=UTC)
    usual, days = compare(date(2026, 3, 15), {1: 900, 2: 100, 3: 100, 4: 100}, noon)
    assert (usual, days) == (48 * 100, 3)


def test_one_earlier_day_is_no_usual_day() -> None:
    span = comparison_span(date(2026, 11, 23), ZONE)
    start = np.arange(span.end_s - 8 * 86_400, span.end_s, 900, dtype=np.int64)
    found = usual_day(
        start, np.full(len(start), 100), is_known=np.ones(len(start), np.bool_), day=date(2026, 11, 23), zone=ZONE,
        interval_s=900, by=datetime(2026, 11, 23, 18, tzinfo=UTC),
    )  # fmt: skip
    assert (found.by_now_wh, found.days) == (None, 1)
