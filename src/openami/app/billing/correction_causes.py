"""Why billed days changed: what people decided, what the registry was told late, or the readings alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.correction.ports import TouchedBill
from openami.billing.correction.record import Cause, CauseKind
from openami.kernel.time import Period, local_date, local_day, zone_named
from openami.mdm.editing.decision import Decision
from openami.mdm.editing.ports import DecisionBook
from openami.mdm.registry.change import LoggedChange
from openami.mdm.registry.ports import Registry

_NO_CAUSE = frozenset(
    {
        "rate",
        "bill_group",
        "account",
        "transformer",
        "feeder",
        "cell",
        "phase",
        "no_read",
        "municipality",
        "customer_class",
    }
)
"""Facts that alter no reading."""


class RegistryCauses:
    """Implements :class:`~openami.billing.correction.ports.Causes`.

    A day's cause is the newest decision in force about it that was made after its bill went out. Without one it is the
    newest change of the registry entered since, and else that readings came late or were validated again.

    Args:
        registry: what it was told, and when.
        decisions: what people decided about readings.
    """

    def __init__(self, registry: Registry, decisions: DecisionBook) -> None:
        self._registry = registry
        self._decisions = decisions

    async def of(self, bills: Sequence[TouchedBill]) -> Mapping[UUID, Mapping[Cause, int]]:
        """See the port."""
        places = {b.service_point_id for b in bills}
        zones = {p.id: zone_named(p.zone) for p in await self._registry.service_points(places)}
        edits = await self._edits(bills, zones)
        found = {}
        for bill in bills:
            zone = zones[bill.service_point_id]
            changes = [
                c
                for c in await self._registry.changes(bill.service_point_id)
                if c.at > bill.issued_at and c.kind not in _NO_CAUSE
            ]
            mine = [d for d in edits.get(bill.service_point_id, ()) if d.at > bill.issued_at]
            # What is not above zero is a mark of a rate, of terms, of a stop: no reading of that day is another one.
            days = [day for day, version in bill.days if version > 0]
            found[bill.bill_id] = Counter(_cause(bill, day, zone, mine, changes) for day in days)
        return found

    async def _edits(self, bills: Sequence[TouchedBill], zones: Mapping[UUID, ZoneInfo]) -> dict[UUID, list[Decision]]:
        """Return decisions in force about changed days, by place, oldest first."""
        edges = [local_day(day, zones[b.service_point_id]) for b in bills for day, _ in b.days]
        if not edges:
            return {}
        whole = Period(min(p.start for p in edges), max(p.end for p in edges))
        by_place: dict[UUID, list[Decision]] = {}
        for decision in await self._decisions.in_force({b.service_point_id for b in bills}, whole):
            for place in decision.service_points:
                by_place.setdefault(place, []).append(decision)
        return by_place


def _cause(
    bill: TouchedBill, day: date, zone: ZoneInfo, edits: Sequence[Decision], changes: Sequence[LoggedChange]
) -> Cause:
    period = local_day(day, zone)
    about = [
        d
        for d in edits
        if any(
            t.service_point_id == bill.service_point_id and t.period.intersection(period) is not None for t in d.targets
        )
    ]
    if about:
        return Cause(CauseKind.EDIT, str(about[-1].id), f"{about[-1].words()}: {about[-1].reason}")
    if changes:
        return _of_registry(max(changes, key=lambda c: c.at), zone)
    known = local_date(bill.found_at, zone).isoformat()
    return Cause(CauseKind.READINGS, known, f"readings that came or were validated again by {known}")


def _of_registry(change: LoggedChange, zone: ZoneInfo) -> Cause:
    """Return the cause of a change; changes of one kind, day and reason have one."""
    day = local_date(change.at, zone).isoformat()
    reason = f": {change.reason}" if change.reason else ""
    words = f"{change.kind.replace('_', ' ')} entered on {day}{reason}"
    return Cause(CauseKind.REGISTRY, f"{change.kind}/{day}/{change.reason}"[:120], words)
