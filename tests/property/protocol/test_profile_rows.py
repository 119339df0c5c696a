"""Laws of profile rows: compression loses nothing, and any buffer is rows of one length or a PeerError."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.protocol.values import any_data, fixed

from openami.protocol import axdr
from openami.protocol.axdr import Data, Tag, octet_string
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.cosem.profile_buffer import Row, compress_rows, expand_rows
from openami.protocol.errors import PeerError

COLUMNS = (Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG, Tag.UNSIGNED, Tag.ENUM, Tag.LONG64)
PERIOD_S = 900


@st.composite
def profiles(draw: st.DrawFn) -> tuple[Row, ...]:
    tags = draw(st.lists(st.sampled_from(COLUMNS), max_size=4))
    at = datetime(2026, 3, 1, tzinfo=UTC)
    rows: list[Row] = []
    for _ in range(draw(st.integers(0, 6))):
        at += timedelta(seconds=draw(st.sampled_from([PERIOD_S, PERIOD_S, 60])))
        clock = octet_string(date_time_from_utc(at, deviation_minutes=360).encode())
        fresh = [draw(fixed(t)) for t in tags]
        # A repeated value and a small step are what meters have; a fresh one is what tests find faults with.
        values = (
            [draw(st.sampled_from([new, old])) for new, old in zip(fresh, rows[-1][1:], strict=True)] if rows else fresh
        )
        rows.append((clock, *values))
    return tuple(rows)


@given(profiles(), st.booleans(), st.sampled_from([0, PERIOD_S]))
@settings(max_examples=150)
def test_compressed_rows_come_back_over_the_wire(rows: tuple[Row, ...], with_deltas: bool, period_s: int) -> None:
    short = compress_rows(rows, capture_period_s=period_s, with_deltas=with_deltas)
    assert expand_rows(axdr.decode(axdr.encode(short)), capture_period_s=period_s) == rows
    assert len(axdr.encode(short)) <= len(axdr.encode(compress_rows(rows, clock_column=None)))


@given(
    st.lists(st.lists(any_data, max_size=3).map(lambda e: Data(Tag.STRUCTURE, tuple(e))), max_size=4).map(
        lambda rows: Data(Tag.ARRAY, tuple(rows))
    )
    | any_data,
    st.sampled_from([None, 0, 1]),
    st.sampled_from([0, PERIOD_S]),
)
def test_any_value_is_rows_of_one_length_or_a_peer_error(data: Data, clock_column: int | None, period_s: int) -> None:
    try:
        rows = expand_rows(data, clock_column=clock_column, capture_period_s=period_s)
    except PeerError:
        return
    assert len({len(r) for r in rows}) <= 1
