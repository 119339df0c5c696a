"""Validated local days: VEE's output and everyone's input. One row is one version; nothing is ever replaced.

A table is columns with ragged values: row ``i`` owns ``values[offsets[i]:offsets[i + 1]]`` and the same slice of the
other four value columns. A quarter-hour day has 92, 96 or 100 values.

Source: DESIGN section 4, step 5 (``reading_day``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.channel import Channel
from openami.contracts.errors import ContractError
from openami.contracts.reading import I64, U8, U32, U64, UUIDS, arrow_column, uuid_column
from openami.kernel.time import epoch_s, instant_from_epoch_s

_LISTS = ("values", "quality", "method", "band_low", "band_high")
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

DAY_SCHEMA = pa.schema(
    [
        ("service_point_id", pa.binary(16)),
        ("channel", pa.uint8()),
        ("local_day", pa.int32()),
        ("interval_s", pa.uint32()),
        ("start_utc", pa.int64()),
        ("version", pa.uint64()),
        ("known_at", pa.int64()),
        ("run_id", pa.binary(16)),
        ("values", pa.list_(pa.int64())),
        ("quality", pa.list_(pa.uint8())),
        ("method", pa.list_(pa.uint8())),
        ("band_low", pa.list_(pa.int64())),
        ("band_high", pa.list_(pa.int64())),
    ],
    metadata={b"contract": b"openami.day.v1"},
)


def day_number(day: date) -> int:
    """Return whole days since 1970-01-01.

    >>> day_number(date(1970, 1, 2))
    1
    """
    return day.toordinal() - _EPOCH_ORDINAL


def day_from_number(number: int) -> date:
    """Return the calendar day that many days after 1970-01-01."""
    return date.fromordinal(int(number) + _EPOCH_ORDINAL)


@dataclass(frozen=True, slots=True, eq=False)
class DayVersion:
    """One version of one channel's local day: one row of a :class:`DayTable`.

    Args:
        service_point_id: where.
        channel: what.
        local_day: the calendar day in the service point's zone.
        interval_s: interval length [s].
        start_utc: start of the first interval.
        version: rises with each re-run; the highest is the latest.
        known_at: when this version was written, domain time.
        run_id: the VEE run that wrote it.
        values: (n,) int64 counts; 0 where the state is MISSING.
        quality: (n,) uint8 :class:`~openami.contracts.quality.QualityState`.
        method: (n,) uint8 :class:`~openami.contracts.quality.Method`.
        band_low: (n,) int64 lower edge of the uncertainty band; equal to the value where measured.
        band_high: (n,) int64 upper edge.
    """

    service_point_id: UUID
    channel: Channel
    local_day: date
    interval_s: int
    start_utc: datetime
    version: int
    known_at: datetime
    run_id: UUID
    values: npt.NDArray[np.int64]
    quality: npt.NDArray[np.uint8]
    method: npt.NDArray[np.uint8]
    band_low: npt.NDArray[np.int64]
    band_high: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DayTable:
    """Many day versions as columns. The first eight have one length n, ``offsets`` has n + 1, the rest the total.

    Args:
        service_point_id: (n,) V16.
        channel: (n,) channel numbers.
        local_day: (n,) int32 days since 1970-01-01, in the service point's zone.
        interval_s: (n,) [s].
        start_utc: (n,) seconds since the epoch.
        version: (n,) the highest of a day is the latest.
        known_at: (n,) seconds since the epoch, domain time.
        run_id: (n,) V16.
        offsets: (n + 1,) int64, where each row's values begin; the last is the total.
        values, band_low, band_high: (total,) int64.
        quality, method: (total,) uint8.
    """

    service_point_id: UUIDS
    channel: U8
    local_day: npt.NDArray[np.int32]
    interval_s: U32
    start_utc: I64
    version: U64
    known_at: I64
    run_id: UUIDS
    offsets: I64
    values: I64
    quality: U8
    method: U8
    band_low: I64
    band_high: I64

    def __len__(self) -> int:
        return len(self.service_point_id)

    @classmethod
    def from_rows(cls, rows: Sequence[DayVersion]) -> DayTable:
        """Return the rows as columns."""
        lengths = np.array([len(r.values) for r in rows], dtype=np.int64)

        def joined(name: str, dtype: str) -> Any:
            parts = [getattr(r, name) for r in rows]
            return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

        return cls(
            service_point_id=uuid_column([r.service_point_id for r in rows]),
            channel=np.array([r.channel for r in rows], dtype=np.uint8),
            local_day=np.array([day_number(r.local_day) for r in rows], dtype=np.int32),
            interval_s=np.array([r.interval_s for r in rows], dtype=np.uint32),
            start_utc=np.array([epoch_s(r.start_utc) for r in rows], dtype=np.int64),
            version=np.array([r.version for r in rows], dtype=np.uint64),
            known_at=np.array([epoch_s(r.known_at) for r in rows], dtype=np.int64),
            run_id=uuid_column([r.run_id for r in rows]),
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]),
            values=joined("values", "i8"),
            quality=joined("quality", "u1"),
            method=joined("method", "u1"),
            band_low=joined("band_low", "i8"),
            band_high=joined("band_high", "i8"),
        )

    def row(self, index: int) -> DayVersion:
        """Return one row."""
        span = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return DayVersion(
            service_point_id=UUID(bytes=bytes(self.service_point_id[index])),
            channel=Channel(int(self.channel[index])),
            local_day=day_from_number(int(self.local_day[index])),
            interval_s=int(self.interval_s[index]),
            start_utc=instant_from_epoch_s(int(self.start_utc[index])),
            version=int(self.version[index]),
            known_at=instant_from_epoch_s(int(self.known_at[index])),
            run_id=UUID(bytes=bytes(self.run_id[index])),
            values=self.values[span],
            quality=self.quality[span],
            method=self.method[span],
            band_low=self.band_low[span],
            band_high=self.band_high[span],
        )

    def rows(self) -> Iterator[DayVersion]:
        """Yield every row: for edges and people, not for hot paths."""
        for index in range(len(self)):
            yield self.row(index)

    def to_arrow(self) -> pa.RecordBatch:
        """Return the table as one Arrow record batch of :data:`DAY_SCHEMA`."""
        offsets = arrow_column(self.offsets, pa.int32())
        arrays: list[Any] = []
        for name in DAY_SCHEMA.names:
            column, kind = getattr(self, name), DAY_SCHEMA.field(name).type
            if name in _LISTS:
                arrays.append(pa.ListArray.from_arrays(offsets, arrow_column(column, kind.value_type)))
            else:
                arrays.append(arrow_column(column, kind))
        return pa.RecordBatch.from_arrays(arrays, schema=DAY_SCHEMA)

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch) -> DayTable:
        """Read columns from a record batch.

        Raises:
            ContractError: another schema, or lists of unequal length within a row.
        """
        if not batch.schema.equals(DAY_SCHEMA):
            raise ContractError(f"day table: schema {batch.schema.names} is not {DAY_SCHEMA.names}")
        columns: dict[str, Any] = {}
        for name in DAY_SCHEMA.names:
            column = batch.column(name)
            if name in _LISTS:
                offsets = np.concatenate([[0], np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))])
                if name == "values":
                    columns["offsets"] = offsets.astype(np.int64)
                elif not np.array_equal(columns["offsets"], offsets):
                    raise ContractError(f"day table: column {name} has other lengths than values")
                columns[name] = column.flatten().to_numpy(zero_copy_only=False)
            elif DAY_SCHEMA.field(name).type == pa.binary(16):
                whole = np.frombuffer(column.buffers()[1], dtype="V16", count=column.offset + len(column))
                columns[name] = whole[column.offset :]
            else:
                columns[name] = column.to_numpy(zero_copy_only=False)
        return cls(**columns)
