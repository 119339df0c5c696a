"""What the store tells the rest when raw rows have arrived: ``core.changed.v1.raw``. Pure.

JSON: ``kind`` reading or register; ``rows``; ``many`` true if more than :data:`MAX_METERS` meters are concerned;
``meters`` their ids in hexadecimal (none when many); ``first`` and ``last`` instant, seconds since the epoch; ``spans``
for each meter what of it came, as pairs of first and last instant, cut where more than a day is left out: so that one
batch with a late row of one meter asks for no day of the others.
"""

from __future__ import annotations

import json

import numpy as np

from openami.contracts.reading import I64, UUIDS, ReadingBatch, RegisterBatch

MAX_METERS = 1_000
MAX_SPANS = 4_000
"""Pieces of time of all meters together; more are said as one span for all."""
_DAY_S = 22 * 3600
"""Shorter than any local day, so that no piece of time spans a day on which nothing came."""


def announcement(kind: str, batch: ReadingBatch | RegisterBatch) -> bytes:
    """Return the message that announces a stored batch; of no rows it names no time."""
    instant = batch.start if isinstance(batch, ReadingBatch) else batch.at
    spans = _spans(batch.meter_id, instant)
    many = spans is None
    row = {
        "kind": kind,
        "rows": len(batch),
        "many": many,
        "meters": list(spans or ()),
        "spans": list((spans or {}).values()),
        "first": int(instant.min()) if len(batch) else None,
        "last": int(instant.max()) if len(batch) else None,
    }
    return json.dumps(row, separators=(",", ":")).encode()


def _spans(meter_id: UUIDS, instant: I64) -> dict[str, list[list[int]]] | None:
    """Return the pieces of time of each meter, by its id; None where they are too many to say."""
    if not len(meter_id):
        return {}
    halves = np.ascontiguousarray(meter_id).view(np.uint64).reshape(-1, 2)
    fresh = (halves[1:] != halves[:-1]).any(axis=1) | (np.abs(np.diff(instant)) > _DAY_S)
    heads = np.flatnonzero(np.append(True, fresh))
    if len(heads) > MAX_SPANS and len(np.unique(meter_id[heads].view("S16"))) > MAX_METERS:
        return None
    low, high = np.minimum.reduceat(instant, heads).tolist(), np.maximum.reduceat(instant, heads).tolist()
    pieces: dict[str, list[list[int]]] = {}
    for head, first, last in zip(meter_id[heads].tolist(), low, high, strict=True):
        pieces.setdefault(bytes(head).hex(), []).append([first, last])
    joined = {meter: _joined(of_meter) for meter, of_meter in sorted(pieces.items())}
    too_many = len(joined) > MAX_METERS or sum(map(len, joined.values())) > MAX_SPANS
    return None if too_many else joined


def _joined(pieces: list[list[int]]) -> list[list[int]]:
    """Return pieces in order, those within a day of each other as one."""
    found: list[list[int]] = []
    for first, last in sorted(pieces):
        if found and first - found[-1][1] <= _DAY_S:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([first, last])
    return found
