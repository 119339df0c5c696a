"""What the registry says of places, as rules take it: inactive, disconnected, feeding in, neighbors on a transformer.

A kind of fact of which the registry keeps none at all says nothing: no rule speaks of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np

from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.registry.arrays import place_days
from openami.mdm.registry.facts import FactKind, ServiceState
from openami.mdm.registry.ports import Registry
from openami.mdm.vee.grid import Grid
from openami.mdm.vee.rules.seen import Places


class PlaceSource:
    """Fetches what rules see of places.

    Args:
        registry: dated facts.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def of(self, grid: Grid, points: Sequence[UUID]) -> Places:
        """Return what is said of service points, in the order of rows, on the days of a grid."""
        kept = await self._registry.facts.kinds()
        facts = await self._registry.facts.of(points, _period(grid), kinds=_JUDGED & kept) if _JUDGED & kept else []
        days = place_days(grid, points, facts, {})
        is_said = FactKind.SERVICE in kept
        transformer = {p.id: p.transformer for p in await self._registry.service_points(set(points))}
        number: dict[str, int] = {}
        neighborhood = [
            number.setdefault(name, len(number)) if (name := transformer.get(p, "")) else -1 for p in points
        ]
        return Places(
            is_inactive=days.state == ServiceState.INACTIVE if is_said else None,
            is_disconnected=days.state == ServiceState.DISCONNECTED if is_said else None,
            may_feed_in=days.may_feed_in if FactKind.INTERCONNECTION in kept else None,
            neighborhood=np.array(neighborhood, dtype=np.int64),
        )

    async def out_of_service(self, grid: Grid) -> set[UUID]:
        """Return the places of the fleet whose service is not active on all days of the grid."""
        facts = await self._registry.facts.of(None, _period(grid), kinds=[FactKind.SERVICE])
        return {f.service_point_id for f in facts if f.value != ServiceState.ACTIVE.name.lower()}

    async def feeding_in(self, grid: Grid) -> Collection[UUID] | None:
        """Return the places of the fleet that may feed in; None where the registry keeps no approvals."""
        if FactKind.INTERCONNECTION not in await self._registry.facts.kinds():
            return None
        facts = await self._registry.facts.of(None, _period(grid), kinds=[FactKind.INTERCONNECTION])
        return {f.service_point_id for f in facts}


_JUDGED = frozenset({FactKind.SERVICE, FactKind.INTERCONNECTION})


def _period(grid: Grid) -> Period:
    return Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
