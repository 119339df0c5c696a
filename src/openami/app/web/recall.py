"""The store as the web process asks it: a narrower question of the same decision is answered from the wider answer.

One page asks for four weeks of a place, then for the part of them that the open bill covers. Both carry the scope of
one decision, with one row in the audit log; what that scope was given a moment ago is given again without the store.
Nothing is recalled for another decision, nor for longer than :data:`KEPT_S`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.mdm.adapters.store_socket import SocketStore
from openami.security.access.scope import Scope

KEPT_S = 3.0
"""Real time: longer than a page is made in, shorter than a person asks again."""
MOST_KEPT = 64
_DayKey = tuple[UUID, UUID, Channel]


@dataclass(frozen=True, slots=True)
class _Days:
    until_s: float
    first: date
    last: date
    table: DayTable


@dataclass(slots=True)
class RecallingStore(SocketStore):
    """Recalls the days of one service point; everything else goes to the store."""

    _days_kept: dict[_DayKey, _Days] = field(default_factory=dict)

    async def days(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> DayTable:
        """See :class:`~openami.mdm.ports.IntervalStore`."""
        if scope.audit_id is None or as_known_at is not None or len(service_points) != 1:
            return await SocketStore.days(
                self, scope, service_points, channel, first, last, as_known_at=as_known_at
            )  # fmt: skip
        scope.require(frozenset(service_points))
        key, now_s = (scope.audit_id, service_points[0], channel), asyncio.get_running_loop().time()
        kept = self._days_kept.get(key)
        if kept is not None and kept.until_s > now_s and kept.first <= first and last <= kept.last:
            return days_between(kept.table, first, last)
        table = await SocketStore.days(self, scope, service_points, channel, first, last)
        self._days_kept = {k: v for k, v in self._days_kept.items() if v.until_s > now_s}
        if len(self._days_kept) < MOST_KEPT:
            self._days_kept[key] = _Days(now_s + KEPT_S, first, last, table)
        return table


def days_between(table: DayTable, first: date, last: date) -> DayTable:
    """Return the rows of one service point's days, by day, from first to last (both included)."""
    lo, hi = np.searchsorted(table.local_day, [day_number(first), day_number(last) + 1]).tolist()
    a, b = int(table.offsets[lo]), int(table.offsets[max(hi, lo)])
    rows, cells = slice(lo, max(hi, lo)), slice(a, b)
    return DayTable(
        service_point_id=table.service_point_id[rows],
        channel=table.channel[rows],
        local_day=table.local_day[rows],
        interval_s=table.interval_s[rows],
        start_utc=table.start_utc[rows],
        version=table.version[rows],
        known_at=table.known_at[rows],
        run_id=table.run_id[rows],
        offsets=table.offsets[lo : max(hi, lo) + 1] - a,
        values=table.values[cells],
        quality=table.quality[cells],
        method=table.method[cells],
        band_low=table.band_low[cells],
        band_high=table.band_high[cells],
    )
