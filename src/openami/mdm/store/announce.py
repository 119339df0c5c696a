"""What the store tells the rest when raw rows have arrived: ``core.changed.v1.raw``. Pure.

JSON: ``kind`` reading or register; ``rows``; ``many`` true if more than :data:`MAX_METERS` meters are concerned;
``meters`` their ids in hexadecimal (none when many); ``first`` and ``last`` instant, seconds since the epoch.
"""

from __future__ import annotations

import json

import numpy as np

from openami.contracts.reading import UUIDS, ReadingBatch, RegisterBatch

MAX_METERS = 1_000


def _run_heads(meter_id: UUIDS) -> UUIDS:
    """Return the first of each run of equal ids: rows of one meter come together, so there is less to compare."""
    column = np.ascontiguousarray(meter_id)
    halves = column.view(np.uint64).reshape(-1, 2)
    heads: UUIDS = column[np.append(True, (halves[1:] != halves[:-1]).any(axis=1))[: len(column)]]
    return heads


def announcement(kind: str, batch: ReadingBatch | RegisterBatch) -> bytes:
    """Return the message that announces a stored batch; of no rows it names no time."""
    instant = batch.start if isinstance(batch, ReadingBatch) else batch.at
    ids = np.unique(_run_heads(batch.meter_id).view("S16"))
    many = len(ids) > MAX_METERS
    row = {
        "kind": kind,
        "rows": len(batch),
        "many": many,
        # numpy strips the zero octets that an id may end with.
        "meters": [] if many else [bytes(i).ljust(16, b"\0").hex() for i in ids],
        "first": int(instant.min()) if len(batch) else None,
        "last": int(instant.max()) if len(batch) else None,
    }
    return json.dumps(row, separators=(",", ":")).encode()
