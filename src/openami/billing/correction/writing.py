"""What carrying out a decision writes: corrected bills, adjustments, ledger entries, repayment in parts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.correction.corrected import adjustment_of, require_whole
from openami.billing.correction.decision import CorrectionDecision
from openami.billing.correction.over import Ledgered, closing_entries
from openami.billing.correction.ports import Writes
from openami.billing.correction.record import Adjustment
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.entry import Entry, EntryKind, reversal_of
from openami.billing.ledger.installment import InstallmentPlan, parts_of, plan_entry
from openami.billing.ledger.posting import charged, day_of, level_plan, plan_for, plans_by_agreement
from openami.kernel.time import local_date, zone_named

_OF_THE_BILL = frozenset({EntryKind.BILL, EntryKind.BUDGET})


@dataclass(frozen=True, slots=True)
class Unit:
    """Bills that are replaced together.

    Args:
        olds: in force, with their lines, by first day.
        news: what takes their place, by first day; none where it is reversed whole.
    """

    olds: tuple[Bill, ...]
    news: tuple[Bill, ...]

    @property
    def by(self) -> Decimal:
        """By how much the totals change."""
        return _sum(self.news) - _sum(self.olds)

    @property
    def ends_service(self) -> bool:
        """Whether what takes their place is its account's last bill."""
        return bool(self.news) and self.news[-1].ends_service


def corrected_rows(
    decision: CorrectionDecision,
    units: Sequence[Unit],
    agreements: Mapping[UUID, UUID],
    known: Ledgered,
    parts: Mapping[UUID, int],
    *,
    at: datetime,
) -> Writes:
    """Return all rows of a decision.

    Args:
        decision: carried out.
        units: bills in force, with what supersedes them.
        agreements: of each old bill, by its id.
        known: of the ledger.
        parts: in how many parts each agreement repays.
        at: domain time.

    Raises:
        MisuseError: what supersedes bills is not about their days.
    """
    plans = plans_by_agreement(known.plans)
    entries: list[Entry] = []
    adjustments: list[Adjustment] = []
    owed: dict[UUID, Decimal] = {}
    ended = known.ended | {agreements[u.olds[0].bill_id] for u in units if u.ends_service}
    parts = {a: 1 if a in ended else n for a, n in parts.items()}
    for unit in units:
        require_whole(unit.olds, unit.news)
        first = unit.olds[0]
        agreement = agreements[first.bill_id]
        day, levels = local_date(at, zone_named(first.zone)), plans.get(agreement, ())
        entries += _rebooked(unit, agreement, levels, known.entries, decision, day, at)
        # Under budget billing the difference is deferred like any other, and asked for in no part by itself.
        is_running = agreement not in ended and plan_for(levels, day) is not None
        is_level = is_running and level_plan(levels, unit.olds[-1]) is not None
        one = adjustment_of(
            unit.olds, unit.news, agreement_id=agreement, decision_id=decision.decision_id, cause=decision.cause,
            installments=1 if is_level else parts.get(agreement, 1), day=day,
        )  # fmt: skip
        adjustments.append(one)
        owed[agreement] = owed.get(agreement, Decimal(0)) + (Decimal(0) if is_level else one.by)
    entries += closing_entries(known, plans, adjustments, entries, ended=ended, at=at)
    repaid = _repaid(decision, adjustments, owed, parts)
    entries += [plan_entry(plan, made_at=at) for plan in repaid]
    return Writes(tuple(n for u in units for n in u.news), tuple(adjustments), tuple(entries), tuple(repaid))


def _rebooked(
    unit: Unit,
    agreement: UUID,
    levels: Sequence[BudgetPlan],
    entries: Sequence[Entry],
    decision: CorrectionDecision,
    day: date,
    at: datetime,
) -> list[Entry]:
    """Return the entries that take a unit's bills back and book what takes their place."""
    found: list[Entry] = []
    decided = decision.decision_id
    for old in unit.olds:
        booked, first = _booked(old, agreement, levels, entries)
        found += first + [reversal_of(e, day=day, made_at=at, decision_id=decided) for e in booked]
    for new in unit.news:
        found += charged(new, agreement, levels, day=day, made_at=at, decision_id=decided)
    return found


def _sum(bills: Sequence[Bill]) -> Decimal:
    return sum((b.total or Decimal(0) for b in bills), Decimal(0))


def _booked(
    old: Bill, agreement: UUID, plans: Sequence[BudgetPlan], entries: Sequence[Entry]
) -> tuple[list[Entry], list[Entry]]:
    """Return what of a bill must be taken back, and of it what was never booked.

    A bill that went out before the ledger was there, or right before a crash, is booked first on its own day.
    """
    known = [e for e in entries if e.bill_id == old.bill_id and e.kind in _OF_THE_BILL]
    if known:
        return known, []
    first = charged(old, agreement, plans, day=day_of(old), made_at=old.issued_at or old.made_at)
    return first, first


def _repaid(
    decision: CorrectionDecision,
    adjustments: Sequence[Adjustment],
    owed: Mapping[UUID, Decimal],
    parts: Mapping[UUID, int],
) -> list[InstallmentPlan]:
    of: dict[UUID, Adjustment] = {a.agreement_id: a for a in adjustments}
    return [
        InstallmentPlan(
            decision.decision_id, agreement, of[agreement].service_point_id, parts_of(amount, parts[agreement]),
            of[agreement].day, of[agreement].currency,
        )
        for agreement, amount in owed.items()
        if amount > 0 and parts.get(agreement, 1) > 1
    ]  # fmt: skip
