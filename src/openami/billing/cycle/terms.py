"""What the rates need to know of a place beside its intervals: approved interconnections, and where it is taxed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.bill.record import BillKind
from openami.billing.cycle.place import Planned
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import FactKind, MeterData


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of every place of an installation where nothing else is said.

    Args:
        municipality: where places are taxed; empty is not known.
        attributes: facts of agreements that riders, taxes and eligibility ask for.
    """

    municipality: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


async def approvals_of(
    meters: MeterData, service_points: Collection[UUID], span: BillSpan, zone: ZoneInfo
) -> dict[UUID, tuple[Approval, ...]]:
    """Return the interconnections that were approved on a day of a span, by service point and first day."""
    found = await all_approvals_of(meters, dict.fromkeys(service_points, zone.key))
    held = {point: within(rows, span) for point, rows in found.items()}
    return {point: rows for point, rows in held.items() if rows}


def within(approved: Sequence[Approval], span: BillSpan) -> tuple[Approval, ...]:
    """Return the approvals that hold on a day of a span."""
    return tuple(a for a in approved if a.first < span.end and (a.end is None or span.first < a.end))


async def all_approvals_of(meters: MeterData, zones: Mapping[UUID, str]) -> dict[UUID, tuple[Approval, ...]]:
    """Return the interconnections that were ever approved, by service point and first day.

    Args:
        meters: registry.
        zones: of the service points that are asked for.
    """
    found: dict[UUID, list[Approval]] = defaultdict(list)
    for fact in await meters.registry.facts.of(list(zones), kinds=[FactKind.INTERCONNECTION]):
        zone = zone_named(zones[fact.service_point_id])
        first = local_date(fact.start, zone)
        end = None if fact.end is None else local_date(fact.end, zone)
        if end is None or first < end:
            found[fact.service_point_id].append(Approval(first, end, int(fact.value)))
    return {point: tuple(rows) for point, rows in found.items()}


def terms_of(planned: Planned, approved: tuple[Approval, ...], standing: Standing) -> BillTerms:
    """Return the terms of one bill: of the approvals those that hold on a day of it."""
    approved = within(approved, planned.span)
    month = None if planned.cycle is None else planned.cycle.revenue_month
    is_final = planned.kind is BillKind.FINAL
    return BillTerms(month, standing.municipality, is_final, standing.attributes, approved)
