"""What the estimates of a run may refer to: holidays, check meters and storms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.reading import RegisterBatch
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.arrays import place_days
from openami.mdm.registry.facts import FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.validation.load import Inputs, inputs_of
from openami.mdm.validation.spans import spans_of
from openami.mdm.validation.storms import Storms
from openami.mdm.vee.estimate import NO_REFERENCES, References
from openami.mdm.vee.grid import I64, Grid
from openami.security.access.scope import Scope


class ReferenceSource:
    """Fetches references for service points with gaps.

    Args:
        registry: calendars, who checks whom, who shares a cell.
        store: readings of check meters, and how many came of a cell.
        scope: of the run.
    """

    def __init__(self, *, registry: Registry, store: IntervalStore, scope: Scope) -> None:
        self._registry = registry
        self._store = store
        self._scope = scope
        self._storms = Storms(registry=registry, store=store, scope=scope)

    async def of(self, grid: Grid, inputs: Inputs, channel: Channel, *, known_at: datetime) -> References:
        """Return the references of the inputs' service points; none where nothing is missing."""
        is_missing = inputs.coverage.touched & ~inputs.matrix.present
        if not is_missing.any():
            return NO_REFERENCES
        period = Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
        facts = await self._registry.facts.of(inputs.points, period, kinds=[FactKind.CALENDAR])
        holidays = await self._registry.facts.holidays(grid.first, grid.last)
        days = place_days(grid, inputs.points, facts, holidays)
        return References(
            day_kind=(grid.is_weekend | days.is_holiday).astype(np.uint8),
            check=await self._checks(grid, inputs.points, channel, period, known_at),
            suspended=await self._storms.suspended(grid, inputs.points, is_missing, known_at=known_at),
        )

    async def _checks(
        self, grid: Grid, points: Sequence[UUID], channel: Channel, period: Period, known_at: datetime
    ) -> I64 | None:
        """Return what check meters counted (S, N), -1 where there is none; None where none of the points has one."""
        row_of = {point: row for row, point in enumerate(points)}
        checking = {
            fact.service_point_id: row_of[UUID(fact.value)]
            for fact in await self._registry.facts.of(None, period, kinds=[FactKind.CHECK_OF])
            if UUID(fact.value) in row_of
        }
        if not checking:
            return None
        theirs = sorted(checking)
        installed = [
            i
            for i in await self._registry.installed(set(theirs), period)
            if channel in i.meter.channels and i.meter.interval_s == grid.interval_s
        ]
        readings = await self._store.values(self._scope, spans_of(installed, period), channel, period)
        found = inputs_of(
            grid, theirs, installed, channel, readings=readings, registers=RegisterBatch.empty(), until=known_at
        )
        check = np.full((len(points), grid.columns), -1, np.int64)
        usable = found.matrix.present & (found.matrix.flags == 0) & (found.matrix.values >= 0)
        usable &= found.matrix.values <= found.limit[:, None]
        for number, point in enumerate(theirs):
            check[checking[point]] = np.where(usable[number], found.matrix.values[number], check[checking[point]])
        return check
