"""Parts of the store's answer about earlier days, laid out as the rules read them. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from openami.contracts.reading import UUIDS
from openami.mdm.store.history_queries import flat
from openami.mdm.store.ids import IdIndex, id_column
from openami.mdm.vee.history import PROFILE_HOURS, History


class HistoryAnswer:
    """Collects parts of the answer into the history of service points in a fixed order.

    Args:
        points: (S,) the service points.
        first: the oldest day number.
        days: how many days.
    """

    def __init__(self, points: UUIDS, first: int, days: int) -> None:
        self._index = IdIndex(points)
        self._first = first
        self._history = History.none(len(points), days)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take a part of :data:`HISTORY_SCHEMA`; service points that were not asked for are left out."""
        at = self._index.rows_of(id_column(batch, "service_point_id"))
        of, days = flat(batch, "days")
        row, day = at[of], days.astype(np.int64) - self._first
        kept = row >= 0
        where = (row[kept], day[kept])
        for name, mine in (
            ("totals", self._history.total), ("maxima", self._history.maximum),
            ("bases", self._history.base), ("digests", self._history.digest),
            ("states", self._history.state),
        ):  # fmt: skip
            mine[where] = flat(batch, name)[1][kept]

    def add_profiles(self, batch: pa.RecordBatch) -> None:
        """Take a part of :data:`PROFILE_SCHEMA`."""
        at = self._index.rows_of(id_column(batch, "service_point_id"))
        column = batch.column("profile")
        full = (column.value_lengths().to_numpy(zero_copy_only=False) == PROFILE_HOURS) & (at >= 0)
        of, hours = flat(batch, "profile")
        self._history.profile[at[full]] = hours[full[of]].reshape(-1, PROFILE_HOURS)

    def done(self) -> History:
        """Return what came."""
        return self._history
