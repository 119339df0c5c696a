"""An entry balances or is none; a bill's entry holds what was printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.bill.record import BillState
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.charge import bill_entry
from openami.billing.ledger.entry import (
    Entry,
    EntryKind,
    Posting,
    UnbalancedError,
    agreement_id_of,
    entry_id_of,
    reversal_of,
)
from openami.billing.ledger.trial import out_of_balance, standings_of

DAY = date(2026, 11, 1)


def _entry(*postings: Posting, kind: EntryKind = EntryKind.BILL, **more: object) -> Entry:
    whole = {"entry_id": uuid4(), "agreement_id": uuid4(), "service_point_id": POINT, "day": DAY, "currency": "USD"}
    return Entry(kind=kind, postings=postings, made_at=AT, **whole, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("postings", "word"),
    [
        ((Posting(A.RECEIVABLE, Decimal(1)), Posting(A.ENERGY, Decimal("-0.99"))), "out of balance by 0.01"),
        ((Posting(A.RECEIVABLE, Decimal(1)),), "2 to 200"),
        ((Posting(A.RECEIVABLE, Decimal(0)), Posting(A.ENERGY, Decimal(0))), "other than zero"),
        ((Posting(A.RECEIVABLE, Decimal("0.005")), Posting(A.ENERGY, Decimal("-0.005"))), "whole cents"),
        ((Posting(A.RIDER, Decimal(1), "x" * 201), Posting(A.ENERGY, Decimal(-1))), "whole cents"),
    ],
    ids=["a cent off", "one side alone", "nothing", "half a cent", "a name too long"],
)
def test_an_entry_that_does_not_balance_cannot_be_made(postings: tuple[Posting, ...], word: str) -> None:
    with pytest.raises(UnbalancedError, match=word):
        _entry(*postings)


def test_a_reversal_without_what_it_reverses_cannot_be_made() -> None:
    both = (Posting(A.RECEIVABLE, Decimal(1)), Posting(A.ENERGY, Decimal(-1)))
    with pytest.raises(UnbalancedError, match="belong together"):
        _entry(*both, kind=EntryKind.REVERSAL)
    with pytest.raises(UnbalancedError, match="belong together"):
        _entry(*both, reverses=uuid4())


def test_a_bill_is_booked_by_kind_and_riders_and_taxes_by_name() -> None:
    lines = [
        line("energy", "50.00"), line("energy", "7.50"), line("fixed", "9.00"), line("rider", "3.10", "Fuel"),
        line("rider", "-1.04", "Renewable"), line("tax", "4.05", "Town"), line("credit", "-2.00", "Export"),
        line("demand", "12.00"), line("minimum", "0.25"),
    ]  # fmt: skip
    found = bill_entry(bill(lines), agreement_id=agreement_id_of(POINT, "acct"), day=DAY, made_at=AT)
    assert found is not None
    assert {(p.account.value, p.detail): str(p.amount) for p in found.postings} == {
        ("receivable", ""): "82.86",
        ("energy", ""): "-57.50",
        ("fixed", ""): "-9.00",
        ("rider", "Fuel"): "-3.10",
        ("rider", "Renewable"): "1.04",
        ("tax", "Town"): "-4.05",
        ("credit", "Export"): "2.00",
        ("demand", ""): "-12.00",
        ("minimum", ""): "-0.25",
    }


def test_where_a_total_is_not_the_sum_of_its_lines_the_cent_stands_by_itself() -> None:
    found = bill_entry(
        bill([line("energy", "10.01"), line("tax", "0.01")], total=Decimal("10.01")), agreement_id=uuid4(), day=DAY,
        made_at=AT,
    )  # fmt: skip
    assert found is not None
    assert found.amount_of(A.ROUNDING) == Decimal("0.01")
    assert found.amount_of(A.RECEIVABLE) == Decimal("10.01")


def test_a_held_bill_and_a_line_of_no_account_are_refused_and_a_bill_of_nothing_books_nothing() -> None:
    held = replace(bill([line("energy", "1.00")]), state=BillState.HELD, total=None)
    with pytest.raises(UnbalancedError, match="held"):
        bill_entry(held, agreement_id=uuid4(), day=DAY, made_at=AT)
    with pytest.raises(UnbalancedError, match="gift"):
        bill_entry(bill([line("gift", "1.00")]), agreement_id=uuid4(), day=DAY, made_at=AT)
    assert bill_entry(bill([line("energy", "0.00")]), agreement_id=uuid4(), day=DAY, made_at=AT) is None


def test_a_reversal_takes_everything_back_and_is_the_same_however_often_it_is_made() -> None:
    entry = bill_entry(
        bill([line("energy", "5.00"), line("tax", "0.10", "Town")]), agreement_id=uuid4(), day=DAY, made_at=AT
    )
    assert entry is not None
    back = reversal_of(entry, day=DAY + timedelta(days=9), made_at=AT)
    assert (back.kind, back.reverses, back.bill_id) == (EntryKind.REVERSAL, entry.entry_id, entry.bill_id)
    assert all(s.balance == 0 for s in standings_of([entry, back]))
    assert reversal_of(entry, day=DAY, made_at=AT).entry_id == back.entry_id


def test_ids_tell_kinds_accounts_and_places_apart() -> None:
    assert entry_id_of(EntryKind.BILL, "a") != entry_id_of(EntryKind.BUDGET, "a")
    ids = {agreement_id_of(p, a) for p in (POINT, uuid4()) for a in (None, "one", "two")}
    assert len(ids) == 6
    assert agreement_id_of(POINT, "one") in ids


def test_the_trial_balance_reads_revenue_above_zero_and_names_a_currency_that_is_off() -> None:
    entry = bill_entry(bill([line("energy", "5.00")]), agreement_id=uuid4(), day=DAY, made_at=AT)
    assert entry is not None
    standings = standings_of([entry])
    assert [(s.account, s.on_its_side) for s in standings] == [
        (A.ENERGY, Decimal("5.00")),
        (A.RECEIVABLE, Decimal("5.00")),
    ]
    assert out_of_balance(standings) == {}
    assert out_of_balance(standings[:1]) == {"USD": Decimal("-5.00")}
