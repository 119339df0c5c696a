"""One place's day rows become one series, whatever order they come in; days of another interval length are left out."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.kernel.time import epoch_s, local_day, local_midnight
from openami.mdm.usage.series import series_of_days

PLACE, ZONE = UUID(int=1), ZoneInfo("America/Chicago")


def day_row(day: date, interval_s: int, dice: np.random.Generator) -> DayVersion:
    count = local_day(day, ZONE).duration_s // interval_s
    value = dice.integers(0, 500, count)
    return DayVersion(
        service_point_id=PLACE, channel=Channel.DELIVERED, local_day=day, interval_s=interval_s,
        start_utc=local_midnight(day, ZONE), version=1, known_at=local_midnight(day, ZONE), run_id=UUID(int=2),
        values=value, quality=dice.integers(0, 3, count).astype(np.uint8),
        method=dice.integers(0, 3, count).astype(np.uint8), band_low=value - 1, band_high=value + 1,
    )  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.integers(0, 12), unique=True, max_size=9), st.sets(st.integers(0, 12)), st.integers(0, 2**32))
def test_a_series_holds_each_interval_of_each_day_by_start(numbers: list[int], hourly: set[int], seed: int) -> None:
    # The clocks change on 1 November 2026: one of these days has an hour more.
    days, dice = [date(2026, 10, 25) + timedelta(days=n) for n in numbers], np.random.default_rng(seed)
    rows = [day_row(d, 3600 if n in hourly else 900, dice) for n, d in zip(numbers, days, strict=True)]
    found = series_of_days(DayTable.from_rows(rows), service_point_id=PLACE, channel=Channel.DELIVERED, interval_s=1800)
    by_day = sorted(rows, key=lambda r: r.local_day)
    kept = [r for r in by_day if r.interval_s == by_day[0].interval_s]
    assert found.interval_s == (kept[0].interval_s if kept else 1800)
    starts = [epoch_s(r.start_utc) + i * r.interval_s for r in kept for i in range(len(r.values))]
    assert found.start_s.tolist() == starts == sorted(starts)
    pairs = (("value", "values"), ("quality", "quality"), ("method", "method"), ("low", "band_low"))
    for of_series, of_row in (*pairs, ("high", "band_high")):
        assert getattr(found, of_series).tolist() == [v for r in kept for v in getattr(r, of_row).tolist()]
    assert not found.preliminary.any()
