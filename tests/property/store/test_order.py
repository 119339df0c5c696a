"""Rows put in the order of the store's keys: the same rows, in the order that sorting every row gives."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.reading import ReadingBatch, uuid_column
from openami.mdm.store.order import in_places, key_order
from openami.mdm.store.rows import stamped
from openami.mdm.store.schema import KEEP_BASE

runs = st.lists(
    st.tuples(st.integers(0, 2**128 - 1), st.integers(1, 3), st.integers(0, 40), st.integers(1, 30)), max_size=12
)


def batch_of(drawn: list[tuple[int, int, int, int]], *, length: int) -> ReadingBatch:
    """Readings in runs: a meter, a channel, a first slot and about ``length`` rows each."""
    meter, channel, start = [], [], []
    for which, number, slot, more in drawn:
        count = length + more
        meter += [UUID(int=which)] * count
        channel += [number] * count
        start += [(slot * 200 + k) * 900 for k in range(count)]
    n = len(meter)
    return ReadingBatch(
        meter_id=uuid_column(meter) if n else np.zeros(0, "V16"),
        channel=np.array(channel, np.uint8),
        start=np.array(start, np.int64) + 1_700_000_100,
        interval_s=np.full(n, 900, np.uint32),
        value=np.arange(n, dtype=np.int64),
        quality=np.zeros(n, np.uint16),
        source=np.full(n, 2, np.uint8),
        message_id=np.full(n, 7, np.uint64),
    )


def keys(batch: ReadingBatch) -> list[tuple[bytes, int, int]]:
    return list(zip((bytes(m) for m in batch.meter_id), batch.channel.tolist(), batch.start.tolist(), strict=True))


@given(drawn=runs, length=st.sampled_from([1, 40]))
def test_long_runs_come_out_sorted_by_key_and_every_row_once(
    drawn: list[tuple[int, int, int, int]], length: int
) -> None:
    distinct = list({d[:3]: d for d in drawn}.values())
    batch = batch_of(distinct, length=length)
    place = key_order(batch.meter_id, batch.channel, batch.start)
    if place is None:
        return
    assert sorted(place.tolist()) == list(range(len(batch)))
    there = keys(batch)
    assert [there[p] for p in place.tolist()] == sorted(there)


@given(drawn=runs)
def test_every_row_reaches_the_engine_with_all_it_said(drawn: list[tuple[int, int, int, int]]) -> None:
    batch = batch_of(drawn, length=20)
    rows = stamped(batch, ingested_at_ms=1_700_000_000_123)
    names = ["meter_id", "channel", "start", "interval_s", "value", "quality", "source", "message_id"]
    kept = sorted(zip(*(rows.column(n).to_pylist() for n in names), strict=True))
    asked = sorted(zip(*(batch.to_arrow().column(n).to_pylist() for n in names), strict=True))
    assert kept == asked
    assert set(rows.column("keep").to_pylist()) <= {KEEP_BASE - 1_700_000_000_123}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_single_rows_and_short_runs_are_left_to_the_engine(count: int) -> None:
    batch = batch_of([(k, 1, 0, 1) for k in range(count, 0, -1)], length=0)
    assert key_order(batch.meter_id, batch.channel, batch.start) is None


def test_runs_in_order_are_left_alone_and_others_are_moved_whole() -> None:
    ordered, turned = (
        batch_of([(1, 1, 0, 1), (2, 1, 0, 1)], length=30),
        batch_of([(2, 1, 0, 1), (1, 1, 0, 1)], length=30),
    )
    assert key_order(ordered.meter_id, ordered.channel, ordered.start) is None
    place = key_order(turned.meter_id, turned.channel, turned.start)
    assert place is not None
    assert bytes(in_places(turned.meter_id, place)[0]) == UUID(int=1).bytes
    assert in_places(turned.value, place).tolist() == [*range(31, 62), *range(31)]
