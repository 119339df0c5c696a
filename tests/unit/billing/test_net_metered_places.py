"""Net metered places on the platform's road: received intervals beside delivered ones, and a hold where they lack."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making
from openami.billing.bill.making import bills_of, laid_received
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill, BillKind
from openami.billing.bill.terms_document import parse_terms, terms_document
from openami.billing.jurisdiction.load import shipped_jurisdiction
from openami.billing.rating.carried import Carried
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportPrice, ExportTerms, Netting
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.season import Season
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.mdm.api import EndOfRead, LocalDays, MeterData, ReadKind, ReadPiece, UsageMatrix

CHICAGO = ZoneInfo("America/Chicago")
SPAN = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
JANUARY = date(2026, 1, 1)
POINTS = [UUID(int=n) for n in range(1, 4)]
APPROVED = BillTerms(approved_w=(Approval(JANUARY, None, 7_600),))
NET = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH)


def _rate(export: ExportTerms | None = NET) -> RateSchedule:
    season = Season("all year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8)
    tariff = Tariff((PricePeriod("all", (Block(Decimal("0.10")),)),), (season,), export=export)
    return RateSchedule("x", "X", "", "USD", (tariff,))


def _matrix(points: Sequence[UUID], wh: int, *, interval_s: int = 900) -> UsageMatrix:
    period = SPAN.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, interval_s, dtype=np.int64)
    values = np.full((len(points), len(starts)), wh, np.int64)
    quality = np.full(values.shape, QualityState.ACTUAL, np.uint8)
    versions = np.ones((len(points), SPAN.days), np.uint64)
    per_day = 86_400 // interval_s
    days = np.arange(SPAN.days + 1, dtype=np.int64) * per_day
    return UsageMatrix(tuple(points), CHICAGO, interval_s, starts, days, values, quality, versions)


class _Meters:
    """Validated days of three places, of which some measure received energy."""

    def __init__(self, received: list[UsageMatrix], counts: Sequence[UUID] = ()) -> None:
        self.received, self.counts = received, counts
        self.registry = self.facts = self

    async def of(self, *_: Any, **__: Any) -> list[Any]:
        """No place is said to be read by register alone."""
        return []

    async def matrices(self, *request: Any, as_known_at: datetime | None = None) -> dict[LocalDays, list[UsageMatrix]]:
        found = [_matrix(POINTS, 100)] if request[2] is Channel.DELIVERED else self.received
        return dict.fromkeys(request[1].values(), found)

    async def reads_at_ends(self, *request: Any, as_known_at: datetime | None = None) -> dict[UUID, list[Any]]:
        none = EndOfRead(datetime(2026, 5, 1, 5, tzinfo=UTC), None, ReadKind.MISSING)
        told = {p: [ReadPiece(p, "S-1", Channel.RECEIVED, none, none, 1, None)] for p in self.counts}
        return {p: told.get(p, []) for p in request[1]}


def _bills(
    received: list[UsageMatrix],
    *,
    schedule: RateSchedule | None = None,
    counts: Sequence[UUID] = (),
    terms: BillTerms = APPROVED,
) -> list[Bill]:
    making = Making(schedule or _rate(), CHICAGO, datetime(2026, 5, 2, tzinfo=UTC), shipped_jurisdiction())
    orders = [
        BillOrder(p, SPAN, BillKind.REGULAR, terms=terms, carried=Carried(), released="reads are not of this test")
        for p in POINTS
    ]
    return asyncio.run(bills_of(cast("MeterData", _Meters(received, counts)), making, orders))


def test_each_place_is_netted_by_its_own_received_intervals() -> None:
    # 2,880 quarter-hours of 100 Wh are 288 kWh; the second place sends out 30 Wh in each, the third 150 Wh.
    bills = _bills([_matrix([POINTS[2], POINTS[1]], 30)])
    assert [b.received_wh for b in bills] == [0, 86_400, 86_400]
    both = _matrix([POINTS[2], POINTS[1]], 30)
    both.values[0] = 150
    first, second, third = _bills([both])
    assert [b.total for b in (first, second, third)] == [Decimal("28.80"), Decimal("20.16"), Decimal("0.00")]
    assert [(c.month, c.wh) for c in third.carried_out.bank] == [(date(2026, 4, 1), 144_000)]


@pytest.mark.parametrize("credits", [True, False], ids=["a rate that credits it", "a rate that does not"])
def test_a_received_interval_without_a_value_holds_a_bill_that_credits_it(credits: bool) -> None:  # noqa: A002
    received = _matrix(POINTS[:1], 30)
    received.quality[0, 5:8] = QualityState.MISSING
    bills = _bills([received], schedule=_rate(NET if credits else None))
    held = [None if b.hold is None else b.hold.code for b in bills]
    assert held == [HoldCode.MISSING_INTERVALS if credits else None, None, None]
    assert not credits or "3 intervals of received energy" in str(bills[0].hold_reason)


@pytest.mark.parametrize(
    ("schedule", "approved", "holds"),
    [
        (_rate(), (Approval(JANUARY, None, 7_600),), True),
        (_rate(), (Approval(date(2026, 4, 3), date(2026, 4, 4), 7_600),), True),
        (_rate(), (Approval(date(2026, 4, 4), None, 7_600), Approval(JANUARY, date(2026, 4, 3), 7_600)), False),
        (_rate(), (), False),
        (_rate(replace(NET, needs_interconnection=False)), (), True),
        (_rate(None), (Approval(JANUARY, None, 7_600),), False),
    ],
    ids=[
        "approved", "approved on that day alone", "approved before and after", "never approved",
        "no approval is asked for", "the rate credits none",
    ],
)  # fmt: skip
def test_doubted_received_energy_holds_a_bill_on_days_on_which_it_may_be_credited(
    schedule: RateSchedule, approved: tuple[Approval, ...], holds: bool
) -> None:
    received = _matrix(POINTS[:1], 30)
    received.quality[0, 2 * 96 : 3 * 96] = QualityState.QUESTIONABLE
    bills = _bills([received], schedule=schedule, terms=BillTerms(approved_w=approved))
    held = [None if b.hold is None else b.hold.code for b in bills]
    assert held == [HoldCode.OPEN_FINDING if holds else None, None, None]


@pytest.mark.parametrize(
    ("schedule", "terms", "holds"),
    [(_rate(), APPROVED, True), (_rate(), BillTerms(), False), (_rate(None), APPROVED, False)],
    ids=["it may be credited", "nothing is approved", "the rate credits none"],
)
def test_a_bill_waits_where_a_meter_counts_what_is_sent_out_and_no_day_of_it_is_validated(
    schedule: RateSchedule, terms: BillTerms, holds: bool
) -> None:
    bills = _bills([_matrix([POINTS[1]], 30)], schedule=schedule, counts=POINTS[:2], terms=terms)
    held = [None if b.hold is None else b.hold.code for b in bills]
    assert held == [HoldCode.MISSING_INTERVALS if holds else None, None, None]


def test_a_bill_that_the_rate_cannot_price_keeps_no_other_from_going_out() -> None:
    from_june = (ExportPrice(Decimal("0.03"), date(2026, 6, 1)),)
    received = _matrix(POINTS, 30)
    received.values[1] = 150  # more than it takes in: its excess needs a price, and none is in force in April
    export = replace(NET, credit=CreditUnit.MONEY, prices=from_june)
    bills = _bills([received], schedule=_rate(export))
    assert [None if b.hold is None else b.hold.code for b in bills] == [None, HoldCode.RATE_REFUSED, None]
    assert "no price of energy sent out is in force" in str(bills[1].hold_reason)


def test_received_energy_on_another_grid_is_never_netted_in_part() -> None:
    delivered = _matrix(POINTS, 100)
    laid, lacks, sums = laid_received(delivered, [_matrix(POINTS[:1], 30, interval_s=3600)])
    assert laid is not None
    assert lacks is not None
    assert (int(laid.sum()), lacks.tolist(), sums.tolist()) == (0, [2880, 0, 0], [21_600, 0, 0])


def test_where_nothing_measures_received_energy_nothing_is_laid_beside() -> None:
    assert laid_received(_matrix(POINTS, 100), [])[:2] == (None, None)


def test_the_share_of_windows_that_may_lack_is_kept_with_a_bills_terms() -> None:
    terms = replace(APPROVED, most_left_out=Decimal("0.1"))
    assert parse_terms(terms_document(terms)) == terms
    assert "most_left_out" not in terms_document(APPROVED)
