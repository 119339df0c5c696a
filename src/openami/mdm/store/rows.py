"""Rows on their way into the store: checked, and stamped with when and in which batch they came. Pure."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.contracts.reading import ReadingBatch, RegisterBatch, arrow_column
from openami.mdm.store.day_columns import STORED_DAY_SCHEMA

EARLIEST_S = 946_684_800
"""2000-01-01T00:00Z. A reading from before is a meter's clock gone wrong; each month is a folder on disk."""
END_S = 4_102_444_800
"""2100-01-01T00:00Z, exclusive: the same bound on the other side, within the engine's 32-bit seconds."""
_EARLIEST_DAY, _END_DAY = EARLIEST_S // 86_400, END_S // 86_400


def batch_number(token: str) -> int:
    """Return a 64-bit number that names the batch a token names."""
    return int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "big")


def storable(batch: ReadingBatch | RegisterBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which rows have an instant that the store keeps: 2000 to 2099."""
    instant = batch.start if isinstance(batch, ReadingBatch) else batch.at
    mask: np.ndarray[tuple[int], np.dtype[np.bool_]] = (instant >= EARLIEST_S) & (instant < END_S)
    return mask


def stamped(batch: pa.RecordBatch, *, token: str, ingested_at_ms: int) -> pa.RecordBatch:
    """Return reading or register columns with ``batch_id`` and ``ingested_at`` (milliseconds, domain time) added."""
    n = batch.num_rows
    numbers = arrow_column(np.full(n, batch_number(token), np.uint64), pa.uint64())
    stamps = arrow_column(np.full(n, ingested_at_ms, np.int64), pa.int64()).cast(pa.timestamp("ms", "UTC"))
    names = [*batch.schema.names, "batch_id", "ingested_at"]
    return pa.RecordBatch.from_arrays([*batch.columns, numbers, stamps], names=names)


def require_storable_days(batch: pa.RecordBatch) -> None:
    """Pass if stored day columns have the schema, no nulls, and days and instants from 2000 to 2099.

    Raises:
        ContractError: they have not.
    """
    if not batch.schema.equals(STORED_DAY_SCHEMA) or any(c.null_count for c in batch.columns):
        raise ContractError(f"stored days: columns {batch.schema.names} are not {STORED_DAY_SCHEMA.names}")
    day = batch.column("local_day").to_numpy()
    if ((day < _EARLIEST_DAY) | (day >= _END_DAY)).any():
        raise ContractError("stored days: a local day before 2000 or after 2099")
    for name in ("start_utc", "known_at"):
        instant = batch.column(name).to_numpy()
        if ((instant < EARLIEST_S) | (instant >= END_S)).any():
            raise ContractError(f"stored days: {name} before 2000 or after 2099")
