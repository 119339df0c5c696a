"""What the rates need to know of a place beside its intervals: interconnections, class, and where it is taxed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from openami.billing.bill.record import BillKind
from openami.billing.cycle.place import Planned
from openami.billing.rating.terms import Annexed, Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import Fact, FactKind, MeterData

CLASS = "class"
"""The attribute by which riders, taxes and eligibility ask for the customer's class."""
_KINDS = (FactKind.INTERCONNECTION, FactKind.MUNICIPALITY, FactKind.CUSTOMER_CLASS)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of every place of an installation where nothing else is said.

    Args:
        municipality: where places are taxed; empty is not known.
        attributes: facts of agreements that riders, taxes and eligibility ask for.
        is_default: whether the municipality holds for a place without one, though the registry keeps those of others.
            Without that word such a place's is not known: a place that was forgotten must not be taxed by a guess.
    """

    municipality: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class DatedText:
    """What holds on local days ``[first, end)``; ``end`` None while it does."""

    value: str
    first: date
    end: date | None

    def holds(self, day: date) -> bool:
        """Tell whether it holds on a day."""
        return self.first <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """What is known of one place.

    Args:
        approved: interconnections, by first day.
        municipalities: where it is taxed, by first day.
        classes: of its customer, by first day.
        standing: what holds where nothing is said of the place.
    """

    approved: tuple[Approval, ...] = ()
    municipalities: tuple[DatedText, ...] = ()
    classes: tuple[DatedText, ...] = ()
    standing: Standing = field(default_factory=Standing)

    def municipality_on(self, day: date) -> str:
        """Return where it is taxed on a day; empty is not known."""
        return next((m.value for m in self.municipalities if m.holds(day)), self.standing.municipality)

    def attributes_on(self, day: date) -> Mapping[str, str]:
        """Return the facts of its agreement on a day."""
        own = next((c.value for c in self.classes if c.holds(day)), "")
        return {**self.standing.attributes, CLASS: own} if own else self.standing.attributes

    def terms(self, span: BillSpan, month: date | None = None, *, is_final: bool = False) -> BillTerms:
        """Return the terms of a bill: approvals that hold on a day of it, its last day's class, each municipality."""
        edges = {d for m in self.municipalities for d in (m.first, m.end) if d and span.first < d < span.end}
        first = self.municipality_on(span.first)
        annexed: list[Annexed] = []
        for day in sorted(edges):
            known = annexed[-1].municipality if annexed else first
            if (new := self.municipality_on(day)) != known:
                annexed.append(Annexed(day, new))
        return BillTerms(
            month, first, is_final, self.attributes_on(span.last), within(self.approved, span), annexed=tuple(annexed)
        )


async def own_facts(meters: MeterData, zones: Mapping[UUID, str], standing: Standing) -> dict[UUID, OwnFacts]:
    """Return what is known of each place.

    Args:
        meters: registry.
        zones: of the service points that are asked for.
        standing: what the home says of all.
    """
    found: dict[tuple[UUID, FactKind], list[Fact]] = defaultdict(list)
    for fact in await meters.registry.facts.of(list(zones), kinds=_KINDS):
        found[fact.service_point_id, fact.kind].append(fact)
    if standing.municipality and not standing.is_default and await _keeps_municipalities(meters):
        standing = Standing("", standing.attributes)
    return {
        point: OwnFacts(
            tuple(Approval(d.first, d.end, int(d.value)) for d in dated(FactKind.INTERCONNECTION)),
            tuple(dated(FactKind.MUNICIPALITY)),
            tuple(dated(FactKind.CUSTOMER_CLASS)),
            standing,
        )
        for point, dated in ((p, _dated_of(found, p, zone)) for p, zone in zones.items())
    }


def within(approved: Sequence[Approval], span: BillSpan) -> tuple[Approval, ...]:
    """Return the approvals that hold on a day of a span."""
    return tuple(a for a in approved if a.first < span.end and (a.end is None or span.first < a.end))


def terms_of(planned: Planned, own: OwnFacts) -> BillTerms:
    """Return the terms of one bill."""
    month = None if planned.cycle is None else planned.cycle.revenue_month
    terms = own.terms(planned.span, month, is_final=planned.kind is BillKind.FINAL)
    return replace(terms, part_of=planned.part_of)


async def _keeps_municipalities(meters: MeterData) -> bool:
    kinds: Collection[FactKind] = await meters.registry.facts.kinds()
    return FactKind.MUNICIPALITY in kinds


def _dated_of(
    facts: Mapping[tuple[UUID, FactKind], Sequence[Fact]], point: UUID, zone_name: str
) -> Callable[[FactKind], list[DatedText]]:
    """Return a reader of one place's facts by local days; one that holds on no midnight's day is left out."""
    zone = zone_named(zone_name)

    def dated(kind: FactKind) -> list[DatedText]:
        rows = [
            DatedText(f.value, local_date(f.start, zone), None if f.end is None else local_date(f.end, zone))
            for f in facts.get((point, kind), ())
        ]
        return [d for d in rows if d.end is None or d.first < d.end]

    return dated
