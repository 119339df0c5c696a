"""Whose the days are that no bill holds at a month's end: each account's its own, also after a corrected last bill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import numpy as np
import pytest
from tests.unit.billing.ledger.bills import AT, POINT, bill, line

from openami.billing.bill.record import Assignment, Bill, BillKind
from openami.billing.ledger.account import LedgerAccount as A
from openami.billing.ledger.accrue import Accrual, AccrualBook, Holder, holders
from openami.billing.ledger.entry import Entry, EntryKind
from openami.billing.ledger.ports import LedgerBook
from openami.billing.rating.terms import BillTerms
from openami.contracts.day import day_number
from openami.contracts.reading import uuid_column
from openami.mdm.api import MeterData

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


class _World:
    """A place with a bill, ten kWh on each day, and a ledger in memory."""

    def __init__(self, rates: Sequence[Assignment], last: Bill | None) -> None:
        self.rates, self.last = list(rates), last
        self.entries: list[Entry] = []
        self.registry = self.facts = self

    async def of(self, *_asked: object, **_more: object) -> list[object]:
        return []

    async def assignments(self, _points: object) -> list[Assignment]:
        return self.rates

    async def last_bills(self, *_asked: object) -> list[Bill]:
        return [] if self.last is None else [self.last]

    async def daily_totals(self, *asked: object) -> object:
        points, first, last = cast("list[UUID]", asked[1]), cast("date", asked[3]), cast("date", asked[4])
        days = [day_number(first + timedelta(days=n)) for n in range((last - first).days + 1)]
        return SimpleNamespace(
            service_point_id=uuid_column([points[0]] * len(days)), local_day=np.array(days),
            total=np.full(len(days), 10_000),
        )  # fmt: skip

    async def keep(self, entries: Sequence[Entry]) -> int:
        self.entries += entries
        return len(entries)

    def accrued(self) -> Decimal:
        accrual = Accrual(cast("MeterData", self), cast("AccrualBook", self), cast("LedgerBook", self))
        asyncio.run(accrual.month_end(date(2026, 11, 30), at=AT))
        return sum((e.amount_of(A.UNBILLED) for e in self.entries if e.kind is EntryKind.UNBILLED), Decimal(0))


BILLED_TO = date(2026, 11, 1)
OCTOBER = bill([line("energy", "31.00"), line("fixed", "9.30")], days=31, usage_wh=310_000)


@pytest.mark.parametrize(
    ("rates", "days"),
    [
        ([("flat", None, None)], 30),
        ([("flat", None, MOVE), ("night", MOVE, None)], 30),
        ([("flat", None, MOVE)], 19),
        ([("flat", None, date(2026, 11, 10)), ("flat", MOVE, None)], 20),
        ([("flat", None, BILLED_TO)], 0),
    ],
    ids=["one rate", "a change of rate", "a rate that ended", "days on no rate between", "nothing is open"],
)
def test_every_open_day_on_any_rate_is_accrued(rates: list[tuple[str, date | None, date | None]], days: int) -> None:
    """Hand-calculated: ten kWh at ten cents and thirty cents of charges are 1.30 a day."""
    rows = [Assignment(POINT, code, first or date(2026, 1, 1), end) for code, first, end in rates]
    assert _World(rows, OCTOBER).accrued() == Decimal("1.30") * days


def test_a_place_whose_last_bill_fell_back_to_another_rate_is_accrued_by_that_bill() -> None:
    fell_back = replace(OCTOBER, rate_code="flat", terms=BillTerms(instead_of="night"))
    assert _World([Assignment(POINT, "night", date(2026, 1, 1))], fell_back).accrued() == Decimal("39.00")
