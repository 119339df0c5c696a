"""Readings as columns: intervals and register reads of many meters in one message.

On the wire a batch is an Arrow IPC stream, one record batch, with the schema below. ``start`` is the interval's
*start* in seconds since the epoch: the meter profile converts the end stamps of DLMS once.
``message_id`` names the frame a row came from; the same frame always gives the same number, so a replay collapses.

Source: DESIGN section 4, step 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.errors import ContractError

MAX_ROWS = 2_000_000
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
UUIDS = npt.NDArray[np.void]
"""(n,) numpy ``V16``: the 16 octets of each UUID in order (RFC 9562)."""

READING_SCHEMA = pa.schema(
    [
        ("meter_id", pa.binary(16)),
        ("channel", pa.uint8()),
        ("start", pa.int64()),
        ("interval_s", pa.uint32()),
        ("value", pa.int64()),
        ("quality", pa.uint16()),
        ("source", pa.uint8()),
        ("message_id", pa.uint64()),
    ],
    metadata={b"contract": b"openami.reading.v1"},
)
REGISTER_SCHEMA = pa.schema(
    [
        ("meter_id", pa.binary(16)),
        ("channel", pa.uint8()),
        ("at", pa.int64()),
        ("value", pa.int64()),
        ("source", pa.uint8()),
        ("message_id", pa.uint64()),
    ],
    metadata={b"contract": b"openami.register.v1"},
)
_DTYPES: Mapping[str, str] = {
    "meter_id": "V16", "channel": "u1", "start": "i8", "interval_s": "u4", "value": "i8", "quality": "u2",
    "source": "u1", "message_id": "u8", "at": "i8",
}  # fmt: skip


def arrow_column(column: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return a NumPy column as an Arrow column, without a copy where it has the type's own memory layout.

    ``pa.array`` would do the same after importing pandas, wherever that is installed: a second and 60 MB a process.

    Args:
        column: (n,) numbers, or ``V16`` for a 16-octet binary type.
        kind: a fixed-width Arrow type of whole octets.
    """
    dtype = "V16" if kind == pa.binary(16) else kind.to_pandas_dtype()
    octets = np.ascontiguousarray(column, dtype=dtype)
    return pa.Array.from_buffers(kind, len(octets), [None, pa.py_buffer(octets)])


def _numpy_column(column: pa.Array) -> npt.NDArray[Any]:
    """Return an Arrow column without nulls as a NumPy column that shares its memory; pandas stays out, as above."""
    dtype = "V16" if column.type == pa.binary(16) else column.type.to_pandas_dtype()
    if not len(column):
        return np.zeros(0, dtype)
    whole = np.frombuffer(column.buffers()[1], dtype, count=column.offset + len(column))
    return whole[column.offset :]


def uuid_column(ids: list[UUID]) -> UUIDS:
    """Return UUIDs as a (n,) ``V16`` column."""
    return np.frombuffer(b"".join(i.bytes for i in ids), dtype="V16")


def uuids_of(column: UUIDS) -> list[UUID]:
    """Return a ``V16`` column as UUIDs."""
    return [UUID(bytes=bytes(v)) for v in column.tolist()]


class _Columns:
    """Shared behavior of the two batches: equal lengths, Arrow in and out."""

    SCHEMA: pa.Schema

    def __len__(self) -> int:
        return len(self.meter_id)  # type: ignore[attr-defined]

    def to_arrow(self) -> pa.RecordBatch:
        """Return the columns as one Arrow record batch, without copying where types allow."""
        arrays = [arrow_column(getattr(self, column.name), column.type) for column in self.SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=self.SCHEMA)

    @classmethod
    def from_arrow(cls, batch: pa.RecordBatch) -> Self:
        """Read columns from a record batch of the same schema.

        Raises:
            ContractError: another schema, a null, or too many rows.
        """
        if not batch.schema.equals(cls.SCHEMA):
            raise ContractError(f"{cls.__name__}: schema {batch.schema.names} is not {cls.SCHEMA.names}")
        if batch.num_rows > MAX_ROWS:
            raise ContractError(f"{cls.__name__}: {batch.num_rows} rows, the limit is {MAX_ROWS}")
        columns: dict[str, Any] = {}
        for name in cls.SCHEMA.names:
            column = batch.column(name)
            if column.null_count:
                raise ContractError(f"{cls.__name__}: null in column {name}")
            columns[name] = _numpy_column(column)
        return cls(**columns)

    def encode(self) -> bytes:
        """Return the batch as an Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.SCHEMA) as writer:
            writer.write_batch(self.to_arrow())
        return bytes(sink.getvalue())

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read an Arrow IPC stream of one record batch.

        Raises:
            ContractError: the octets are not such a stream.
        """
        try:
            with pa.ipc.open_stream(pa.py_buffer(octets)) as reader:
                batches = list(reader)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ContractError(f"{cls.__name__}: not an Arrow stream: {type(error).__name__}") from error
        if len(batches) != 1:
            raise ContractError(f"{cls.__name__}: {len(batches)} record batches, expected 1")
        return cls.from_arrow(batches[0])

    @classmethod
    def empty(cls) -> Self:
        """Return a batch of no rows."""
        return cls(**{f.name: np.zeros(0, _DTYPES[f.name]) for f in fields(cls)})  # type: ignore[arg-type]

    @classmethod
    def concatenate(cls, batches: list[Self]) -> Self:
        """Return all rows in order."""
        filled = [batch for batch in batches if len(batch)]
        if len(filled) <= 1:
            return filled[0] if filled else cls.empty()
        return cls(
            **{f.name: np.concatenate([getattr(b, f.name) for b in filled]) for f in fields(cls)}  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True, eq=False)
class ReadingBatch(_Columns):
    """Interval readings. All columns have one length n.

    Args:
        meter_id: (n,) V16.
        channel: (n,) :class:`~openami.contracts.channel.Channel` numbers.
        start: (n,) interval start, seconds since the epoch.
        interval_s: (n,) interval length [s].
        value: (n,) counts in the channel's unit and power of ten.
        quality: (n,) :class:`~openami.contracts.quality.RawQuality` bits.
        source: (n,) :class:`~openami.contracts.quality.Source` numbers.
        message_id: (n,) number of the frame or file line group the row came from.
    """

    SCHEMA = READING_SCHEMA

    meter_id: UUIDS
    channel: U8
    start: I64
    interval_s: U32
    value: I64 = field(repr=False)
    quality: U16
    source: U8
    message_id: U64


@dataclass(frozen=True, slots=True, eq=False)
class RegisterBatch(_Columns):
    """Cumulative register reads: what the register showed at an instant. All columns have one length n.

    Args:
        meter_id: (n,) V16.
        channel: (n,) channel numbers of the register.
        at: (n,) instant of the read, seconds since the epoch.
        value: (n,) register counts in the channel's unit and power of ten.
        source: (n,) Source numbers.
        message_id: (n,) number of the frame or file line group the row came from.
    """

    SCHEMA = REGISTER_SCHEMA

    meter_id: UUIDS
    channel: U8
    at: I64
    value: I64 = field(repr=False)
    source: U8
    message_id: U64
