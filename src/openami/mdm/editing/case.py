"""Cases: findings with one likely cause, for one look and one fix. Pure.

A cell that is down, a firmware, a lot of meters, a wrong calendar or master data that came late make thousands of
findings at once. Findings of one rule and one signature (an hour's shift, a factor) are a group; a cause is the value
of a fact (this cell, that firmware) whose places have the finding far more often than all others. Each value is judged
by the log-likelihood ratio of two shares, inside and outside, against one share everywhere; the best value takes its
findings, and the rest is judged again, so that two dark cells are two cases.

Source: log-likelihood ratio of counts, Dunning 1993; our own choice of facts and bounds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import log
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.time import Period

MIN_PLACES = 10
"""Fewer places are looked at one by one."""
MIN_SHARE = 0.3
"""At least this share of a value's places must have the finding."""
MIN_LIFT = 5.0
"""And so many times the share of all other places."""
MIN_DAY_SHARE = 0.02
"""A day of the calendar is a cause where at least this share of all places has the finding on it alone."""
SIGNATURE_KEYS = ("shift_s", "shift_intervals", "factor", "found_on")
"""Evidence that tells one fault from another: findings that differ in it are no one case."""


class Cause(StrEnum):
    """Facts that can be a cause, in the order in which equals are preferred."""

    CELL = "cell"
    FIRMWARE = "firmware"
    METER_LOT = "meter_lot"
    MASTER_DATA = "master_data"
    """Where the registry was changed late and back-dated."""
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    CALENDAR = "calendar"
    """One local day, everywhere."""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """Open findings of one rule about one channel of one place.

    Args:
        service_point_id, channel, rule: what.
        first, last: local days.
        findings: how many.
        signature: what tells this fault from another of the same rule; empty for nothing.
        stake_wh: energy at stake.
        period: from the start of the first to the end of the last; None where that is not known.
    """

    service_point_id: UUID
    channel: Channel
    rule: str
    first: date
    last: date
    findings: int = 1
    signature: str = ""
    stake_wh: int = 0
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class CaseEvidence:
    """Why the cause is likely.

    Args:
        places: places of the value with the finding.
        of: places that have the value.
        elsewhere: other places with the finding.
        of_others: all other places.
        findings: findings folded.
        stake_wh: energy at stake.
        first, last: local days.
        ratio: the log-likelihood ratio.
        next_cause, next_ratio: the second-best cause, to compare.
    """

    places: int
    of: int
    elsewhere: int
    of_others: int
    findings: int
    stake_wh: int
    first: date
    last: date
    ratio: float
    next_cause: str = ""
    next_ratio: float = 0.0

    def words(self) -> str:
        """Return the evidence in a sentence."""
        inside = f"{self.places:,} of its {self.of:,} places have it ({self.places / max(self.of, 1):.0%})"
        outside = f"{self.elsewhere:,} of {self.of_others:,} others ({self.elsewhere / max(self.of_others, 1):.2%})"
        return f"{inside}, {outside}"


