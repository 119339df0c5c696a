"""Rows on their way into the store: checked, put in the order of their key, and stamped with when they came. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from openami.contracts.errors import ContractError
from openami.contracts.reading import ReadingBatch, RegisterBatch, arrow_column
from openami.mdm.store.day_columns import NARROW_DAY_SCHEMA, STORED_DAY_SCHEMA, WRITTEN_DAY_SCHEMA
from openami.mdm.store.order import in_places, key_order
from openami.mdm.store.schema import KEEP_BASE

EARLIEST_S = 946_684_800
"""2000-01-01T00:00Z. A reading from before is a meter's clock gone wrong; each month is a folder on disk."""
END_S = 4_102_444_800
"""2100-01-01T00:00Z, exclusive: the same bound on the other side, within the engine's 32-bit seconds."""
_EARLIEST_DAY, _END_DAY = EARLIEST_S // 86_400, END_S // 86_400


def storable(batch: ReadingBatch | RegisterBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which rows have an instant that the store keeps: 2000 to 2099."""
    instant = batch.start if isinstance(batch, ReadingBatch) else batch.at
    mask: np.ndarray[tuple[int], np.dtype[np.bool_]] = (instant >= EARLIEST_S) & (instant < END_S)
    return mask


def stamped(batch: ReadingBatch | RegisterBatch, *, ingested_at_ms: int) -> pa.RecordBatch:
    """Return reading or register columns, by key where they are made of runs, with the column ``keep`` added.

    Args:
        batch: storable rows.
        ingested_at_ms: when they came, milliseconds since the epoch, domain time.
    """
    name = "start" if isinstance(batch, ReadingBatch) else "at"
    place = key_order(batch.meter_id, batch.channel, getattr(batch, name))
    columns = []
    for field in batch.SCHEMA:
        column = getattr(batch, field.name)
        column = column if place is None else in_places(column, place)
        # The engine's instants are 32-bit seconds: half the octets to hand over.
        columns.append(arrow_column(column, pa.uint32() if field.name == name else field.type))
    columns.append(arrow_column(np.full(len(batch), KEEP_BASE - ingested_at_ms, np.uint64), pa.uint64()))
    return pa.RecordBatch.from_arrays(columns, names=[*batch.SCHEMA.names, "keep"])


def require_storable_days(batch: pa.RecordBatch) -> None:
    """Pass if stored day columns have the schema, no nulls, and days and instants from 2000 to 2099.

    Raises:
        ContractError: they have not.
    """
    known = any(batch.schema.equals(s) for s in (NARROW_DAY_SCHEMA, WRITTEN_DAY_SCHEMA, STORED_DAY_SCHEMA))
    if not known or any(c.null_count for c in batch.columns):
        raise ContractError(f"stored days: columns {batch.schema.names} are not {WRITTEN_DAY_SCHEMA.names}")
    day = batch.column("local_day").to_numpy()
    if ((day < _EARLIEST_DAY) | (day >= _END_DAY)).any():
        raise ContractError("stored days: a local day before 2000 or after 2099")
    for name in ("start_utc", "known_at"):
        instant = batch.column(name).to_numpy()
        if ((instant < EARLIEST_S) | (instant >= END_S)).any():
            raise ContractError(f"stored days: {name} before 2000 or after 2099")


def known_from(batch: pa.RecordBatch, second: int) -> pa.RecordBatch:
    """Return stored day columns that are all known from a second on, whatever their maker said."""
    at = batch.schema.get_field_index("known_at")
    column = arrow_column(np.full(batch.num_rows, second, np.int64), pa.int64())
    return batch.set_column(at, batch.schema.field(at), column)
