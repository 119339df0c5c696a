"""Spans of meters as columns, cut to what a scope grants, and rows picked by span. Pure.

The store knows meters, not service points: a caller says which meter hung where and when, and the rows of a meter
outside those spans are nobody's in that question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.contracts.reading import I64, UUIDS, arrow_column
from openami.kernel.time import EPOCH, Period
from openami.mdm.ports import MeterSpan
from openami.security.access.scope import Scope, ScopeError

LATEST_S = 2**32 - 1
"""The last second that the engine's time type holds, in the year 2106."""
SPAN_SCHEMA = pa.schema(
    [
        ("service_point_id", pa.binary(16)),
        ("meter_id", pa.binary(16)),
        ("from_s", pa.int64()),
        ("to_s", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One meter's seconds, both included: ``from_s <= instant <= to_s``, as integers the engine compares."""

    service_point_id: bytes
    meter_id: bytes
    from_s: int
    to_s: int


def granted_spans(
    scope: Scope, spans: Sequence[MeterSpan], period: Period, *, end_included: bool = False
) -> list[SpanRow]:
    """Return the spans cut to the period and to the scope, by meter and time.

    Args:
        scope: what may be read.
        spans: who hung where and when.
        period: the time asked for.
        end_included: whether an instant at the very end belongs (register reads: a closing read does).

    Raises:
        ScopeError: a span's service point is outside the scope.
    """
    if scope.service_points is not None:
        scope.require(frozenset(s.service_point_id for s in spans))
    rows = []
    for span in spans:
        asked = span.period.intersection(period)
        if asked is None and end_included:
            asked = _touching(span.period, period)
        if asked is None:
            continue
        parts = (asked,) if scope.periods is None else scope.granted(span.service_point_id, asked)
        for part in parts:
            from_s = max(0, _ceil_s(part.start))
            to_s = min(LATEST_S, _floor_s(part.end) if end_included else _ceil_s(part.end) - 1)
            if from_s <= to_s:
                rows.append(SpanRow(span.service_point_id.bytes, span.meter_id.bytes, from_s, to_s))
    return sorted(rows, key=lambda r: (r.meter_id, r.from_s))


def _touching(span: Period, period: Period) -> Period | None:
    """Return a microsecond around the instant at which a span ends and the period begins, or the reverse."""
    if span.end == period.start or span.start == period.end:
        instant = period.start if span.end == period.start else period.end
        return Period(instant, instant + timedelta(microseconds=1))
    return None


def span_columns(rows: Sequence[SpanRow]) -> pa.RecordBatch:
    """Return spans as columns for the wire."""
    points, meters = (np.frombuffer(b"".join(getattr(r, n) for r in rows), "V16") for n in SPAN_SCHEMA.names[:2])
    firsts, lasts = (np.array([getattr(r, n) for r in rows], np.int64) for n in SPAN_SCHEMA.names[2:])
    columns = zip((points, meters, firsts, lasts), SPAN_SCHEMA, strict=True)
    return pa.RecordBatch.from_arrays([arrow_column(c, f.type) for c, f in columns], schema=SPAN_SCHEMA)


def spans_of_columns(batch: pa.RecordBatch) -> list[SpanRow]:
    """Read spans from columns, by meter and time.

    Raises:
        ContractError: another schema, a null, or an instant the engine cannot hold.
    """
    if not batch.schema.equals(SPAN_SCHEMA) or any(c.null_count for c in batch.columns):
        raise ContractError(f"spans: columns {batch.schema.names} are not {SPAN_SCHEMA.names} without nulls")
    rows = [SpanRow(*values) for values in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
    if any(not 0 <= r.from_s <= r.to_s <= LATEST_S for r in rows):
        raise ContractError("spans: from_s and to_s must lie in order within 0 to 2^32 - 1")
    return sorted(rows, key=lambda r: (r.meter_id, r.from_s))


def require_granted(scope: Scope, rows: Sequence[SpanRow]) -> None:
    """Pass if every second of every span lies in the scope: the store's own check of what a client sends.

    Raises:
        ScopeError: one does not.
    """
    if scope.service_points is None:
        return
    scope.require(frozenset(UUID(bytes=r.service_point_id) for r in rows))
    if scope.periods is None:
        return
    for r in rows:
        start, end = EPOCH + timedelta(seconds=r.from_s), EPOCH + timedelta(seconds=r.to_s)
        held = scope.periods.get(UUID(bytes=r.service_point_id), ())
        if not any(p.start <= start and end <= p.end for p in held):
            raise ScopeError("a time outside the granted scope was asked for")


def meter_chunks(rows: Sequence[SpanRow], *, max_rows: int, row_every_s: int = 900) -> Iterator[list[SpanRow]]:
    """Cut spans (sorted by meter) into runs of whole meters of about ``max_rows`` expected rows."""
    chunk: list[SpanRow] = []
    expected = 0
    for row in rows:
        if chunk and expected >= max_rows and row.meter_id != chunk[-1].meter_id:
            yield chunk
            chunk, expected = [], 0
        chunk.append(row)
        expected += 1 + (row.to_s - row.from_s) // row_every_s
    if chunk:
        yield chunk


def rows_in_spans(spans: Sequence[SpanRow], meter_id: UUIDS, instant_s: I64) -> npt.NDArray[np.bool_] | None:
    """Tell which rows, sorted by (meter, instant), lie in a span of their meter; None where all must.

    Args:
        spans: of every meter that occurs, sorted by meter; overlapping spans are harmless.
        meter_id: (n,) V16.
        instant_s: (n,) seconds since the epoch, rising within a meter.
    """
    low, high = min(s.from_s for s in spans), max(s.to_s for s in spans)
    if all(s.from_s == low and s.to_s == high for s in spans):
        return None
    if not len(meter_id):
        return np.zeros(0, dtype=bool)
    starts = run_starts(meter_id)
    ends = np.append(starts[1:], len(meter_id))
    by_meter: dict[bytes, list[SpanRow]] = {}
    for span in spans:
        by_meter.setdefault(span.meter_id, []).append(span)
    mask = np.zeros(len(meter_id), dtype=bool)
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        own = instant_s[a:b]
        for span in by_meter.get(bytes(meter_id[a]), ()):
            first, last = np.searchsorted(own, [span.from_s, span.to_s + 1])
            mask[a + first : a + last] = True
    return mask


def run_starts(meter_id: UUIDS) -> npt.NDArray[np.int64]:
    """Return where each run of equal ids begins in a (n,) V16 column."""
    if not len(meter_id):
        return np.zeros(0, np.int64)
    halves: npt.NDArray[Any] = np.ascontiguousarray(meter_id).view(np.uint64).reshape(-1, 2)
    changes = np.flatnonzero((halves[1:] != halves[:-1]).any(axis=1)) + 1
    return np.concatenate([np.zeros(1, np.int64), changes])


def _floor_s(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def _ceil_s(instant: datetime) -> int:
    return -((EPOCH - instant) // timedelta(seconds=1))
