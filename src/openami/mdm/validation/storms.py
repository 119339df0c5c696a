"""Which intervals of a run lie in a storm: asked of the store by cell, and only for cells in which much is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s
from openami.mdm.ports import Arrived
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.validation.spans import spans_of
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.storm import HOUR_S, StormRule, held_hours, storm_hours
from openami.security.access.scope import Scope


class Storms:
    """Looks for storms.

    Args:
        registry: which meters a cell has.
        store: how many readings came.
        scope: of the run.
        rule: when storms begin and end.
    """

    def __init__(self, *, registry: Registry, store: Arrived, scope: Scope, rule: StormRule | None = None) -> None:
        self._registry = registry
        self._store = store
        self._scope = scope
        self._rule = rule or StormRule()

    async def suspended(
        self, grid: Grid, points: Sequence[UUID], is_missing: BOOLS, *, known_at: datetime
    ) -> BOOLS | None:
        """Return the intervals (S, N) of which nothing may be estimated yet; None where there are none.

        Args:
            grid: the columns.
            points: S service points.
            is_missing: (S, N) what is to be filled.
            known_at: domain time of the run.
        """
        rows = np.flatnonzero(is_missing.any(axis=1))
        fresh = grid.edge_s[1:] > epoch_s(known_at) - self._rule.longest_s
        if not len(rows) or not is_missing[:, fresh].any():
            return None
        cells = {p.id: p.cell for p in await self._registry.service_points({points[r] for r in rows.tolist()})}
        members = await self._registry.members_of_cells({c for c in cells.values() if c})
        suspended = np.zeros(is_missing.shape, bool)
        for cell, theirs in members.items():
            if len(theirs) < self._rule.least_devices:
                continue
            held = await self._held(grid, theirs, known_at)
            mine = [r for r in rows.tolist() if cells[points[r]] == cell]
            suspended[mine] = held
        return suspended if suspended.any() else None

    async def _held(self, grid: Grid, members: Sequence[UUID], known_at: datetime) -> BOOLS:
        """Return the columns (N,) of the grid in which a cell is held."""
        last_s = min(int(grid.edge_s[-1]), epoch_s(known_at))
        # A storm that holds anything now began at most so long ago; its norm lies before.
        first_s = epoch_s(known_at) - self._rule.longest_s - self._rule.norm_h * HOUR_S
        first_s = min(first_s, last_s) // HOUR_S * HOUR_S
        hour_s = np.arange(first_s, last_s - HOUR_S + 1, HOUR_S, dtype=np.int64)
        if not len(hour_s):
            return np.zeros(grid.columns, bool)
        period = Period(instant_from_epoch_s(first_s), instant_from_epoch_s(int(hour_s[-1]) + HOUR_S))
        installed = await self._registry.installed(set(members), period)
        energy = [i for i in installed if Channel.DELIVERED in i.meter.channels]
        spans = spans_of(energy, period)
        came = await self._store.completeness(self._scope, spans, Channel.DELIVERED, period) if spans else {}
        received = np.array([came.get(instant_from_epoch_s(int(h)), 0) for h in hour_s], dtype=np.int64)
        stormy = storm_hours(_expected(energy, hour_s), received, devices=len(energy), rule=self._rule)
        held = held_hours(hour_s, stormy, known_s=epoch_s(known_at), rule=self._rule)
        at = (grid.start_s - first_s) // HOUR_S
        inside = (at >= 0) & (at < len(held))
        return np.asarray(inside & held[np.clip(at, 0, len(held) - 1)])


def _expected(installed: Sequence[InstalledMeter], hour_s: I64) -> I64:
    """Return how many intervals were due by hour of their start (H,)."""
    due = np.zeros(len(hour_s) + 1, np.int64)
    for one in installed:
        i = one.installation
        start_s = max(epoch_s(i.start), int(hour_s[0]))
        end_s = int(hour_s[-1]) + HOUR_S if i.end is None else epoch_s(i.end)
        lo, hi = (int(np.clip(-(-(s - int(hour_s[0])) // HOUR_S), 0, len(hour_s))) for s in (start_s, end_s))
        if lo < hi:
            due[lo] += max(1, HOUR_S // one.meter.interval_s)
            due[hi] -= max(1, HOUR_S // one.meter.interval_s)
    return np.asarray(np.cumsum(due)[:-1])
