"""What carrying out a decision writes: corrected bills, adjustments, ledger entries, repayment in parts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.correction.corrected import adjustment_of
from openami.billing.correction.decision import CorrectionDecision
from openami.billing.correction.ports import Writes
from openami.billing.correction.record import Adjustment
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.entry import Entry, EntryKind, reversal_of
from openami.billing.ledger.installment import InstallmentPlan, parts_of, plan_entry
from openami.billing.ledger.posting import charged, day_of, plan_for, plans_by_agreement
from openami.kernel.time import local_date, zone_named

_OF_THE_BILL = frozenset({EntryKind.BILL, EntryKind.BUDGET})


@dataclass(frozen=True, slots=True)
class Ledgered:
    """What the ledger holds of bills that are superseded.

    Args:
        entries: about them.
        plans: rows of budget plans of their agreements, oldest first.
    """

    entries: tuple[Entry, ...] = ()
    plans: tuple[BudgetPlan, ...] = ()


def corrected_rows(
    decision: CorrectionDecision,
    olds: Sequence[Bill],
    news: Sequence[Bill | None],
    agreements: Mapping[UUID, UUID],
    known: Ledgered,
    parts: Mapping[UUID, int],
    *,
    at: datetime,
) -> Writes:
    """Return all rows of a decision.

    Args:
        decision: carried out.
        olds: bills in force, with their lines.
        news: what supersedes each; None where it is reversed whole.
        agreements: of each old bill, by its id.
        known: of the ledger.
        parts: in how many parts each agreement repays.
        at: domain time.
    """
    plans = plans_by_agreement(known.plans)
    entries: list[Entry] = []
    adjustments: list[Adjustment] = []
    owed: dict[UUID, Decimal] = {}
    for old, new in zip(olds, news, strict=True):
        agreement = agreements[old.bill_id]
        day = local_date(at, zone_named(old.zone))
        booked, first = _booked(old, agreement, plans.get(agreement, ()), known.entries)
        levels, decided = plans.get(agreement, ()), decision.decision_id
        fresh = [] if new is None else charged(new, agreement, levels, day=day, made_at=at, decision_id=decided)
        back = [reversal_of(e, day=day, made_at=at, decision_id=decision.decision_id) for e in booked]
        entries += [*first, *back, *fresh]
        # Under budget billing the difference is deferred like any other, and asked for in no part by itself.
        is_level = plan_for(plans.get(agreement, ()), old.span.last) is not None
        one = adjustment_of(
            old, new, agreement_id=agreement, decision_id=decision.decision_id, cause=decision.cause,
            installments=1 if is_level else parts.get(agreement, 1), day=day,
        )  # fmt: skip
        adjustments.append(one)
        owed[agreement] = owed.get(agreement, Decimal(0)) + (Decimal(0) if is_level else one.by)
    repaid = _repaid(decision, adjustments, owed, parts)
    entries += [plan_entry(plan, made_at=at) for plan in repaid]
    return Writes(tuple(n for n in news if n is not None), tuple(adjustments), tuple(entries), tuple(repaid))


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
