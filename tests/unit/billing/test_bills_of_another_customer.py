"""A paper about one customer's bill holds nothing of whoever lived at the place before, whoever asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import cast
from uuid import UUID

import numpy as np
from tests.unit.billing.statement.made import POINT, RATES, made_facts

from openami.billing.bill.record import Bill
from openami.billing.call.gather import call_facts
from openami.billing.ports import BillBook
from openami.billing.rating.usage import BillSpan
from openami.billing.statement.gather import facts_of
from openami.billing.statement.make import statement_of
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.reading import uuid_column
from openami.mdm.api import DailyTotals, DayFinding, InstalledMeter, MeterData, Station, StationDays
from openami.security.access.scope import Purpose, Scope, system_scope

STAFF = system_scope(process="papers", purpose=Purpose.BILLING)
MINE, BEFORE_ME = UUID(int=21), UUID(int=20)


class _Book:
    """Bills of one place, of two customers."""

    def __init__(self, bills: Sequence[Bill]) -> None:
        self._bills = list(bills)

    async def bills(self, scope: Scope, service_point_id: UUID) -> list[Bill]:
        return self._bills

    async def bill(self, scope: Scope, bill_id: UUID) -> Bill | None:
        return next((b for b in self._bills if b.bill_id == bill_id), None)


class _Meters:
    """Keeps no days."""

    async def days(self, scope: Scope, points: Sequence[UUID], *_: object, **__: object) -> DayTable:
        return DayTable.from_rows([])

    async def matrix(
        self, scope: Scope, points: Sequence[UUID], channel: Channel, *_: object, **__: object
    ) -> list[object]:
        return []

    async def weather(self, *_: object) -> StationDays | None:
        return None

    async def installed(self, *_: object) -> list[InstalledMeter]:
        return []

    async def findings(self, scope: Scope, points: Collection[UUID], *_: object) -> list[DayFinding]:
        return []


def _bills(*, moved_in: date) -> tuple[Bill, _Book]:
    facts = made_facts()
    bills = [
        replace(b, account_id=MINE if b.span.first >= moved_in else BEFORE_ME) for b in (facts.bill, *facts.earlier)
    ]
    return bills[0], _Book(bills)


async def test_a_statement_compares_with_no_bill_of_the_customer_before() -> None:
    bill, book = _bills(moved_in=date(2026, 8, 20))
    facts = await facts_of(cast("MeterData", _Meters()), cast("BillBook", book), RATES, STAFF, bill)
    assert bill.service_point_id == POINT
    assert {b.span.first for b in facts.earlier} == {date(2026, 8, 20)}
    shown = statement_of(facts)
    assert len(shown.history) == 2
    assert "no bill of these days a year ago" in shown.last_year


async def test_a_customer_of_a_year_sees_the_whole_year() -> None:
    bill, book = _bills(moved_in=date(2025, 1, 1))
    facts = await facts_of(cast("MeterData", _Meters()), cast("BillBook", book), RATES, STAFF, bill)
    assert len(facts.earlier) == 12


async def test_a_caller_is_answered_from_no_bill_of_the_customer_before() -> None:
    first, book = _bills(moved_in=date(2026, 9, 20))
    assert (await call_facts(cast("MeterData", _Meters()), cast("BillBook", book), STAFF, first)).before is None
    later, book = _bills(moved_in=date(2026, 8, 20))
    found = await call_facts(cast("MeterData", _Meters()), cast("BillBook", book), STAFF, later)
    assert found.before is not None
    assert found.before.account_id == MINE


class _Warm(_Meters):
    """Keeps temperatures, and remembers which days' energy was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[date, date]] = []

    async def weather(self, *_: object) -> StationDays:
        return StationDays(Station("airport", "America/Chicago", "somebody"), ())

    async def daily_totals(
        self, scope: Scope, points: object, channel: Channel, first: date, last: date
    ) -> DailyTotals:
        self.asked.append((first, last))
        return DailyTotals(
            uuid_column([]), *(np.zeros(0, d) for d in (np.int32, np.int64, *[np.int32] * 3, np.uint64, np.int64))
        )


async def test_what_the_weather_makes_of_a_home_is_told_from_the_days_of_its_customer_alone() -> None:
    bill, book = _bills(moved_in=date(2026, 8, 20))
    meters = _Warm()
    facts = await call_facts(cast("MeterData", meters), cast("BillBook", book), STAFF, bill)
    assert meters.asked == [(date(2026, 8, 20), bill.span.first - timedelta(days=1))]
    assert facts.weather is not None
    assert facts.weather.previous == BillSpan(date(2026, 8, 20), bill.span.first)
    first, alone = _bills(moved_in=bill.span.first) if bill.account_id == MINE else (bill, book)
    await call_facts(cast("MeterData", meters), cast("BillBook", alone), STAFF, first)
    assert len(meters.asked) == 1, "the first bill of a customer has no days of theirs before it"


class _Always(_Warm):
    """Has a whole day for every day that is asked for."""

    async def daily_totals(
        self, scope: Scope, points: object, channel: Channel, first: date, last: date
    ) -> DailyTotals:
        days = (last - first).days + 1
        whole, none = np.full(days, 96, np.int32), np.zeros(days, np.int32)
        return DailyTotals(
            uuid_column([POINT] * days), np.arange(days, dtype=np.int32) + (first - date(1970, 1, 1)).days,
            np.full(days, 9_000, np.int64), whole, none, none, np.ones(days, np.uint64), np.zeros(days, np.int64),
        )  # fmt: skip


async def test_who_moved_out_and_in_again_is_told_nothing_from_the_days_of_whoever_lived_there_meanwhile() -> None:
    facts = made_facts()
    bills = sorted((facts.bill, *facts.earlier), key=lambda b: b.span.first)
    away = bills[3].span.first, bills[5].span.end
    bills = [replace(b, account_id=BEFORE_ME if away[0] <= b.span.first < away[1] else MINE) for b in bills]
    found = await call_facts(cast("MeterData", _Always()), cast("BillBook", _Book(bills)), STAFF, bills[-1])
    assert found.weather is not None
    days = [day for day, _ in found.weather.baseline]
    assert days, "the customer's own days are there"
    assert not [d for d in days if away[0] <= d < away[1]]
