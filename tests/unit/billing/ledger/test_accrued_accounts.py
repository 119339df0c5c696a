"""Whose the days are that no bill holds at a month's end: each account's its own, also after a corrected last bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from tests.unit.billing.ledger.bills import bill, line

from openami.billing.bill.record import BillKind
from openami.billing.ledger.accrue import Holder, holders
from openami.billing.rating.terms import BillTerms

OLD, NEW = str(UUID(int=1)), str(UUID(int=2))
LAST = replace(bill([line("fixed", "9.00")]), account_id=UUID(int=1))
FIRST, END, MOVE = date(2026, 10, 31), date(2026, 12, 1), date(2026, 11, 20)


@pytest.mark.parametrize(
    ("accounts", "whose"),
    [
        ([], [(OLD, FIRST, END)]),
        ([Holder(OLD, date(2020, 1, 1), date.max)], [(OLD, FIRST, END)]),
        (
            [Holder(OLD, date(2020, 1, 1), MOVE), Holder(NEW, MOVE, date.max)],
            [(OLD, FIRST, MOVE), (NEW, MOVE, END)],
        ),
        (
            [Holder(OLD, date(2020, 1, 1), date(2026, 11, 10)), Holder(NEW, MOVE, date.max)],
            [(OLD, FIRST, date(2026, 11, 10)), (None, date(2026, 11, 10), MOVE), (NEW, MOVE, END)],
        ),
        (
            [Holder(NEW, MOVE, date(2026, 11, 25))],
            [(None, FIRST, MOVE), (NEW, MOVE, date(2026, 11, 25)), (None, date(2026, 11, 25), END)],
        ),
        ([Holder(NEW, END, date.max)], [(None, FIRST, END)]),
    ],
    ids=["nobody named", "one stays", "a move", "a move with days between", "came and went", "comes later"],
)
def test_each_account_has_the_days_that_it_held(
    accounts: list[Holder], whose: list[tuple[str | None, date, date]]
) -> None:
    assert [(h.account, h.first, h.end) for h in holders(FIRST, END, accounts, LAST)] == whose


@pytest.mark.parametrize(
    ("last", "account"),
    [
        (LAST, OLD),
        (replace(LAST, kind=BillKind.CORRECTED), OLD),
        (replace(LAST, kind=BillKind.FINAL), None),
        (replace(LAST, kind=BillKind.CORRECTED, terms=BillTerms(is_final=True)), None),
        (None, None),
    ],
    ids=["regular", "corrected", "final", "final and corrected", "none"],
)
def test_where_nobody_is_named_whoever_came_after_a_last_bill_is_the_place_itself(
    last: object, account: str | None
) -> None:
    assert [h.account for h in holders(FIRST, END, [], last)] == [account]  # type: ignore[arg-type]


def test_no_day_is_accrued_where_all_are_billed() -> None:
    assert holders(END, END, [Holder(OLD, FIRST, date.max)], LAST) == []
