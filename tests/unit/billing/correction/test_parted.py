"""A bill that two parts take the place of counts as one period: in limits, repayment, levels and its adjustment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from tests.unit.billing.correction.test_deciding import LATE, change
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.bill.record import Bill, BillState
from openami.billing.calendar.cycle import Cycle
from openami.billing.correction.compared import finding_of, told_parts
from openami.billing.correction.corrected import require_whole
from openami.billing.correction.decision import CorrectionDecision, DecidedBill
from openami.billing.correction.effect import CorrectionLimits, effect_of
from openami.billing.correction.over import Ledgered
from openami.billing.correction.periods import periods_of
from openami.billing.correction.reach import reach_of
from openami.billing.correction.record import DecisionKind, Finding
from openami.billing.correction.remade import Remade
from openami.billing.correction.rules import CorrectionRules, LookBack
from openami.billing.correction.writing import Unit, corrected_rows
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.installment import InstallmentPlan
from openami.billing.ledger.posting import charged
from openami.billing.rating.carried import BankedCredit, Carried
from openami.billing.rating.terms import BillTerms, PartOf
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import MisuseError

OCTOBER, NOVEMBER, MIDDLE = date(2026, 10, 1), date(2026, 11, 1), date(2026, 10, 16)
AGREEMENT = UUID(int=5)


def old(total: str = "60.00") -> Bill:
    return replace(bill([line("energy", total)], days=31), cycle=Cycle(1, OCTOBER, NOVEMBER))


def part(first: date, days: int, total: str, *, wh: int = 250_000, version: int = 1) -> Bill:
    made = bill([line("energy", total)], first=first, days=days, usage_wh=wh, version=version)
    terms = BillTerms(part_of=PartOf(BillSpan(OCTOBER, NOVEMBER)))
    return replace(made, cycle=Cycle(1, OCTOBER, NOVEMBER), terms=terms)


def decision(*bills: Bill) -> CorrectionDecision:
    decided = tuple(DecidedBill(b.bill_id, "v", True) for b in bills)
    return CorrectionDecision(uuid4(), DecisionKind.REBILL, LATE, decided, "the form came late", UUID(int=1), AT)


def test_under_a_level_two_parts_are_charged_one_level_and_the_difference_is_deferred() -> None:
    plan = BudgetPlan(AGREEMENT, POINT, date(2026, 1, 1), Decimal(50), 6)
    before, parts = old(), (part(OCTOBER, 15, "30.00", version=2), part(MIDDLE, 16, "41.00"))
    booked = charged(before, AGREEMENT, [plan], day=OCTOBER, made_at=AT)
    done = corrected_rows(
        decision(before), [Unit((before,), parts)], {before.bill_id: AGREEMENT}, Ledgered(tuple(booked), (plan,)),
        {AGREEMENT: 2}, at=AT,
    )  # fmt: skip
    on = {a: sum((e.amount_of(a) for e in (*booked, *done.entries)), Decimal(0)) for a in (A.RECEIVABLE, A.ENERGY)}
    # The level of 50 is asked for once, 71 are earned, 21 deferred, and nothing is repaid in parts.
    assert on == {A.RECEIVABLE: Decimal(50), A.ENERGY: Decimal(-71)}
    assert sum((e.amount_of(A.BUDGET_DEFERRED) for e in (*booked, *done.entries)), Decimal(0)) == 21
    assert done.plans == ()
    (one,) = done.adjustments
    assert (one.by, one.installments, one.more_corrected) == (Decimal(11), 1, (parts[1].bill_id,))


def test_bills_that_leave_a_day_out_or_bill_one_twice_never_take_a_bill_s_place() -> None:
    whole = [old()]
    require_whole(whole, [part(OCTOBER, 15, "1.00"), part(MIDDLE, 16, "1.00")])
    require_whole(whole, [part(OCTOBER, 15, "1.00")])
    for news in (
        [part(OCTOBER, 14, "1.00"), part(MIDDLE, 16, "1.00")],
        [part(OCTOBER, 16, "1.00"), part(MIDDLE, 16, "1.00")],
        [part(OCTOBER, 15, "1.00"), part(MIDDLE, 17, "1.00")],
        [part(MIDDLE, 16, "1.00")],
    ):
        with pytest.raises(MisuseError, match="about its days"):
            require_whole(whole, news)


def test_a_split_is_weighed_by_its_parts_together_and_a_part_that_cannot_be_made_stops_all_of_it() -> None:
    before = old()
    parts = (part(OCTOBER, 15, "30.00"), part(MIDDLE, 16, "30.10"))
    one = Remade(before, parts, (before.bill_id,), parts)
    assert (one.total, one.usage_wh) == (Decimal("60.10"), 500_000)
    assert finding_of([one], CorrectionRules()) is Finding.WITHIN_TOLERANCE
    dear = (parts[0], part(MIDDLE, 16, "31.00"))
    assert finding_of([replace(one, bills=dear, whole=dear)], CorrectionRules()) is Finding.OPEN
    held = (parts[0], replace(parts[1], state=BillState.HELD, total=None, usage_wh=None))
    stuck = replace(one, bills=held, whole=held)
    assert (finding_of([stuck], CorrectionRules()), stuck.total, told_parts(stuck)) == (
        Finding.UNMAKABLE, None, ((), None),
    )  # fmt: skip


def test_a_credit_that_would_be_lost_is_never_within_tolerance() -> None:
    before = replace(old(), carried_out=Carried())
    credit = Carried(bank=(BankedCredit(OCTOBER, date(2026, 10, 31), wh=40_000),))
    made = replace(before, carried_out=credit)
    one = Remade(before, (made,), (before.bill_id,), (made,))
    assert finding_of([one], CorrectionRules()) is Finding.OPEN
    small = replace(made, carried_out=Carried(bank=(BankedCredit(OCTOBER, date(2026, 10, 31), wh=900),)))
    assert finding_of([replace(one, bills=(small,), whole=(small,))], CorrectionRules()) is Finding.WITHIN_TOLERANCE


def test_limits_repayment_and_the_second_person_count_a_parted_period_once_and_both_of_its_parts() -> None:
    found = date(2026, 11, 1)
    bills = []
    for back in range(14):
        begin = found - timedelta(days=30 * (back + 1))
        cycle = Cycle(1, begin, begin + timedelta(days=30))
        bills += [
            replace(bill([line("energy", "50.00")], first=first, days=15), cycle=cycle)
            for first in (begin, begin + timedelta(days=15))
        ]
    periods = periods_of(bills)
    assert len(periods) == 14

    def of(back: int, half: int, by: str) -> list[object]:
        begin = found - timedelta(days=30 * (back + 1) - 15 * half)
        return [replace(change(by), span=BillSpan(begin, begin + timedelta(days=15)))]

    both = [*of(11, 0, "300"), *of(11, 1, "250")]
    reach = reach_of(both, periods, LookBack(), discovered=found)  # type: ignore[arg-type]
    # Twelve periods back are twenty-four bills: by bills, the sixth period would have been the last.
    assert (len(reach.rebilled), reach.periods, reach.by) == (2, 1, Decimal(550))
    effect = effect_of([reach], unmakable=0, in_parts=0)
    assert "change by 550.00" in str(CorrectionLimits().needs_second(effect))
    beyond = reach_of(of(12, 1, "5"), periods, LookBack(), discovered=found)  # type: ignore[arg-type]
    assert (beyond.rebilled, beyond.periods) == ((), 0)


@pytest.mark.parametrize(("is_ended", "is_stopped"), [(True, False), (False, True), (True, True)])
def test_a_correction_after_a_plan_or_an_account_is_over_is_asked_for_and_never_deferred_for_good(
    is_ended: bool, is_stopped: bool
) -> None:
    plan = BudgetPlan(AGREEMENT, POINT, date(2026, 1, 1), Decimal(50), 6)
    stopped = replace(plan, first_day=date(2026, 11, 5), end_day=date(2026, 11, 5))
    before, after = old(), replace(part(OCTOBER, 31, "90.00", version=2), terms=BillTerms())
    booked = charged(before, AGREEMENT, [plan], day=OCTOBER, made_at=AT)
    # The ten that were deferred of the first bill were settled when it was over.
    known = Ledgered(
        tuple(booked), (plan, stopped) if is_stopped else (plan,), {AGREEMENT: Decimal(0)},
        frozenset({AGREEMENT} if is_ended else ()),
    )  # fmt: skip
    done = corrected_rows(
        decision(before), [Unit((before,), (after,))], {before.bill_id: AGREEMENT}, known, {AGREEMENT: 2}, at=AT
    )
    on = {
        a: sum((e.amount_of(a) for e in done.entries), Decimal(0))
        for a in (A.RECEIVABLE, A.BUDGET_DEFERRED, A.INSTALLMENTS)
    }
    # 30 more, and no bill comes with which a part could fall due where the account has ended.
    assert on == (
        {A.RECEIVABLE: 30, A.BUDGET_DEFERRED: 0, A.INSTALLMENTS: 0}
        if is_ended
        else {A.RECEIVABLE: 0, A.BUDGET_DEFERRED: 0, A.INSTALLMENTS: 30}
    )
    assert [p.parts for p in done.plans] == ([] if is_ended else [(Decimal(15), Decimal(15))])


def test_what_was_being_repaid_falls_due_where_a_bill_turns_out_to_be_the_last_one() -> None:
    before, after = old(), replace(part(OCTOBER, 20, "38.00", version=2), terms=BillTerms(is_final=True))
    booked = charged(before, AGREEMENT, [], day=OCTOBER, made_at=AT)
    running = InstallmentPlan(UUID(int=9), AGREEMENT, POINT, (Decimal(20), Decimal(20), Decimal(20)), OCTOBER)
    known = Ledgered(tuple(booked), unfallen=((running, 1),))
    done = corrected_rows(
        decision(before), [Unit((before,), (after,))], {before.bill_id: AGREEMENT}, known, {AGREEMENT: 2}, at=AT
    )
    assert sum((e.amount_of(A.INSTALLMENTS) for e in done.entries), Decimal(0)) == -40
    assert sum((e.amount_of(A.RECEIVABLE) for e in done.entries), Decimal(0)) == 38 - 60 + 40


def test_an_undercharge_of_an_account_that_has_ended_is_due_at_once() -> None:
    before, after = old(), replace(part(OCTOBER, 31, "90.00", version=2), terms=BillTerms(is_final=True))
    booked = charged(before, AGREEMENT, [], day=OCTOBER, made_at=AT)
    done = corrected_rows(
        decision(before), [Unit((before,), (after,))], {before.bill_id: AGREEMENT}, Ledgered(tuple(booked)),
        {AGREEMENT: 2}, at=AT,
    )  # fmt: skip
    assert (done.plans, done.adjustments[0].installments) == ((), 1)
    assert sum((e.amount_of(A.RECEIVABLE) for e in done.entries), Decimal(0)) == 30
