"""Dated retention rules and the plan they make. Pure; nothing is removed here.

Without a rule a table is kept for ever. A rule says for how many whole months its rows are kept, from a day on; the
newest rule in force counts. What a bill stands on stays for as long as the bill does: every month of a place that a
bill touches is held, its raw readings, registers and versions alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.mdm.store.schema import Table

FEWEST_MONTHS = {Table.READING_RAW: 15, Table.REGISTER_READ: 15, Table.READING_DAY: 25}
"""A year back with its corrections must stay comparable: thirteen months of history, and what late bills need."""
MOST_MONTHS = 1_200


class RetentionError(OpenAmiError):
    """A rule or a removal that cannot be; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        table: of the interval store.
        months: whole months that a row is kept after its own; None keeps for ever again.
        effective: from which day the rule counts.
        reason: why, in words.
        by: the account that entered it; None before it is entered.
    """

    table: Table
    months: int | None
    effective: date
    reason: str
    by: UUID | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.months is not None and not FEWEST_MONTHS[self.table] <= self.months <= MOST_MONTHS:
            raise RetentionError(
                f"{self.table} is kept for {FEWEST_MONTHS[self.table]} to {MOST_MONTHS} months, not {self.months}"
            )
        if not self.reason.strip():
            raise RetentionError("a retention rule needs a reason")


@dataclass(frozen=True, slots=True)
class Removal:
    """Rows of one month of a table that go.

    Args:
        table: of the interval store.
        month: year * 100 + month, as the engine's partition is called.
        held: places whose rows of that month stay.
    """

    table: Table
    month: int
    held: frozenset[UUID]


def in_force(rules: Sequence[Rule], table: Table, today: date) -> Rule | None:
    """Return the rule that counts for a table today, if any. Of rules of one day the later entered counts."""
    own = [r for r in rules if r.table is table and r.effective <= today]
    return max(enumerate(own), key=lambda pair: (pair[1].effective, pair[0]))[1] if own else None


def plan(
    rules: Sequence[Rule],
    months: Mapping[Table, Collection[int]],
    held: Mapping[int, frozenset[UUID]],
    today: date,
) -> list[Removal]:
    """Return what is due to go, the oldest month first.

    Args:
        rules: in the order in which they were entered.
        months: months that each table has rows of.
        held: for each month the places that a bill touches.
        today: in the utility's zone.
    """
    found = []
    for table in Table:
        kept = in_force(rules, table, today)
        if kept is None or kept.months is None:
            continue
        oldest = month_before(today.year * 100 + today.month, kept.months)
        found += [Removal(table, m, held.get(m, frozenset())) for m in months.get(table, ()) if m < oldest]
    return sorted(found, key=lambda r: (r.month, r.table))


def check_second(rules: Sequence[Rule], removals: Sequence[Removal], today: date, by: UUID) -> None:
    """Refuse that whoever set the rule also removes by it: it cannot be undone, so it takes two people.

    Raises:
        RetentionError: they are one person.
    """
    for table in {r.table for r in removals}:
        rule = in_force(rules, table, today)
        if rule is not None and rule.by == by:
            raise RetentionError(f"the rule of {table} is of the same person: somebody else must carry the plan out")


def month_before(month: int, count: int) -> int:
    """Return the month that lies so many months before another.

    >>> month_before(202603, 15)
    202412
    """
    number = month // 100 * 12 + month % 100 - 1 - count
    return number // 12 * 100 + number % 12 + 1


def first_of_next(month: int) -> date:
    """Return the first day after a month.

    >>> first_of_next(202612)
    datetime.date(2027, 1, 1)
    """
    following = month_before(month, -1)
    return date(following // 100, following % 100, 1)


def digest_of(removals: Sequence[Removal]) -> str:
    """Return a name of exactly this plan: what a person has seen is what is carried out."""
    digest = sha256()
    for r in removals:
        digest.update(f"{r.table}/{r.month}/{','.join(sorted(p.hex for p in r.held))};".encode())
    return digest.hexdigest()[:12]
