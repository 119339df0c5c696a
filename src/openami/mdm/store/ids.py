"""Finds ids in a column of ids without a Python object for each. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.reading import I64, UUIDS


class IdIndex:
    """Finds the row of an id in a column of ids."""

    def __init__(self, ids: UUIDS) -> None:
        halves = _halves(ids)
        self._order = sorted_ids(ids)
        self._high, self._low = halves[self._order, 0].copy(), halves[self._order, 1].copy()

    def rows_of(self, ids: UUIDS) -> npt.NDArray[np.int64]:
        """Return the row of each id, or -1. Ids are random, so few share their first eight octets."""
        halves = _halves(ids)
        found = np.full(len(ids), -1, np.int64)
        if not len(self._high):
            return found
        at = np.searchsorted(self._high, halves[:, 0])
        open_ = np.arange(len(ids))
        while len(open_):
            inside = at[open_] < len(self._high)
            open_ = open_[inside]
            open_ = open_[self._high[at[open_]] == halves[open_, 0]]
            hit = self._low[at[open_]] == halves[open_, 1]
            found[open_[hit]] = self._order[at[open_[hit]]]
            open_ = open_[~hit]
            at[open_] += 1
        return found


def _halves(ids: UUIDS) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(ids).view(">u8").reshape(-1, 2).astype(np.uint64)


def id_column(batch: pa.RecordBatch, name: str) -> UUIDS:
    """Return a column of 16-octet ids of a record batch, sharing its memory."""
    column = batch.column(name)
    if not len(column):
        return np.zeros(0, "V16")
    whole: UUIDS = np.frombuffer(column.buffers()[1], dtype="V16", count=column.offset + len(column))
    return whole[column.offset :]


def sorted_ids(ids: UUIDS) -> I64:
    """Return the places of the ids in rising order of their octets, which is the engine's order too."""
    halves = _halves(ids)
    return np.asarray(np.lexsort((halves[:, 1], halves[:, 0])))
