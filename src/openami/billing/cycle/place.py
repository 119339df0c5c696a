"""What is known of one service point when its bills are planned. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from openami.billing.bill.record import Assignment, BillKind
from openami.billing.calendar.cycle import Cycle
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import BillSpan


@dataclass(frozen=True, slots=True)
class Holding:
    """An account that held a service point on local days ``[first, end)``; None while it does.

    A move on a local day begins with that day: it is the new account's, and the bill before ends with the day ahead.
    """

    account_id: UUID | None
    first: date
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Billed:
    """What one account was billed at a place.

    Args:
        account_id: whose.
        end: first day after its last bill, held ones too.
        held: first days of its bills that wait, rising.
        first: first day of its first bill, held ones too; None where nobody looked.
        held_ends: first days after its bills that wait, in the order of ``held``; empty where nobody looked.
    """

    account_id: UUID | None
    end: date
    held: tuple[date, ...] = ()
    first: date | None = None
    held_ends: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One service point.

    Args:
        service_point_id: where.
        zone: of its local days.
        bill_group: whose read days count.
        holdings: accounts, by first day.
        rates: assignments, by first day.
        billed: by account.
        issued: days of bills that went out, by account; needed only where a bill waits, or days before the first one.
    """

    service_point_id: UUID
    zone: str
    bill_group: int
    holdings: Sequence[Holding]
    rates: Sequence[Assignment]
    billed: Sequence[Billed] = ()
    issued: Mapping[UUID | None, Sequence[BillSpan]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """A bill that is due.

    Args:
        service_point_id: where.
        zone: of its local days.
        span: local days.
        rate_code: empty where no rate is assigned.
        kind: initial, regular or final.
        account_id: whose; None where none is named.
        cycle: its place in the calendar; None where the calendar knows no read day.
        period_days: days from read to read; more than the span's where a rate ends within.
        part_of: that period, where the bill is one part of it.
        begins_on: where it will begin: the bill before it waits, and ended there, before its read day.
        is_billed_already: days of it went out on a bill of the account before, which has to be corrected first.
    """

    service_point_id: UUID
    zone: str
    span: BillSpan
    rate_code: str
    kind: BillKind
    account_id: UUID | None
    cycle: Cycle | None
    period_days: int
    is_billed_already: bool = False
    part_of: PartOf | None = None
    begins_on: date | None = None

    @property
    def ends_its_period(self) -> bool:
        """Whether no other part of its period follows."""
        return self.part_of is None or self.span.end == self.part_of.period.end


@dataclass(frozen=True, slots=True)
class Unplanned:
    """Days that cannot become a bill because the calendar names no read day for the group."""

    service_point_id: UUID
    bill_group: int
    since: date


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a place or an account found, and when the next one is worth it while nothing changes there.

    Args:
        found: what is due, by first day.
        since: day up to which all is billed or found: the next read day after it makes a bill due.
        wakes_on: day on which a bill is due whatever is read: an account ends, or a bill that went out begins.
    """

    found: tuple[Planned | Unplanned, ...] = ()
    since: date = date.max
    wakes_on: date = date.max
