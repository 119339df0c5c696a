"""What the registry says of places, as rules take it: inactive, disconnected, feeding in, neighbors on a transformer.

A kind of fact of which the registry keeps none at all says nothing: no rule speaks of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np

from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.registry.arrays import place_days
from openami.mdm.registry.facts import FactKind, ServiceState
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import ServicePoint
from openami.mdm.vee.grid import I64, Grid
from openami.mdm.vee.rules.seen import Places

LEAST_MATES = 3
"""Meters of one transformer in one call that can judge each other's clocks."""

MATES_ADDED = 5
"""Mates that are read for the places of a transformer that run without the rest of the fleet, or as many as those."""


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
        return Places(
            is_inactive=days.state == ServiceState.INACTIVE if is_said else None,
            is_disconnected=days.state == ServiceState.DISCONNECTED if is_said else None,
            may_feed_in=days.may_feed_in if FactKind.INTERCONNECTION in kept else None,
            neighborhood=await self.neighborhoods(points),
        )

    async def neighborhoods(self, points: Sequence[UUID], *, are_together: bool = True) -> I64:
        """Return a number for each place's neighborhood, -1 where it is not known; see :func:`neighborhoods`."""
        return neighborhoods(points, await self._registry.service_points(set(points)), are_together=are_together)

    async def mates(self, points: Collection[UUID]) -> set[UUID]:
        """Return places on the transformers of these, and none of them, at least as many as these where there are."""
        records = await self._registry.service_points(set(points))
        crowd = Counter(r.transformer for r in records if r.transformer)
        if not crowd:
            return set()
        found: set[UUID] = set()
        asked = set(points)
        for name, members in (await self._registry.members_of_transformers(crowd.keys())).items():
            others = sorted(m for m in members if m not in asked)
            found.update(others[: max(MATES_ADDED, crowd[name])])
        return found

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


def neighborhoods(points: Sequence[UUID], records: Sequence[ServicePoint], *, are_together: bool) -> I64:
    """Return the transformer of each place, as a number, or its feeder where too few mates are judged with it.

    Args:
        points: S service points, in the order of rows.
        records: theirs, in any order.
        are_together: whether all mates are judged in one call. Shards of a fleet part them: there it is the feeder.
    """
    record_of = {r.id: r for r in records}
    mine = [record_of.get(p) for p in points]
    crowd = Counter(r.transformer for r in mine if r is not None and r.transformer)
    names: dict[tuple[str, str], int] = {}
    found = np.full(len(points), -1, np.int64)
    for row, record in enumerate(mine):
        if record is None:
            continue
        is_crowd = are_together and crowd[record.transformer] >= LEAST_MATES
        if record.transformer and (is_crowd or not record.feeder):
            found[row] = names.setdefault(("transformer", record.transformer), len(names))
        elif record.feeder:
            found[row] = names.setdefault(("feeder", record.feeder), len(names))
    return found


_JUDGED = frozenset({FactKind.SERVICE, FactKind.INTERCONNECTION})


def _period(grid: Grid) -> Period:
    return Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