@dataclass(frozen=True, slots=True)
class CaseDraft:
    """A case that was found in open findings."""

    cause: Cause
    value: str
    rule: str
    signature: str
    evidence: CaseEvidence
    items: tuple[OpenItem, ...]

    @property
    def key(self) -> str:
        """What names the cause among those of its kind."""
        return f"{self.value}|{self.signature}" if self.signature else self.value


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of places.

    Args:
        of_place: for each place the value of each cause it has.
        population: how many places have each value of each cause.
        places: how many places there are.
    """

    of_place: Mapping[UUID, Mapping[Cause, str]]
    population: Mapping[Cause, Mapping[str, int]]
    places: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    ratio: float
    cause: Cause
    value: str
    inside: frozenset[UUID] = field(default_factory=frozenset)
    of: int = 0


def signature_of(evidence: Mapping[str, object]) -> str:
    """Return what tells one fault of a rule from another.

    >>> signature_of({"shift_s": 3600, "score": 0.93})
    'shift_s=3600'
    """
    return ",".join(f"{key}={evidence[key]}" for key in SIGNATURE_KEYS if key in evidence)


def folded(items: Iterable[OpenItem], facts: Facts) -> list[CaseDraft]:
    """Return the cases that open items make, the largest first; items of no case stay as they are.

    Args:
        items: all open items.
        facts: of all places.
    """
    groups: dict[tuple[str, str], list[OpenItem]] = defaultdict(list)
    for item in items:
        groups[item.rule, item.signature].append(item)
    drafts = [
        draft for (rule, signature), group in groups.items() for draft in _of_group(rule, signature, group, facts)
    ]
    return sorted(drafts, key=lambda d: (-len(d.items), d.rule, d.key))


def _of_group(rule: str, signature: str, group: Sequence[OpenItem], facts: Facts) -> list[CaseDraft]:
    """Peel cause after cause off a group until none is left."""
    left, drafts = list(group), list[CaseDraft]()
    while len({i.service_point_id for i in left}) >= MIN_PLACES:
        ranked = _ranked(left, facts)
        best = ranked[0] if ranked else _calendar(left, facts)
        if best is None:
            break
        taken = [i for i in left if i.service_point_id in best.inside and _on_day(best, i)]
        second = ranked[1] if len(ranked) > 1 else None
        drafts.append(_draft(rule, signature, best, second, taken, left, facts))
        gone = set(taken)
        left = [i for i in left if i not in gone]
    return drafts


def _on_day(best: _Candidate, item: OpenItem) -> bool:
    return best.cause is not Cause.CALENDAR or item.first.isoformat() == best.value


def _ranked(items: Sequence[OpenItem], facts: Facts) -> list[_Candidate]:
    """Return the values that explain the items, the best first."""
    places = {i.service_point_id for i in items}
    by_value: dict[tuple[Cause, str], set[UUID]] = defaultdict(set)
    for place in places:
        for cause, value in facts.of_place.get(place, {}).items():
            by_value[cause, value].add(place)
    order = list(Cause)
    found = []
    for (cause, value), inside in by_value.items():
        of = max(facts.population.get(cause, {}).get(value, 0), len(inside))
        ratio = _ratio(len(inside), of, len(places) - len(inside), max(facts.places - of, 0))
        if len(inside) >= MIN_PLACES and ratio > 0:
            found.append(_Candidate(ratio, cause, value, frozenset(inside), of))
    return sorted(found, key=lambda c: (-round(c.ratio, 6), order.index(c.cause), c.value))


def _ratio(k: int, of: int, others: int, of_others: int) -> float:
    """Return the log-likelihood ratio of two shares against one; 0 where the bounds are not met."""
    share, elsewhere = k / max(of, 1), others / max(of_others, 1)
    # Where nobody else could have the finding, nothing speaks for this value.
    if share < MIN_SHARE or of_others == 0 or share < MIN_LIFT * elsewhere:
        return 0.0
    everywhere = (k + others) / (of + of_others)
    return _likelihood(k, of, share, everywhere) + _likelihood(others, of_others, elsewhere, everywhere)


def _likelihood(k: int, of: int, share: float, everywhere: float) -> float:
    hit = k * log(share / everywhere) if k else 0.0
    miss = (of - k) * log((1 - share) / (1 - everywhere)) if of > k and everywhere < 1 else 0.0
    return hit + miss


def _calendar(items: Sequence[OpenItem], facts: Facts) -> _Candidate | None:
    """Return the one local day that a large share of all places has the finding on, if there is one."""
    days = Counter(i.first for i in {(i.service_point_id, i.first): i for i in items if i.first == i.last}.values())
    if not days:
        return None
    day, count = max(days.items(), key=lambda pair: (pair[1], pair[0]))
    if count < MIN_PLACES or count < MIN_DAY_SHARE * facts.places:
        return None
    inside = frozenset(i.service_point_id for i in items if i.first == i.last == day)
    return _Candidate(0.0, Cause.CALENDAR, day.isoformat(), inside, facts.places)


def _draft(
    rule: str,
    signature: str,
    best: _Candidate,
    second: _Candidate | None,
    taken: Sequence[OpenItem],
    left: Sequence[OpenItem],
    facts: Facts,
) -> CaseDraft:
    elsewhere = {i.service_point_id for i in left} - best.inside
    evidence = CaseEvidence(
        places=len(best.inside),
        of=best.of,
        elsewhere=len(elsewhere),
        of_others=max(facts.places - best.of, 0),
        findings=sum(i.findings for i in taken),
        stake_wh=sum(i.stake_wh for i in taken),
        first=min(i.first for i in taken),
        last=max(i.last for i in taken),
        ratio=round(best.ratio, 3),
        next_cause=f"{second.cause.value} {second.value}" if second is not None else "",
        next_ratio=round(second.ratio, 3) if second is not None else 0.0,
    )
    return CaseDraft(best.cause, best.value, rule, signature, evidence, tuple(taken))
