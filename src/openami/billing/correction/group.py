"""Groups of changes: one decision per customer and cause, and one case for a cause that touched many. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.correction.record import Cause, Change, Finding


@dataclass(frozen=True, slots=True)
class CustomerChanges:
    """What one cause changed for one customer.

    Args:
        agreement_id: whose.
        cause: why.
        changes: by first day.
    """

    agreement_id: UUID
    cause: Cause
    changes: tuple[Change, ...]

    @property
    def by(self) -> Decimal:
        """What all bills together change by."""
        return sum((c.by for c in self.changes), Decimal(0))

    @property
    def by_wh(self) -> int:
        """Likewise in energy [Wh]."""
        return sum(c.by_wh for c in self.changes)


@dataclass(frozen=True, slots=True)
class CauseCase:
    """All that one cause changed.

    Args:
        cause: why.
        customers: by agreement.
        since: when the first of it was found.
    """

    cause: Cause
    customers: tuple[CustomerChanges, ...]
    since: datetime

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every changed bill."""
        return tuple(c for one in self.customers for c in one.changes)

    @property
    def is_bulk(self) -> bool:
        """Whether more than one customer has it."""
        return len(self.customers) > 1

    @property
    def first(self) -> date:
        """The first day billed that it touches."""
        return min(c.span.first for c in self.changes)

    @property
    def last(self) -> date:
        """The last."""
        return max(c.span.last for c in self.changes)


def cases_of(changes: Iterable[Change]) -> list[CauseCase]:
    """Return open changes as cases: by cause, within it by customer; the most money first, either way.

    Changes within tolerance are no case. Those that cannot be made again stay in theirs, to be seen.
    """
    by_cause: dict[Cause, dict[UUID, list[Change]]] = {}
    words: dict[str, Cause] = {}
    for change in changes:
        if change.found is Finding.WITHIN_TOLERANCE:
            continue
        # Words may have been written differently on different days: the key is what counts.
        cause = words.setdefault(change.cause.name, change.cause)
        by_cause.setdefault(cause, {}).setdefault(change.agreement_id, []).append(change)
    found = []
    for cause, of in by_cause.items():
        customers = tuple(
            CustomerChanges(agreement, cause, tuple(sorted(some, key=lambda c: c.span)))
            for agreement, some in sorted(of.items())
        )
        found.append(CauseCase(cause, customers, min(c.found_at for one in customers for c in one.changes)))
    return sorted(found, key=lambda c: (-sum(abs(x.by) for x in c.changes), c.cause))


def main_cause(by_cause: dict[Cause, int]) -> tuple[Cause, tuple[str, ...]]:
    """Return the cause of a bill, and the names of its other causes.

    Args:
        by_cause: how many of its changed days each cause explains; not empty.
    """
    ordered = sorted(by_cause, key=lambda c: (-by_cause[c], c))
    return ordered[0], tuple(c.name for c in ordered[1:])
