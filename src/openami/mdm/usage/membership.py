"""Which places belong to a transformer, a feeder or a bill group, and from when to when. Pure.

A dated fact says so for its time; where there is none, what the place's own record says holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from uuid import UUID

from openami.kernel.time import Period
from openami.mdm.registry.facts import Fact, FactKind
from openami.mdm.registry.records import ServicePoint
from openami.mdm.usage.groups import Member


class Grouping(StrEnum):
    """By what places are put together."""

    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    BILL_GROUP = "bill_group"

    @property
    def fact(self) -> FactKind:
        """Return the kind of fact that tells it."""
        return FactKind(self.value)

    def recorded(self, point: ServicePoint) -> str:
        """Return what the place's own record says; empty where it says nothing."""
        return str(getattr(point, self.value))


def members_of(
    grouping: Grouping,
    names: Collection[str] | None,
    points: Sequence[ServicePoint],
    facts: Sequence[Fact],
    period: Period,
) -> list[Member]:
    """Return who belongs to the named groups (all for None) in which parts of the period, by (group, place, start)."""
    by_point: dict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.kind is grouping.fact:
            by_point[fact.service_point_id].append(fact)
    members = [
        Member(point.id, name, part)
        for point in points
        for name, part in _spells(grouping.recorded(point), by_point[point.id], period)
        if name and (names is None or name in names)
    ]
    return sorted(members, key=lambda m: (m.group, m.service_point_id, m.period.start))


def customers_of(members: Collection[Member], facts: Sequence[Fact]) -> dict[UUID, list[Member]]:
    """Return the members by customer: the account that a place had in that time, or the place where it had none.

    A customer of several places in a group is one customer; a place that changes hands counts for each of them.
    """
    by_point: dict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.kind is FactKind.ACCOUNT:
            by_point[fact.service_point_id].append(fact)
    found: dict[UUID, list[Member]] = defaultdict(list)
    for member in members:
        for account, part in _spells("", by_point[member.service_point_id], member.period):
            customer = UUID(account) if account else member.service_point_id
            found[customer].append(Member(member.service_point_id, str(customer), part, member.sign))
    return dict(found)


def _spells(otherwise: str, facts: Sequence[Fact], period: Period) -> Iterator[tuple[str, Period]]:
    """Yield what holds in which part of the period, in order."""
    at = period.start
    for fact in sorted(facts, key=lambda f: f.start):
        start, end = max(fact.start, at), period.end if fact.end is None else min(fact.end, period.end)
        if start >= end:
            continue
        if at < start:
            yield otherwise, Period(at, start)
        yield fact.value, Period(start, end)
        at = end
    if at < period.end:
        yield otherwise, Period(at, period.end)
