"""Laws of the store's columns and of its wire."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.errors import ContractError
from openami.contracts.reading import uuid_column
from openami.kernel.time import EPOCH, Period
from openami.mdm.ports import MeterSpan
from openami.mdm.store.day_columns import full_days, sparse_days
from openami.mdm.store.queries import CONFLICT_SCHEMA, latest_readings
from openami.mdm.store.spans import (
    SpanRow,
    granted_spans,
    meter_chunks,
    require_granted,
    rows_in_spans,
    span_columns,
    spans_of_columns,
)
from openami.mdm.store.wire import (
    FrameKind,
    Request,
    WireError,
    decode_columns,
    decode_refusal,
    encode_columns,
    parse_frame_head,
)
from openami.security.access.scope import Purpose, granted_scope, system_scope

SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
counts = st.integers(-(2**40), 2**40)
instants = st.integers(0, 4_000_000).map(lambda ms: EPOCH + timedelta(days=20_000, milliseconds=ms))


@st.composite
def day_versions(draw: st.DrawFn) -> DayVersion:
    n = draw(st.sampled_from([0, 1, 24, 92, 96, 100]))
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = dice.integers(-(2**40), 2**40, n)
    odd = dice.random(n) < draw(st.sampled_from([0, 0.1, 1]))
    number = draw(st.integers(0, 3))
    return DayVersion(
        UUID(int=number), Channel.DELIVERED, date(2026, 3, 8), 900, EPOCH + timedelta(days=20_000), 1, EPOCH,
        UUID(int=9), values, odd.astype(np.uint8), (odd * 3).astype(np.uint8), values - odd * 17, values + odd * 2**33,
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(day_versions(), max_size=8))
def test_sparse_days_are_the_same_days(rows: list[DayVersion]) -> None:
    table = DayTable.from_rows(rows)
    stored = sparse_days(table)
    back = full_days(decode_columns(encode_columns(stored)))
    for name in DayTable.__slots__:
        assert np.array_equal(getattr(back, name), getattr(table, name)), name
    for index, row in enumerate(rows):
        measured_whole = not row.quality.any()
        assert (len(stored.column("quality")[index]) == 0) == (measured_whole or not len(row.values))


def test_days_whose_columns_disagree_in_length_are_refused() -> None:
    good = DayTable.from_rows([])
    broken = DayTable(**{n: getattr(good, n) for n in DayTable.__slots__} | {"values": np.ones(3, np.int64)})
    with pytest.raises(ContractError):
        sparse_days(broken)


raw_rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 2), st.integers(0, 3), counts), max_size=40
)
span_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=8)


@settings(deadline=None)
@given(raw_rows, span_rows)
def test_the_latest_reading_of_each_interval_in_a_span_is_chosen(
    rows: list[tuple[int, int, int, int, int]], cut: list[tuple[int, int, int]]
) -> None:
    spans = sorted(
        (SpanRow(bytes(16), UUID(int=m).bytes, min(a, b) * 900, max(a, b) * 900) for m, a, b in cut),
        key=lambda s: (s.meter_id, s.from_s),
    )
    unique = {(m, s, i): (ingested, value) for m, s, i, ingested, value in rows}
    ordered = sorted((m, s, i, *rest) for (m, s, i), rest in unique.items())
    table = pa.table(
        {
            "meter_id": pa.array([UUID(int=r[0]).bytes for r in ordered], pa.binary(16)),
            "channel": pa.array([1] * len(ordered), pa.uint8()),
            "start": pa.array([r[1] * 900 for r in ordered], pa.int64()),
            "interval_s": pa.array([900] * len(ordered), pa.uint32()),
            "value": pa.array([r[4] for r in ordered], pa.int64()),
            "quality": pa.array([0] * len(ordered), pa.uint16()),
            "source": pa.array([1] * len(ordered), pa.uint8()),
            "message_id": pa.array([r[2] for r in ordered], pa.uint64()),
            "ingested_at": pa.array([r[3] for r in ordered], pa.int64()),
        },
        schema=CONFLICT_SCHEMA,
    )
    expected: dict[tuple[bytes, int], int] = {}
    # A meter's own count of its pushes tells which was made last, whenever each of them came.
    for m, s, i, ingested, value in sorted(ordered, key=lambda r: r[2]):
        meter = UUID(int=m).bytes
        # The engine answers the spans' outer times; what lies outside them all never comes back.
        if any(p.meter_id == meter and p.from_s <= s * 900 <= p.to_s for p in spans):
            expected[meter, s * 900] = value
        del i, ingested
    outer = [min(p.from_s for p in spans), max(p.to_s for p in spans)]
    meters = {p.meter_id for p in spans}
    mask = [r["meter_id"] in meters and outer[0] <= r["start"] <= outer[1] for r in table.to_pylist()]
    got = latest_readings(table.filter(pa.array(mask, pa.bool_())), spans).to_pylist()
    assert [((r["meter_id"], r["start"]), r["value"]) for r in got] == sorted(expected.items())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), max_size=30), span_rows)
def test_rows_outside_their_meters_spans_are_not_picked(
    rows: list[tuple[int, int]], cut: list[tuple[int, int, int]]
) -> None:
    spans = [SpanRow(bytes(16), UUID(int=m).bytes, min(a, b), max(a, b)) for m, a, b in cut]
    ordered = sorted((UUID(int=m).bytes, s) for m, s in rows)
    ids = uuid_column([UUID(bytes=m) for m, _ in ordered])
    mask = rows_in_spans(spans, ids, np.array([s for _, s in ordered], np.int64))
    picked = [any(p.meter_id == m and p.from_s <= s <= p.to_s for p in spans) for m, s in ordered]
    if mask is None:
        assert len({(p.from_s, p.to_s) for p in spans}) == 1
    else:
        assert mask.tolist() == picked


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), instants, instants), max_size=5), instants, instants, st.booleans())
def test_granted_spans_hold_exactly_the_seconds_of_span_and_period_and_scope(
    cut: list[tuple[int, datetime, datetime]], a: datetime, b: datetime, end_included: bool
) -> None:
    if a == b:
        return
    period = Period(min(a, b), max(a, b))
    spans = [MeterSpan(UUID(int=m), UUID(int=m), Period(min(p), max(p))) for m, *p in cut if p[0] != p[1]]
    held = {UUID(int=m): (Period(EPOCH + timedelta(days=20_000, seconds=500), EPOCH + timedelta(days=20_001)),)
            for m in range(4)}  # fmt: skip
    scope = granted_scope(
        actor="user:1", purpose=Purpose.OWN_DATA, service_points=frozenset(held), audit_id=UUID(int=1), periods=held
    )
    base = 20_000 * 86_400
    for granted, limit in ((SYSTEM, None), (scope, held[UUID(int=0)][0])):
        rows = granted_spans(granted, spans, period, end_included=end_included)
        require_granted(granted, rows)
        assert spans_of_columns(span_columns(rows)) == rows
        assert [r for chunk in meter_chunks(rows, max_rows=1) for r in chunk] == rows
        for second in range(base, base + 4_001, 250):
            instant = EPOCH + timedelta(seconds=second)
            for number in range(4):
                bounds = [period] if limit is None else [period, limit]
                within = any(
                    all(
                        p.start <= instant and (instant <= p.end if end_included else instant < p.end)
                        for p in (s.period, *bounds)
                    )
                    for s in spans
                    if s.meter_id == UUID(int=number)
                )
                found = any(r.meter_id == UUID(int=number).bytes and r.from_s <= second <= r.to_s for r in rows)
                assert found == within


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_give_a_value_or_the_one_declared_error(octets: bytes) -> None:
    for read, error in ((Request.decode, WireError), (decode_refusal, WireError), (decode_columns, ContractError)):
        try:
            read(octets)
        except error:
            continue
    if len(octets) >= 5:
        try:
            kind, length = parse_frame_head(octets[:5])
        except WireError:
            return
        assert kind in FrameKind
        assert length < 2**28


def test_a_request_comes_back_as_it_went() -> None:
    period = Period(EPOCH + timedelta(days=20_000, microseconds=7), EPOCH + timedelta(days=20_001))
    scope = granted_scope(
        actor="user:1",
        purpose=Purpose.OWN_DATA,
        service_points=frozenset({UUID(int=5)}),
        audit_id=UUID(int=6),
        periods={UUID(int=5): (period,)},
    )
    for sent in (Request("readings", {"channel": 1}, scope, has_body=True), Request("write", {}, None)):
        assert Request.decode(sent.encode()) == sent
    assert Request.decode(Request("x", {}, SYSTEM).encode()).scope == SYSTEM
