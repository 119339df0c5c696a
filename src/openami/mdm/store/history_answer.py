"""Parts of the store's answer about earlier days, laid out as the rules read them. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.contracts.quality import QualityState
from openami.contracts.reading import I64, UUIDS
from openami.mdm.store.history_queries import elements, flat
from openami.mdm.store.ids import IdIndex, id_column
from openami.mdm.vee.history import PROFILE_HOURS, U8, History

_FEWEST_SLOTS = 64
_NO_DAY = 255
"""In place of a state: there is no version of that day."""


class HistoryAnswer:
    """Collects parts of the answer into the history of service points in a fixed order.

    A fleet's four weeks are some 600 octets a home, so counts are kept in 32 bits while they fit, and nothing is kept
    for a series of which nothing came (most homes never feed in).

    Args:
        points: (S,) the service points.
        first: the oldest day number.
        days: how many days.
    """

    def __init__(self, points: UUIDS, first: int, days: int) -> None:
        self._index = IdIndex(points)
        self._first, self._days = first, days
        self._slot = np.full(len(points), -1, np.int32)
        self._used = 0
        self._counts: dict[str, npt.NDArray[np.signedinteger]] = {
            name: np.zeros((_FEWEST_SLOTS, days), np.int32) for name in ("totals", "maxima", "bases")
        }
        self._digest = np.zeros((_FEWEST_SLOTS, days), np.uint32)
        self._state: U8 = np.full((_FEWEST_SLOTS, days), _NO_DAY, np.uint8)
        self._profile = np.zeros((_FEWEST_SLOTS, PROFILE_HOURS), np.int32)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a part of ``HISTORY_SCHEMA``; service points that were not asked for are left out."""
        slot = self._slots(self._index.rows_of(id_column(batch, "service_point_id")))
        of, days = flat(batch, "days")
        at, day = slot[of], days.astype(np.int64) - self._first
        known = at >= 0
        # Nearly always nothing is left out: then no column is copied for it.
        kept = slice(None) if known.all() else known
        where = (at[kept], day[kept])
        for name in self._counts:
            self._put(name, where, elements(batch, name)[kept])
        self._digest[where] = elements(batch, "digests")[kept]
        self._state[where] = elements(batch, "states")[kept]

    def add_profiles(self, batch: pa.RecordBatch) -> None:
        """Take a part of ``PROFILE_SCHEMA``."""
        slot = self._slots(self._index.rows_of(id_column(batch, "service_point_id")))
        lengths = batch.column("profile").value_lengths().to_numpy(zero_copy_only=False)
        full = (lengths == PROFILE_HOURS) & (slot >= 0)
        of, hours = flat(batch, "profile")
        self._profile[slot[full]] = hours[full[of]].reshape(-1, PROFILE_HOURS)

    def history(self, rows: slice | I64, first: int = 0, after: int | None = None) -> History:
        """Return what came of some of the service points, days from the first index to before the last.

        Args:
            rows: which service points.
            first: index of the first day.
            after: index after the last day; None for all.
        """
        slot = self._slot[rows]
        known, days = slot >= 0, slice(first, after)
        width = len(range(*days.indices(self._days)))
        found = History.none(len(slot), width)
        at = slot[known]
        for name, mine in (("totals", found.total), ("maxima", found.maximum), ("bases", found.base)):
            mine[known] = self._counts[name][at, days]
        found.digest[known] = self._digest[at, days]
        state = self._state[at, days]
        found.state[known] = np.where(state == _NO_DAY, np.uint8(QualityState.MISSING), state)
        found.profile[known] = self._profile[at]
        return found

    def has_version(self, rows: slice | I64, first: int, after: int | None = None) -> npt.NDArray[np.bool_]:
        """Tell which of some service points have a version of a day from the first index to before the last."""
        slot = self._slot[rows]
        return np.asarray((slot >= 0) & (self._state[slot, first:after] != _NO_DAY).any(axis=1))

    def _slots(self, row: I64) -> I64:
        """Return the slot of each row, a new one where it has none; -1 stays -1."""
        fresh = np.unique(row[(row >= 0) & (self._slot[row] < 0)])
        self._slot[fresh] = self._used + np.arange(len(fresh), dtype=np.int32)
        self._used += len(fresh)
        self._grow()
        return np.where(row >= 0, self._slot[row], -1).astype(np.int64)

    def _grow(self) -> None:
        have = len(self._state)
        if self._used <= have:
            return
        more = max(self._used, min(2 * have, len(self._slot))) - have
        for name, counts in self._counts.items():
            self._counts[name] = np.concatenate([counts, np.zeros((more, self._days), counts.dtype)])
        self._digest = np.concatenate([self._digest, np.zeros((more, self._days), np.uint32)])
        self._state = np.concatenate([self._state, np.full((more, self._days), _NO_DAY, np.uint8)])
        self._profile = np.concatenate([self._profile, np.zeros((more, PROFILE_HOURS), np.int32)])

    def _put(self, name: str, where: tuple[I64, I64], counts: I64) -> None:
        mine = self._counts[name]
        limit = np.iinfo(np.int32)
        if mine.dtype == np.int32 and len(counts) and (counts.max() > limit.max or counts.min() < limit.min):
            self._counts[name] = mine = mine.astype(np.int64)
        mine[where] = counts
