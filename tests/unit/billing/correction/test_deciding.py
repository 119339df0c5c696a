"""What a correction weighs: tolerances, how far back, who is one case, and when a second person must agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.bill.record import Bill, BillState
from openami.billing.correction.compared import change_of, finding_of
from openami.billing.correction.corrected import adjustment_of, differences, superseding
from openami.billing.correction.decision import CorrectionDecision, CorrectionRefusedError, DecidedBill
from openami.billing.correction.effect import CorrectionLimits, Effect, effect_of, effect_of_leaving
from openami.billing.correction.group import cases_of, main_cause
from openami.billing.correction.ports import TouchedBill
from openami.billing.correction.proposal import Wish, found_before
from openami.billing.correction.reach import reach_of
from openami.billing.correction.record import Cause, CauseKind, Change, DecisionKind, Finding
from openami.billing.correction.remade import Remade, versions_digest
from openami.billing.correction.rules import CorrectionRules, LookBack, Tolerances
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import MisuseError

LATE = Cause(CauseKind.READINGS, "2026-11-10", "late readings")
EDIT = Cause(CauseKind.EDIT, str(uuid4()), "a clock was wrong")
DISCOVERED = date(2026, 11, 10)


def span(months_back: int) -> BillSpan:
    """The billing period that ended so many periods of 30 days before the discovery."""
    end = DISCOVERED - timedelta(days=30 * months_back)
    return BillSpan(end - timedelta(days=30), end)


def change(
    by: str,
    *,
    back: int = 0,
    agreement: UUID = POINT,
    cause: Cause = LATE,
    found: Finding = Finding.OPEN,
    by_wh: int = 0,
) -> Change:
    return Change(
        uuid4(), POINT, agreement, "flat", span(back), AT, cause, (), 1, "d", 100_000, 100_000 + by_wh, Decimal(100),
        Decimal(100) + Decimal(by), found, "", AT,
    )  # fmt: skip


def alone(old: Bill, made: Bill) -> Remade:
    """A bill whose place one bill takes."""
    return Remade(old, (made,), (old.bill_id,), (made,))


PERIODS = [span(n) for n in range(80)]


@pytest.mark.parametrize(
    ("wh", "money", "leaves"),
    [(1_000, "0.25", True), (-1_000, "-0.25", True), (1_001, "0.00", False), (0, "0.26", False), (0, "-0.26", False)],
)
def test_a_change_is_left_only_where_energy_and_money_are_both_too_little(wh: int, money: str, leaves: bool) -> None:
    assert Tolerances().leaves(wh, Decimal(money)) is leaves


@pytest.mark.parametrize(
    ("by", "back", "tampering", "corrected"),
    [
        ("-5", 0, False, True), ("-5", 59, False, True), ("-5", 60, False, False),
        ("5", 0, False, True), ("5", 11, False, True), ("5", 12, False, False),
        ("5", 12, True, True), ("5", 79, True, True),
    ],
    ids=["over now", "over in the 60th period", "over in the 61st", "under now", "under in the 12th period",
         "under in the 13th", "tampering", "tampering long ago"],
)  # fmt: skip
def test_overcharges_reach_60_periods_back_undercharges_12_and_tampering_all(
    by: str, back: int, tampering: bool, corrected: bool
) -> None:
    found = reach_of([change(by, back=back)], PERIODS, LookBack(), discovered=DISCOVERED, tampering=tampering)
    assert bool(found.rebilled) is corrected
    assert bool(found.beyond) is not corrected


def test_the_whole_gives_the_direction_so_no_credit_is_lost_beside_a_charge() -> None:
    mixed = [change("-30", back=20), change("10", back=2)]
    found = reach_of(mixed, PERIODS, LookBack(), discovered=DISCOVERED)
    assert (found.by, found.limit, len(found.rebilled)) == (Decimal(-20), 60, 2)
    charged = [change("30", back=20), change("10", back=2)]
    found = reach_of(charged, PERIODS, LookBack(), discovered=DISCOVERED)
    assert (found.by, found.limit, len(found.beyond)) == (Decimal(10), 12, 1)


def test_periods_are_counted_and_not_months_so_a_customer_of_short_bills_is_no_worse_off() -> None:
    short = [
        BillSpan(DISCOVERED - timedelta(days=10 * (n + 1)), DISCOVERED - timedelta(days=10 * n)) for n in range(20)
    ]
    twelfth = replace(change("5"), span=short[11])
    assert reach_of([twelfth], short, LookBack(), discovered=DISCOVERED).rebilled
    assert not reach_of([replace(twelfth, span=short[12])], short, LookBack(), discovered=DISCOVERED).rebilled


def test_a_period_that_ran_when_the_error_was_found_is_within_reach_and_a_limit_of_none_reaches_nothing_past() -> None:
    running = BillSpan(DISCOVERED - timedelta(days=3), DISCOVERED + timedelta(days=27))
    found = reach_of([replace(change("5"), span=running)], PERIODS, LookBack(over=0, under=0), discovered=DISCOVERED)
    assert found.rebilled
    past = reach_of([change("5")], PERIODS, LookBack(over=0, under=0), discovered=DISCOVERED)
    assert not past.rebilled


def test_one_cause_is_one_case_with_one_group_for_each_customer_and_what_is_tolerated_is_none() -> None:
    one, two = uuid4(), uuid4()
    rows = [
        change("1", agreement=one, back=2), change("2", agreement=one), change("4", agreement=two),
        change("-90", agreement=one, cause=EDIT), change("0.1", agreement=two, found=Finding.WITHIN_TOLERANCE),
    ]  # fmt: skip
    reworded = replace(rows[2], cause=replace(LATE, words="written otherwise"))
    cases = cases_of([*rows[:2], reworded, *rows[3:]])
    assert [(c.cause.name, c.is_bulk, len(c.changes)) for c in cases] == [(EDIT.name, False, 1), (LATE.name, True, 3)]
    mine = next(c for c in cases[1].customers if c.agreement_id == one)
    assert (mine.by, [c.span for c in mine.changes]) == (Decimal(3), [span(2), span(0)])


def test_the_cause_of_a_bill_is_the_one_that_explains_the_most_of_its_days() -> None:
    assert main_cause({LATE: 5, EDIT: 900}) == (EDIT, (LATE.name,))
    assert main_cause({LATE: 5}) == (LATE, ())


def test_the_effect_counts_each_customer_once_and_limits_ask_for_a_second_person() -> None:
    reaches = [
        reach_of(rows, PERIODS, LookBack(), discovered=DISCOVERED)
        for rows in (
            [change("30", by_wh=300_000), change("-10", by_wh=-100_000)],
            [change("-600", by_wh=-6_000_000)],
            [change("7", back=30)],
        )
    ]
    effect = effect_of(reaches, unmakable=2, in_parts=1)
    assert effect == Effect(2, 3, 1, 2, Decimal(20), Decimal(600), Decimal(600), 300_000, 6_100_000, 1)
    assert "one customer's bills change by 600.00" in str(CorrectionLimits().needs_second(effect))
    assert CorrectionLimits(customer=Decimal(600), total=Decimal(620)).needs_second(effect) is None
    assert "620.00 change in all" in str(CorrectionLimits(Decimal(600), Decimal("619.99")).needs_second(effect))
    assert "2 customers" in str(CorrectionLimits(Decimal(600), Decimal(620), customers=1).needs_second(effect))


def test_a_large_correction_in_slices_asks_for_a_second_person_as_the_whole_does() -> None:
    slice_ = Effect(customers=40, bills=40, up=Decimal(2_000), most=Decimal(300))
    before = Effect(customers=50, bills=50, up=Decimal(2_500), most=Decimal(150))
    assert CorrectionLimits().needs_second(slice_) is None
    assert CorrectionLimits().needs_second(slice_, before) is None
    for more in (
        replace(before, most=Decimal(201)), replace(before, down=Decimal(501)), replace(before, left=Decimal(501)),
        replace(before, customers=61), replace(before, left_customers=11),
    ):  # fmt: skip
        assert "decided alone lately" in str(CorrectionLimits().needs_second(slice_, more))
    assert CorrectionLimits().needs_second(Effect(), replace(before, up=Decimal(9_999))) is None


def test_what_is_left_counts_as_what_is_changed_does() -> None:
    reaches = [reach_of([change(by)], PERIODS, LookBack(), discovered=DISCOVERED) for by in ("-450", "300", "-10")] + [
        reach_of([change("400", back=30)], PERIODS, LookBack(), discovered=DISCOVERED)
    ]
    effect = effect_of_leaving(reaches, unmakable=1)
    assert effect == Effect(beyond=1, unmakable=1, most=Decimal(450), left=Decimal(760), left_customers=3)
    assert CorrectionLimits().needs_second(effect) is None
    assert "change by 450.00" in str(CorrectionLimits(customer=Decimal(449)).needs_second(effect))
    assert "760.00" in str(CorrectionLimits(total=Decimal(759)).needs_second(effect))
    assert "3 customers" in str(CorrectionLimits(customers=2).needs_second(effect))


@pytest.mark.parametrize(
    ("days_before", "by", "asks"), [(400, "30", True), (1, "30", True), (0, "30", False), (400, "-30", False)]
)
def test_nobody_puts_the_day_of_discovery_back_alone_to_charge_for_older_bills(
    days_before: int, by: str, asks: bool
) -> None:
    (case,) = cases_of([change(by)])
    said = Wish(LATE.name, DecisionKind.REBILL, "found long ago", discovered=AT.date() - timedelta(days=days_before))
    reach = reach_of(case.changes, PERIODS, LookBack(), discovered=DISCOVERED)
    assert bool(found_before(said, case, effect_of([reach], unmakable=0, in_parts=0))) is asks


def test_a_corrected_bill_is_the_next_version_and_names_the_one_it_supersedes() -> None:
    old = bill([line("energy", "50.00", quantity="500"), line("fixed", "9.00")])
    lines = [line("energy", "60.00", quantity="600"), line("fixed", "9.00"), line("tax", "1.00")]
    (new,) = superseding(alone(old, bill(lines, usage_wh=600_000, version=2)), at=AT)
    assert (new.version, new.supersedes, new.state) == (2, old.bill_id, BillState.ISSUED)
    told = adjustment_of(
        [old], [new], agreement_id=uuid4(), decision_id=uuid4(), cause=LATE, installments=1, day=DISCOVERED
    )
    assert (told.by, told.by_wh) == (Decimal(11), 100_000)
    assert [(x.kind, int(x.before), int(x.after), int(x.by)) for x in told.lines] == [
        ("energy", 50, 60, 10),
        ("tax", 0, 1, 1),
    ]
    assert sum(x.by for x in told.lines) == told.by


def test_lines_that_vanish_are_told_and_equal_ones_are_not() -> None:
    old, new = bill([line("rider", "2.00", "Fuel"), line("fixed", "9.00")]), bill([line("fixed", "9.00")])
    assert [(x.name, int(x.after)) for x in differences([old], [new])] == [("Fuel", 0)]


def test_bills_of_other_days_or_without_figures_are_never_superseded() -> None:
    old = bill([line("energy", "50.00")])
    with pytest.raises(MisuseError, match="place and days"):
        superseding(alone(old, bill([line("energy", "1.00")], days=31, version=2)), at=AT)
    with pytest.raises(MisuseError, match="place and days"):
        superseding(alone(old, bill([line("energy", "1.00")], first=date(2026, 10, 2), days=29, version=2)), at=AT)
    with pytest.raises(MisuseError, match="place and days"):
        superseding(alone(old, old), at=AT)
    again = bill([line("energy", "1.00")], version=2)
    (shorter,) = superseding(alone(old, bill([line("energy", "1.00")], days=29, version=2)), at=AT)
    assert shorter.version == 2, "service may have stopped earlier"
    with pytest.raises(MisuseError, match="held"):
        superseding(alone(old, replace(again, state=BillState.HELD)), at=AT)
    with pytest.raises(MisuseError, match="superseded"):
        superseding(alone(replace(old, state=BillState.SUPERSEDED), again), at=AT)


def _decision(
    *bills: DecidedBill, reason: str = "late readings came", kind: DecisionKind = DecisionKind.REBILL
) -> CorrectionDecision:
    return CorrectionDecision(UUID(int=7), kind, LATE, bills, reason, UUID(int=1), AT)


def test_an_approval_signs_every_bill_and_the_versions_it_is_made_from() -> None:
    one, two = DecidedBill(UUID(int=1), "v1", True), DecidedBill(UUID(int=2), "v1", True)
    whole = _decision(one, two)
    assert whole.items() == _decision(two, one).items()
    for other in (
        _decision(one), _decision(one, replace(two, versions_digest="v2")), _decision(one, two, reason="other reason"),
        _decision(one, replace(two, is_rebilled=False)), replace(whole, tampering=True), replace(whole, in_parts=2),
        replace(whole, cause=EDIT),
    ):  # fmt: skip
        assert set(other.items()) != set(whole.items())


@pytest.mark.parametrize("reason", ["", "none", " " * 20, "x" * 501])
def test_a_decision_has_a_reason_and_at_least_one_bill(reason: str) -> None:
    with pytest.raises(CorrectionRefusedError, match="reason"):
        _decision(DecidedBill(UUID(int=1), "v", True), reason=reason)
    with pytest.raises(CorrectionRefusedError, match="1 to"):
        _decision()
    with pytest.raises(CorrectionRefusedError, match="rebills none"):
        _decision(DecidedBill(UUID(int=1), "v", True), kind=DecisionKind.LEAVE)


def test_the_digest_tells_versions_rates_and_totals_apart() -> None:
    one = bill([line("energy", "50.00")])
    others = [
        replace(one, day_versions=(2, *one.day_versions[1:])),
        replace(one, rate_code="other"),
        replace(one, total=Decimal(51)),
    ]
    assert len({versions_digest(b) for b in [one, *others]}) == 4


@pytest.mark.parametrize("days", [30, 29], ids=["the same days", "the last one is another account's"])
def test_days_that_are_given_up_are_never_within_tolerance_for_another_bill_waits_for_them(days: int) -> None:
    old = bill([line("fixed", "9.00")])
    made = replace(old, span=BillSpan(old.span.first, old.span.first + timedelta(days=days)))
    touched = TouchedBill(old.bill_id, POINT, ((old.span.first, 2),), AT, AT)
    found = finding_of([alone(old, made)], CorrectionRules())
    assert found is (Finding.WITHIN_TOLERANCE if days == 30 else Finding.OPEN)
    assert change_of(alone(old, made), touched, {LATE: 1}, POINT, found).found is found
