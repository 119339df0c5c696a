"""Laws of laying validated days out: each value stands where its interval does, whatever days each place asked for."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import QualityState
from openami.contracts.reading import uuid_column
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.usage.matrix import LocalDays, matrices_of
from openami.mdm.vee.grid import grid_of

ZONE = zone_named("America/Chicago")
FIRST = date(2026, 10, 29)
"""The night of 1 November has an hour more."""
DAYS = 6


def table_of(rows: list[tuple[int, int, int]]) -> DayTable:
    """Return one version of (place, day, interval [s]) rows; each value tells its place, its day and its number."""
    values, offsets = [], [0]
    for point, day, interval_s in rows:
        local = FIRST + timedelta(days=day)
        n = grid_of(ZONE, local, local, interval_s).columns
        values.append(point * 1_000_000 + day * 1_000 + np.arange(n))
        offsets.append(offsets[-1] + n)
    flat = np.concatenate(values) if values else np.zeros(0, np.int64)
    count, plain = len(rows), np.zeros(len(flat), np.uint8)
    local_days = [FIRST + timedelta(days=d) for _, d, _ in rows]
    return DayTable(
        service_point_id=uuid_column([UUID(int=p) for p, _, _ in rows]),
        channel=np.full(count, Channel.DELIVERED, np.uint8),
        local_day=np.array([day_number(d) for d in local_days], np.int32),
        interval_s=np.array([i for _, _, i in rows], np.uint32),
        start_utc=np.array([int(local_midnight(d, ZONE).timestamp()) for d in local_days], np.int64),
        version=np.array([d + 1 for _, d, _ in rows], np.uint64),
        known_at=np.zeros(count, np.int64),
        run_id=uuid_column([UUID(int=1)] * count),
        offsets=np.array(offsets, np.int64),
        values=flat, quality=plain, method=plain, band_low=flat, band_high=flat,
    )  # fmt: skip


KEPT = st.dictionaries(
    st.tuples(st.integers(1, 4), st.integers(0, DAYS - 1)), st.sampled_from([900, 1800]), max_size=16
)
ASKED = st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(sorted)


@given(kept=KEPT, asked=st.lists(ASKED, min_size=4, max_size=4))
def test_each_value_stands_where_its_interval_does(kept: dict[tuple[int, int], int], asked: list[list[int]]) -> None:
    spans = {
        UUID(int=p): LocalDays(ZONE, FIRST + timedelta(days=lo), FIRST + timedelta(days=hi))
        for p, (lo, hi) in enumerate(asked, 1)
    }
    rows = sorted((p, d, i) for (p, d), i in kept.items())
    found = matrices_of(table_of(rows), spans)
    seen = set()
    for days, matrices in found.items():
        for matrix in matrices:
            for row, point in enumerate(matrix.service_points):
                assert spans[point] == days
                for at in range(len(matrix.day_at) - 1):
                    day = (days.first - FIRST).days + at
                    own = slice(int(matrix.day_at[at]), int(matrix.day_at[at + 1]))
                    values, version = matrix.values[row, own], int(matrix.versions[row, at])
                    if kept.get((point.int, day)) == matrix.interval_s:
                        seen.add((point.int, day))
                        assert version == day + 1
                        assert values.tolist() == [point.int * 1_000_000 + day * 1_000 + n for n in range(len(values))]
                    else:
                        assert version == 0
                        assert not values.any()
                        assert (matrix.quality[row, own] == QualityState.MISSING).all()
    assert seen == {(p, d) for p, d in kept if asked[p - 1][0] <= d <= asked[p - 1][1]}


def test_a_day_of_another_length_than_its_zone_has_is_no_day() -> None:
    days = LocalDays(ZONE, FIRST, FIRST + timedelta(days=DAYS - 1))
    short = table_of([(1, 0, 900)])
    short.local_day[0] += 3
    with pytest.raises(ValueError, match="a day of 96 intervals of 900 s is none of America/Chicago"):
        matrices_of(short, {UUID(int=1): days})
