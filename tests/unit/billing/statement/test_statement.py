"""The statement as data: every figure on it comes from the bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from tests.unit.billing.statement.made import RATES, made_bill, made_facts

from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.bill.record import BillKind, BillState, KeptLine, ReadingState
from openami.billing.rating.usage import BillSpan
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.make import statement_of
from openami.billing.statement.prices import amount
from openami.billing.tariff.export import ExportKind, ExportPrice, ExportTerms, Netting
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

FACTS = made_facts()


def test_the_lines_add_up_to_the_total_that_is_printed_large() -> None:
    statement = statement_of(FACTS)
    cents = [Decimal(line.amount.replace("$", "")) for g in statement.groups for line in g.lines]
    assert amount(sum(cents, Decimal(0)), "USD") == statement.total
    assert sum(Decimal(g.subtotal.replace("$", "")) for g in statement.groups) == FACTS.bill.total
    assert [g.title for g in statement.groups] == ["Electricity", "Charges that do not depend on use"]


def test_each_price_period_says_what_it_cost_and_a_season_that_has_no_day_is_left_out() -> None:
    statement = statement_of(FACTS)
    assert [p.name for p in statement.periods] == [
        "Summer on-peak", "Summer intermediate", "Summer off-peak",
        "Winter on-peak", "Winter intermediate", "Winter off-peak",
    ]  # fmt: skip
    assert sum(Decimal(p.cost.replace("$", "")) for p in statement.periods) == sum(
        line.amount for line in FACTS.bill.lines if line.kind == "energy"
    )
    summer, bars = made_bill(BillSpan(date(2026, 7, 1), date(2026, 7, 31)), RATES["ameren-mo-smart"])
    only = statement_of(StatementFacts(summer, RATES["ameren-mo-smart"], bars))
    assert all(p.name.startswith("Summer") for p in only.periods)


def test_a_price_in_blocks_says_what_was_paid_on_average() -> None:
    bill, bars = made_bill(BillSpan(date(2026, 1, 1), date(2026, 2, 1)), RATES["ameren-mo-anytime"], scale=2.5)
    (row,) = statement_of(StatementFacts(bill, RATES["ameren-mo-anytime"], bars)).periods
    paid = Decimal(row.paid.split(" ", maxsplit=1)[0])
    assert Decimal("7.14") < paid < Decimal("10.62")


def test_the_year_before_is_compared_by_the_day_so_that_a_longer_bill_is_no_dearer() -> None:
    before, _ = made_bill(BillSpan(date(2025, 9, 21), date(2025, 10, 25)), RATES["ameren-mo-smart"])
    statement = statement_of(replace(FACTS, earlier=(replace(before, usage_wh=34 * 18_965),)))
    assert "about as much as a year ago. In the 34 days from Sun 21 Sep 2025" in statement.last_year
    assert [b.is_year_before for b in statement.history] == [True, False]


def test_without_a_bill_of_a_year_before_it_says_so_and_compares_nothing_else() -> None:
    near = made_bill(BillSpan(date(2026, 8, 20), date(2026, 9, 20)), RATES["ameren-mo-smart"])[0]
    for earlier in ((), (near,), (replace(near, state=BillState.HELD),)):
        statement = statement_of(replace(FACTS, earlier=earlier))
        assert statement.last_year == "There is no bill of these days a year ago to compare with."


def test_the_history_has_the_newest_version_of_each_bill_and_at_most_thirteen() -> None:
    old = FACTS.earlier[0]
    corrected = replace(old, version=2, usage_wh=1_000 * old.span.days)
    statement = statement_of(replace(FACTS, earlier=(old, corrected, *FACTS.earlier[1:])))
    assert len(statement.history) == 13
    assert statement.history[-1].is_this
    assert statement.history[-2].wh_per_day == 1_000


def test_two_bills_of_one_month_are_told_apart_by_the_days_they_begin_on() -> None:
    schedule = RATES["ameren-mo-smart"]
    first = made_bill(BillSpan(date(2025, 10, 30), date(2025, 11, 3)), schedule)[0]
    second = made_bill(BillSpan(date(2025, 11, 3), date(2025, 12, 1)), schedule)[0]
    labels = [b.label for b in statement_of(replace(FACTS, earlier=(first, second))).history]
    assert labels[:2] == ["30 Oct 2025", "3 Nov 2025"]
    assert len(set(labels)) == len(labels)


def test_estimates_are_said_in_words_and_nothing_estimated_is_said_as_that() -> None:
    assert "(30 intervals) are estimated" in statement_of(FACTS).state
    assert "partly estimated" in statement_of(FACTS).chart_words
    plain = statement_of(made_facts(estimated=range(0)))
    assert plain.state == "Every reading of this bill was measured by the meter."


def _with_reads(*reads: ReadPiece) -> StatementFacts:
    return replace(FACTS, bill=replace(FACTS.bill, reads=reads))


@pytest.mark.parametrize(
    ("apart_wh", "words"), [(0, "exactly what the register counted"), (400, "0.400 kWh more"), (-250, "0.250 kWh less")]
)
def test_the_reads_say_how_they_agree_with_what_is_billed(apart_wh: int, words: str) -> None:
    read = FACTS.bill.reads[0]
    end = replace(read.end, value=(read.end.value or 0) + apart_wh)
    assert words in statement_of(_with_reads(replace(read, end=end))).reads_note


def test_a_multiplier_is_applied_to_what_the_register_counted() -> None:
    (row,) = statement_of(_with_reads(replace(FACTS.bill.reads[0], multiplier=40))).reads
    assert row.multiplier == "40"
    assert row.used == f"{(FACTS.bill.usage_wh or 0) * 40 / 1000:,.3f} kWh"


def test_two_meters_of_one_bill_are_both_shown_and_an_unread_end_is_named() -> None:
    at = FACTS.bill.period.start + timedelta(days=10)
    first = replace(FACTS.bill.reads[0], end=EndOfRead(at, None, ReadKind.MISSING))
    second = replace(FACTS.bill.reads[0], meter="OAM1004712", begin=EndOfRead(at, 0, ReadKind.INSTALLER))
    statement = statement_of(_with_reads(first, second))
    assert [r.meter for r in statement.reads] == ["OAM1004711", "OAM1004712"]
    assert statement.reads[0].end[1:] == ("no read", "not read")
    assert statement.reads[1].begin[2] == "read by the installer"
    assert "not read at one end" in statement.reads_note
    assert "it shows 2 meters" in statement.marks[0]


def test_an_estimated_bill_says_so_large_and_how_often_in_a_row() -> None:
    bill = replace(FACTS.bill, reading_state=ReadingState.ESTIMATED, estimates_in_a_row=2)
    statement = statement_of(replace(FACTS, bill=bill))
    assert statement.marks == ("Estimated bill, the 2. in a row",)
    assert statement.state.startswith("This is an estimated bill")
    assert "Estimated bill" not in " ".join(statement_of(FACTS).marks), "estimated intervals make no estimated bill"
    assert "only when the electricity was used is estimated" in statement_of(FACTS).state


def test_a_bill_with_a_stamp_is_no_bill_to_pay() -> None:
    stamped = replace(FACTS.bill, stamps=("base_charges_only", "of_another_kind"))
    assert [m.split(":")[0] for m in statement_of(replace(FACTS, bill=stamped)).marks] == [
        "Base charges only", "Of another kind",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "title"), [(BillKind.INITIAL, "First electricity bill"), (BillKind.FINAL, "Final electricity bill")]
)
def test_first_and_final_bills_are_named_so(kind: BillKind, title: str) -> None:
    assert statement_of(replace(FACTS, bill=replace(FACTS.bill, kind=kind))).title == title


def test_a_held_bill_has_no_figures_and_says_why_it_waits() -> None:
    hold = Hold(HoldCode.MISSING_INTERVALS, "2 intervals have no value", FACTS.bill.made_at)
    held = replace(
        FACTS.bill, state=BillState.HELD, hold=hold, lines=(), total=None, usage_wh=None, estimated_wh=None,
        issued_at=None,
    )  # fmt: skip
    statement = statement_of(StatementFacts(held, FACTS.schedule))
    assert statement.headline == "This bill waits: 2 intervals have no value."
    assert statement.total == ""
    assert statement.marks == ("This bill is held and not to be paid",)


def test_a_corrected_bill_and_the_one_it_replaces_are_marked() -> None:
    assert statement_of(replace(FACTS, bill=replace(FACTS.bill, state=BillState.SUPERSEDED))).marks
    corrected = replace(FACTS.bill, supersedes=FACTS.bill.bill_id, version=2)
    assert statement_of(replace(FACTS, bill=corrected)).title == "Corrected electricity bill"


def test_a_line_of_a_kind_we_do_not_know_is_still_printed() -> None:
    odd = KeptLine("levy", "City levy", None, None, Decimal(1), "bill", Decimal(2), Decimal(2), Decimal(2), {})
    statement = statement_of(replace(FACTS, bill=replace(FACTS.bill, lines=(*FACTS.bill.lines, odd))))
    assert statement.groups[-1].title == "Other"
    assert statement.groups[-1].lines[0].amount == "$2.00"


def test_a_bill_whose_rate_is_gone_is_still_drawn_from_its_lines() -> None:
    statement = statement_of(replace(FACTS, schedule=None))
    assert len(statement.periods) == 6
    assert statement.rules == ()


def test_rules_of_energy_sent_out_are_said_only_to_whoever_sends_some() -> None:
    terms = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, (ExportPrice(Decimal("0.025")),))
    schedule = replace(
        RATES["ameren-mo-smart"], versions=(replace(RATES["ameren-mo-smart"].versions[0], export=terms),)
    )
    facts = replace(FACTS, schedule=schedule)
    assert not any("send out" in r for r in statement_of(facts).rules)
    sends = replace(FACTS.bill, received_wh=5_000)
    assert any("send out" in r for r in statement_of(replace(facts, bill=sends)).rules)


def test_what_a_person_put_right_is_said_and_is_no_measurement() -> None:
    days = (replace(FACTS.days[0], entered_wh=9_000), *FACTS.days[1:])
    plain = made_facts(estimated=range(0))
    words = statement_of(replace(plain, days=days)).state
    assert words == "No reading of this bill was estimated. 9.0 kWh were put right by a person after a check."
    assert "put right" in statement_of(replace(FACTS, days=days)).state
