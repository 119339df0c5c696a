"""Make a kept bill again from what was known when it was made, and say where the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from openami.billing.bill.make import Making
from openami.billing.bill.making import bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import closing_reads, opening_reads
from openami.billing.bill.record import Bill, BillState
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import zone_named
from openami.mdm.api import MeterData, ReadKind
from openami.security.access.scope import Scope

_OF_LATER = {"state", "hold"}
"""What happens to a bill after it was made: it is superseded, or its hold's first day is kept through retries."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A bill made again.

    Args:
        bill: the new one.
        differences: each part that is not as kept, with both; none if the proof holds.
    """

    bill: Bill
    differences: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every figure, line and word of evidence is as kept."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The bills at both ends of one, as they stood when it was made: bills hand each other their reads."""

    before: Bill | None = None
    after: Bill | None = None


def neighbors_of(kept: Bill, others: Sequence[Bill]) -> Neighbors:
    """Return the bills that end where one begins and begin where it ends, if they were there before it."""
    older = [b for b in others if b.made_at <= kept.made_at and b.bill_id != kept.bill_id and b.usage_wh is not None]
    before = [b for b in older if b.span.end == kept.span.first]
    after = [b for b in older if b.span.first == kept.span.end]
    return Neighbors(*(max(found, key=lambda b: b.version, default=None) for found in (before, after)))


async def rebuild(
    meters: MeterData,
    rules: Jurisdiction,
    schedule: RateSchedule,
    scope: Scope,
    kept: Bill,
    neighbors: Neighbors,
    *,
    others: Mapping[str, RateSchedule] | None = None,
) -> Rebuilt:
    """Make a bill again from the versions, reads and rules of the instant at which it was made.

    Args:
        meters: validated days and reads; both remember what was known when.
        rules: of the jurisdiction, dated.
        schedule: the rate that the place was on, with its versions: not the one it fell back to.
        scope: of whoever asks.
        kept: with lines.
        neighbors: the bills around it.
        others: rates by code, for one that falls back to another.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
    """
    making = Making(schedule, zone_named(kept.zone), kept.made_at, rules, others or {})
    order = order_of(kept, neighbors)
    (made,) = await bills_of(meters, making, [order], known_at=kept.made_at, scope=scope)
    return Rebuilt(made, tuple(differences(kept, made)))


def order_of(kept: Bill, neighbors: Neighbors) -> BillOrder:
    """Return the order that a kept bill was made by."""
    before, after = neighbors.before, neighbors.after
    # Of a period in parts the part before has counted already.
    is_later_part = kept.span.first > kept.terms.whole(kept.span).first
    estimated = 1 if kept.estimates_in_a_row and not is_later_part else 0
    # Apportioned reads were settled before the bill was made: like a release they are given, not made by it.
    settled = [p for p in kept.reads if ReadKind.APPORTIONED in (p.begin.kind, p.end.kind)]
    opened = {(p.meter, p.channel): p.begin for p in settled if p.begin.kind is ReadKind.APPORTIONED}
    closed = {(p.meter, p.channel): p.end for p in settled if p.end.kind is ReadKind.APPORTIONED}
    return BillOrder(
        service_point_id=kept.service_point_id,
        span=kept.span,
        kind=kept.kind,
        account_id=kept.account_id,
        cycle=kept.cycle,
        terms=kept.terms,
        carried=kept.carried_in,
        opens_on={**({} if before is None else closing_reads(before.reads)), **opened},
        closes_on={**({} if after is None else opening_reads(after.reads)), **closed},
        estimates_before=kept.estimates_in_a_row - estimated,
        version=kept.version,
        supersedes=kept.supersedes,
        replaces=kept.replaces,
        released=kept.released,
    )


def differences(kept: Bill, made: Bill) -> Sequence[str]:
    """Return in words where two bills differ, lines one by one."""
    found = []
    kept = replace(kept, state=BillState.ISSUED) if kept.state is BillState.SUPERSEDED else kept
    for field in fields(Bill):
        name = field.name
        if name in _OF_LATER or name == "lines":
            continue
        before, after = getattr(kept, name), getattr(made, name)
        if before != after:
            found.append(f"{name}: kept {before}, made again {after}")
    if made.hold is not None and kept.hold is None:
        found.append(f"made again it is held: {made.hold.reason}")
    if len(kept.lines) != len(made.lines):
        found.append(f"lines: kept {len(kept.lines)}, made again {len(made.lines)}")
    for number, (old, new) in enumerate(zip(kept.lines, made.lines, strict=False), start=1):
        if old != new:
            found.append(f"line {number} {old.name}: kept {old.amount}, made again {new.amount} ({new.name})")
    return found
