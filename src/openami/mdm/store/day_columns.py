"""Validated days as the store keeps them: sparse where a day was measured whole, full when read.

Most days are measured from end to end. Their quality is all ACTUAL (0), their method all MEASURED (0) and their band
is the value itself; such columns are stored as empty arrays. Elsewhere the band is kept as two distances from the
value, which are 0 at measured intervals. Nothing is lost: :func:`full_days` returns what :func:`sparse_days` took.

With each version go the digests that rules read of earlier days (:mod:`openami.mdm.vee.history`): written with it, so
that neither can be there without the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.day import DayTable
from openami.contracts.errors import ContractError
from openami.contracts.reading import arrow_column
from openami.mdm.vee.history import PROFILE_HOURS
from openami.mdm.vee.profile import DayDigests

STORED_DAY_SCHEMA = pa.schema(
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
        ("below", pa.list_(pa.int64())),
        ("above", pa.list_(pa.int64())),
    ]
)
WRITTEN_DAY_SCHEMA = pa.schema(
    [
        *STORED_DAY_SCHEMA,
        ("state", pa.uint8()),
        ("base", pa.int64()),
        ("digest", pa.uint32()),
        ("profile", pa.list_(pa.int32())),
    ]
)
"""What a version is written with: its digests too."""
NARROW_DAY_SCHEMA = pa.schema(
    [pa.field("values", pa.list_(pa.int32())) if f.name == "values" else f for f in WRITTEN_DAY_SCHEMA]
)
"""The same with counts of 32 bits, as most are: half the octets on their way, and kept as any others."""
_PLAIN = ("service_point_id", "channel", "local_day", "interval_s", "start_utc", "version", "known_at", "run_id")
_Flat = npt.NDArray[Any]
_Offsets = npt.NDArray[np.int64]


def sparse_days(days: DayTable, digests: DayDigests | None = None) -> pa.RecordBatch:
    """Return the day versions with all-zero quality, method and band columns left out row by row.

    Args:
        days: n versions.
        digests: of each version; without them the store keeps of these days what it can compute itself.

    Raises:
        ContractError: offsets that do not rise from 0 to the number of values, or columns of unequal length.
    """
    lengths = _checked_lengths(days)
    arrays = [arrow_column(getattr(days, name), STORED_DAY_SCHEMA.field(name).type) for name in _PLAIN]
    narrow = None if digests is None else _narrowed(days.values)
    arrays.append(
        _list_array(days.values, days.offsets, pa.int64())
        if narrow is None
        else _list_array(narrow, days.offsets, pa.int32())
    )
    arrays.append(_sparse(days.quality, days.offsets, lengths, pa.uint8()))
    arrays.append(_sparse(days.method, days.offsets, lengths, pa.uint8()))
    # Bands that are the values themselves need no look.
    none = np.zeros(0, np.int64)
    below = none if days.band_low is days.values else days.values - days.band_low
    above = none if days.band_high is days.values else days.band_high - days.values
    arrays.append(_sparse(below, days.offsets, lengths, pa.int64()))
    arrays.append(_sparse(above, days.offsets, lengths, pa.int64()))
    if digests is None:
        return pa.RecordBatch.from_arrays(arrays, schema=STORED_DAY_SCHEMA)
    names = ("state", "base", "digest")
    arrays += [arrow_column(getattr(digests, name), WRITTEN_DAY_SCHEMA.field(name).type) for name in names]
    every = PROFILE_HOURS * np.arange(len(days) + 1, dtype=np.int64)
    arrays.append(_sparse(digests.profile.reshape(-1), every, np.diff(every), pa.int32()))
    return pa.RecordBatch.from_arrays(arrays, schema=WRITTEN_DAY_SCHEMA if narrow is None else NARROW_DAY_SCHEMA)


def full_days(batch: pa.RecordBatch) -> DayTable:
    """Return stored day versions with every column at full length, without their digests.

    Raises:
        ContractError: another schema, nulls, or a sparse column that is neither empty nor as long as the values.
    """
    if batch.schema.names[: len(STORED_DAY_SCHEMA)] != STORED_DAY_SCHEMA.names:
        raise ContractError(f"stored days: columns {batch.schema.names} are not {STORED_DAY_SCHEMA.names}")
    if any(column.null_count for column in batch.columns):
        raise ContractError("stored days: a null")
    columns: dict[str, Any] = {}
    for name in _PLAIN:
        column, kind = batch.column(name), STORED_DAY_SCHEMA.field(name).type
        if kind == pa.binary(16):
            whole = np.frombuffer(column.buffers()[1], dtype="V16", count=column.offset + len(column))
            columns[name] = whole[column.offset :]
        else:
            columns[name] = column.cast(kind).to_numpy(zero_copy_only=False)
    lengths, values = _lists(batch.column("values"))
    columns["offsets"] = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    columns["values"] = values.astype(np.int64, copy=False)
    columns["quality"] = _filled(batch, "quality", lengths).astype(np.uint8, copy=False)
    columns["method"] = _filled(batch, "method", lengths).astype(np.uint8, copy=False)
    columns["band_low"] = values - _filled(batch, "below", lengths)
    columns["band_high"] = values + _filled(batch, "above", lengths)
    return DayTable(**columns)


def _checked_lengths(days: DayTable) -> _Offsets:
    offsets, total = days.offsets, len(days.values)
    if len(offsets) != len(days) + 1 or offsets[0] != 0 or offsets[-1] != total:
        raise ContractError(f"day table: offsets of {len(days)} rows do not run from 0 to {total}")
    lengths = np.diff(offsets)
    if len(lengths) and int(lengths.min()) < 0:
        raise ContractError("day table: offsets fall")
    if any(len(getattr(days, name)) != total for name in ("quality", "method", "band_low", "band_high")):
        raise ContractError("day table: value columns of unequal length")
    return lengths


def _narrowed(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32] | None:
    """Return the values in 32 bits; None where one does not fit."""
    narrow = values.astype(np.int32)
    return narrow if np.array_equal(narrow, values) else None


def _list_array(flat: _Flat, offsets: _Offsets, kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(arrow_column(offsets, pa.int32()), arrow_column(flat, kind))


def _sparse(flat: _Flat, offsets: _Offsets, lengths: _Offsets, kind: pa.DataType) -> pa.Array:
    """Return a list column in which rows of nothing but zeros are empty."""
    positions = np.flatnonzero(flat) if flat.any() else np.zeros(0, np.int64)
    kept = np.zeros(len(lengths), dtype=bool)
    # side="right" finds the row that owns a position even when empty rows share its offset.
    kept[np.searchsorted(offsets, positions, side="right") - 1] = True
    kept_lengths = np.where(kept, lengths, 0)
    out_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept_lengths, dtype=np.int64)])
    return _list_array(flat[np.repeat(kept, lengths)] if len(positions) else flat[:0], out_offsets, kind)


def _lists(column: pa.ListArray) -> tuple[_Offsets, _Flat]:
    lengths = column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    flat: _Flat = column.flatten().to_numpy(zero_copy_only=False)
    return lengths, flat


def _filled(batch: pa.RecordBatch, name: str, lengths: _Offsets) -> _Flat:
    """Return a sparse column at full length, zeros where the row was empty."""
    own, flat = _lists(batch.column(name))
    present = own > 0
    if not np.array_equal(own[present], lengths[present]):
        raise ContractError(f"stored days: column {name} is neither empty nor as long as the values")
    if len(flat) == int(lengths.sum()):
        return flat
    full = np.zeros(int(lengths.sum()), dtype=flat.dtype)
    full[np.repeat(present, lengths)] = flat
    return full
