"""Records of corrections. Values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from openami.billing.rating.usage import BillSpan


class CauseKind(StrEnum):
    """Why billed data changed. Values are stored: they stay for ever."""

    EDIT = "edit"
    """A person decided about readings; the key is that decision's id, or the case's that it closed."""
    REGISTRY = "registry"
    """Who hung where, a multiplier, service or approval to feed in, entered late; the key is day and reason."""
    RATE = "rate"
    """Another rate was entered for time that is billed."""
    READINGS = "readings"
    """Late or better readings, validated again; the key is the day on which that became known."""
    TRUE_UP = "true_up"
    """An actual read, or actual intervals, behind estimated ones; the key is the local day of that read."""


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """One cause; equal for every bill that it touched.

    Args:
        kind: what kind.
        key: which: changes of one key have one cause.
        words: for people; no identity of a customer.
    """

    kind: CauseKind
    key: str
    words: str = ""

    @property
    def name(self) -> str:
        """What a person names it by at the command line.

        >>> Cause(CauseKind.READINGS, "2026-11-10").name
        'readings:2026-11-10'
        """
        return f"{self.kind.value}:{self.key}"


class Finding(StrEnum):
    """How a touched bill was weighed."""

    OPEN = "open"
    """A person decides."""
    WITHIN_TOLERANCE = "within_tolerance"
    """Too little to be worth a corrected bill; left, and listed."""
    UNMAKABLE = "unmakable"
    """It cannot be made again now; the reason says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the bills that would take the place of others.

    Args:
        span: local days.
        rate_code, rate_name: that it is priced by.
        wh: billed energy.
        total: what it comes to.
    """

    span: BillSpan
    rate_code: str
    rate_name: str
    wh: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """One issued bill whose data changed, made again and compared.

    Args:
        bill_id: the bill in force.
        service_point_id, agreement_id: where and whose.
        rate_code: of the bill in force.
        span: local days.
        issued_at: when it went out.
        cause: the one that explains the most of its days, where there are several.
        also: names of other causes of the same bill.
        days: how many of its days have another version.
        versions_digest: of the versions that it was made from again; a decision stands on exactly these.
        before_wh, after_wh: billed energy.
        before, after: totals; ``after`` is None where it cannot be made.
        found: how it was weighed.
        reason: why it cannot be made, or why it would be held if nobody decided.
        found_at: when the change was noted.
        parts: what takes its place, where that is not one bill of the same days; what begins in its days.
        joins: the bill that takes its days in, where two parts become one; its own ``after`` is nothing then.
    """

    bill_id: UUID
    service_point_id: UUID
    agreement_id: UUID
    rate_code: str
    span: BillSpan
    issued_at: datetime
    cause: Cause
    also: tuple[str, ...]
    days: int
    versions_digest: str
    before_wh: int
    after_wh: int
    before: Decimal
    after: Decimal | None
    found: Finding
    reason: str
    found_at: datetime
    currency: str = "USD"
    parts: tuple[Part, ...] = ()
    joins: UUID | None = None

    @property
    def by_wh(self) -> int:
        """By how much billed energy changes [Wh]."""
        return self.after_wh - self.before_wh

    @property
    def by(self) -> Decimal:
        """By how much the total changes; zero where it cannot be made."""
        return Decimal(0) if self.after is None else self.after - self.before


class DecisionKind(StrEnum):
    """What was decided. Values are stored: they stay for ever."""

    REBILL = "rebill"
    """Corrected bills go out, as far back as the limits allow."""
    LEAVE = "leave"
    """The bills stay as they are, for the reason given."""


@dataclass(frozen=True, slots=True)
class AdjustmentLine:
    """One line of an adjustment: what a line of the bill was, and is.

    Args:
        kind, name, period, tier: of the line, as on both bills.
        before, after: printed amounts; zero where only one bill has the line.
        before_quantity, after_quantity: in ``unit``.
    """

    kind: str
    name: str
    period: str | None
    tier: int | None
    before: Decimal
    after: Decimal
    before_quantity: Decimal
    after_quantity: Decimal
    unit: str

    @property
    def by(self) -> Decimal:
        """What it adds to the amount due."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What links a bill and the one that supersedes it; printed on the next statement.

    Where parts take the place of a bill, or one bill that of two parts, it is one adjustment: the customer is told one
    difference.

    Args:
        adjustment_id: the same for the same bills.
        agreement_id, service_point_id: whose and where.
        bill_id, corrected_bill_id: both bills, of several the first; None where the bill was reversed whole and none
            takes its place.
        span: local days of all.
        decision_id: who decided and why.
        cause: why.
        by_wh, by: difference of energy and of totals.
        installments: in how many parts it is repaid; 1 is at once.
        day: accounting day.
        lines: line by line; empty where not asked for.
        more_bills, more_corrected: the bills after the first that were replaced, and that take their place.
    """

    adjustment_id: UUID
    agreement_id: UUID
    service_point_id: UUID
    bill_id: UUID
    corrected_bill_id: UUID | None
    span: BillSpan
    decision_id: UUID
    cause: Cause
    by_wh: int
    by: Decimal
    installments: int
    day: date
    currency: str = "USD"
    lines: tuple[AdjustmentLine, ...] = ()
    more_bills: tuple[UUID, ...] = ()
    more_corrected: tuple[UUID, ...] = ()
