"""Columns of the store's answers as the values that the ports promise. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.ports import Conflict, DailyTotals, LastReading, Values
from openami.mdm.store import queries
from openami.mdm.store.queries import TOTALS_SCHEMA

_DAY_COLUMNS = ("service_point_id", "channel", "local_day", "interval_s", "start_utc", "version", "known_at", "run_id")
_VALUE_COLUMNS = ("values", "quality", "method", "band_low", "band_high")


def joined_days(tables: Sequence[DayTable]) -> DayTable:
    """Return all rows of the tables in order."""
    if not tables:
        return DayTable.from_rows([])
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(t, name) for t in tables]) for name in (*_DAY_COLUMNS, *_VALUE_COLUMNS[:3])
    }
    for name in _VALUE_COLUMNS[3:]:
        # Where the band is the values themselves it stays so, and is not copied.
        same = all(getattr(t, name) is t.values for t in tables)
        columns[name] = columns["values"] if same else np.concatenate([getattr(t, name) for t in tables])
    lengths = np.concatenate([np.diff(t.offsets) for t in tables])
    columns["offsets"] = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return DayTable(**columns)


def values(parts: Sequence[pa.RecordBatch]) -> Values:
    """Return the rows of all parts as columns."""
    columns: list[npt.NDArray[Any]] = []
    for field in queries.VALUE_SCHEMA:
        pieces = [_numbers(p.column(field.name)) for p in parts]
        empty = np.zeros(0, "V16" if field.name == "meter_id" else field.type.to_pandas_dtype())
        columns.append(pieces[0] if len(pieces) == 1 else np.concatenate([empty, *pieces]))
    return Values(*columns)


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    if column.type != pa.binary(16):
        numbers: npt.NDArray[Any] = column.to_numpy()
        return numbers
    return np.frombuffer(column.buffers()[1], dtype="V16", count=column.offset + len(column))[column.offset :]


def daily_totals(parts: Sequence[pa.RecordBatch]) -> DailyTotals:
    """Return the rows of all parts as columns."""
    whole = pa.Table.from_batches(parts, schema=TOTALS_SCHEMA).combine_chunks()

    def numbers(name: str) -> npt.NDArray[Any]:
        column: npt.NDArray[Any] = whole.column(name).to_numpy()
        return column

    ids = b"".join(whole.column("service_point_id").to_pylist())
    return DailyTotals(
        service_point_id=np.frombuffer(ids, dtype="V16"),
        local_day=numbers("local_day"),
        total=numbers("total"),
        intervals=numbers("intervals"),
        estimated=numbers("estimated"),
        missing=numbers("missing"),
        version=numbers("version"),
        known_at=numbers("known_at"),
    )


def last_readings(parts: Sequence[pa.RecordBatch]) -> dict[UUID, LastReading]:
    """Return the oldest and newest reading of each meter in the parts; a meter may occur in several."""
    newest: dict[UUID, LastReading] = {}
    for part in parts:
        for row in part.to_pylist():
            meter, first = UUID(bytes=row["meter_id"]), instant_from_epoch_s(row["first"])
            start, ingested_at = instant_from_epoch_s(row["start"]), instant_from_epoch_s(row["ingested_at"] // 1000)
            known = newest.get(meter)
            if known is not None:
                first = min(first, known.first)
                start, ingested_at = max((start, ingested_at), (known.start, known.ingested_at))
            newest[meter] = LastReading(meter, first, start, ingested_at)
    return newest


def conflicts(part: pa.RecordBatch) -> list[Conflict]:
    """Return rows of conflicting readings as values."""
    return [
        Conflict(
            meter_id=UUID(bytes=row["meter_id"]),
            channel=Channel(row["channel"]),
            start=instant_from_epoch_s(row["start"]),
            interval_s=row["interval_s"],
            value=row["value"],
            source=row["source"],
            message_id=row["message_id"],
            ingested_at=instant_from_epoch_s(row["ingested_at"] // 1000),
        )
        for row in part.to_pylist()
    ]
