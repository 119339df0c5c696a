"""A rate by time of which too little was measured: billed by another's prices, and nothing handed on is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.bill.fleet_usage import FleetUsage
from openami.billing.bill.make import Making, make_bills
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill
from openami.billing.bill.terms_document import parse_terms, terms_document
from openami.billing.correction.compared import other_cause
from openami.billing.correction.remade import Remade
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.carried import BankedCredit, Carried, MonthPeak, YearToDate
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import ChargeUnit, MinimumCharge
from openami.billing.tariff.coverage import Coverage, Fallback
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportTerms, Netting
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.ratchet import even_ratchet
from openami.billing.tariff.season import Season
from openami.contracts.quality import QualityState

D = Decimal
CHICAGO = ZoneInfo("America/Chicago")
APRIL = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
MARCH = date(2026, 3, 1)
POINT = UUID(int=1)
YEAR = frozenset(range(1, 13))
NET = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH, expires_after_months=12)
NIGHT_AND_DAY = ((Window(0, 480, 0), Window(480, 1440, 1)),) * 8
TIMES = Tariff(
    (PricePeriod("Night", (Block(D("0.05")),)), PricePeriod("Day", (Block(D("0.15")),))),
    (Season("year", YEAR, NIGHT_AND_DAY),),
    export=NET,
    coverage=Coverage(D("0.9"), Fallback.FLAT_PRICE, "flat"),
)
FLAT = Tariff((PricePeriod("All", (Block(D("0.10")),)),), (Season("year", YEAR, ((Window(0, 1440, 0),),) * 8),))


def _bill(own: Tariff, carried: Carried, received_wh: int = 0, *, flat: Tariff = FLAT, estimated: int = 144) -> Bill:
    """720 hours of 1 kWh, of which a fifth is estimated, with so many received Wh in each."""
    period = APRIL.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 3600, dtype=np.int64)
    wh = np.full((1, len(starts)), 1000, np.int64)
    quality = np.full(wh.shape, QualityState.ACTUAL, np.uint8)
    quality[0, :estimated] = QualityState.ESTIMATED
    usage = FleetUsage(
        (POINT,), starts, 3600, wh, quality, np.array([received_wh * len(starts)]), np.ones((1, 30), np.int64),
        np.full(wh.shape, received_wh, np.int64), np.zeros(1, np.int64), frozenset({POINT}),
    )  # fmt: skip
    rates = {c: RateSchedule(c, c.title(), "", "USD", (t,)) for c, t in (("times", own), ("flat", flat))}
    making = Making(rates["times"], CHICAGO, datetime(2026, 5, 2, tzinfo=UTC), shipped_jurisdiction(), rates)
    terms = BillTerms(date(2026, 4, 1), approved_w=(Approval(date(2025, 1, 1), None, 7_600),) if received_wh else ())
    (bill,) = make_bills(making, usage, APRIL, {POINT: BillOrder(POINT, APRIL, terms=terms, carried=carried)}, {})
    return bill


def _banked(wh: int, bucket: str = "") -> Carried:
    return Carried(bank=(BankedCredit(MARCH, date(2026, 3, 31), bucket, wh),))


def test_a_bank_is_used_at_the_other_rates_price_and_lives_on() -> None:
    # 720 kWh less 360 sent out less the 300 of the bank is 60 kWh, at 0.10.
    bill = _bill(TIMES, _banked(300_000), 500)
    assert (bill.rate_code, bill.total) == ("flat", D("6.00"))
    assert bill.carried_out.bank == ()
    # Of 500 in the bank 360 are used: 140 stay, with the age that they have.
    bill = _bill(TIMES, _banked(500_000), 500)
    assert bill.total == 0
    assert bill.carried_out.bank == (BankedCredit(MARCH, date(2026, 3, 31), "", 140_000),)
    # 900 kWh sent out are 180 more than were used.
    bill = _bill(TIMES, _banked(500_000), 1250)
    assert [(c.month, c.wh) for c in bill.carried_out.bank] == [(MARCH, 500_000), (date(2026, 4, 1), 180_000)]


def test_the_bill_says_by_whose_prices_and_by_whose_terms_it_is_made() -> None:
    bill = _bill(TIMES, _banked(300_000), 500)
    assert bill.stamps == (
        "billed by flat: 80.0% of the intervals are actual; the rate asks for 90.0%",
        "energy sent out and credits stay by the terms of times",
    )
    assert bill.terms.instead_of == "times"
    assert parse_terms(terms_document(bill.terms)) == bill.terms
    assert _bill(TIMES, Carried()).stamps == bill.stamps[:1]


def test_a_bank_of_price_periods_stays_untouched_and_what_was_netted_is_netted_as_a_whole() -> None:
    by_period = replace(TIMES, export=replace(NET, netting=Netting.PRICE_PERIOD))
    bill = _bill(by_period, _banked(300_000, "Day"), 500)
    assert bill.total == D("36.00")
    assert bill.carried_out.bank == (BankedCredit(MARCH, date(2026, 3, 31), "Day", 300_000),)


def test_an_own_rate_without_export_terms_takes_none_from_the_other() -> None:
    bill = _bill(replace(TIMES, export=None), Carried(), 500, flat=replace(FLAT, export=NET))
    assert (bill.total, bill.carried_out.bank) == (D("72.00"), ())


def test_metered_peaks_stay_for_the_ratchet_of_the_own_rate() -> None:
    any_time = PricePeriod("Any", (Block(D(10)),))
    charge = DemandCharge("Demand", 60, (any_time,), ratchet=even_ratchet(D(75)))
    season = Season("year", YEAR, NIGHT_AND_DAY, (((Window(0, 1440, 0),),) * 8,))
    own = replace(TIMES, seasons=(season,), demand=(charge,), export=None)
    july = MonthPeak(date(2025, 7, 1), "Demand", "Any", 9_000)
    bill = _bill(own, Carried(peaks=(july,)))
    assert bill.rate_code == "flat"
    assert [(p.month, p.watts) for p in bill.carried_out.peaks] == [(july.month, 9_000), (date(2026, 4, 1), 1_000)]


@pytest.mark.parametrize(
    ("closes", "flat", "total"),
    [
        (12, FLAT, "72.00"),
        (4, FLAT, "81.00"),
        (12, replace(FLAT, minimum=MinimumCharge("Least", D(999), ChargeUnit.YEAR), year_ends_month=4), "72.00"),
    ],
    ids=["within the year", "the year closes", "the other rate's year is nobody's"],
)
def test_the_year_and_its_minimum_are_the_own_rates(closes: int, flat: Tariff, total: str) -> None:
    least = MinimumCharge("Least", D(240), ChargeUnit.YEAR)
    own = replace(TIMES, export=None, minimum=least, year_ends_month=closes)
    before = YearToDate(date(2025, 5, 1), 335, 900_000, D("159.00"))
    bill = _bill(own, Carried(year_to_date=before), flat=flat)
    # 159.00 before and 72.00 now are 9.00 short of 240.
    assert bill.total == D(total)
    after = YearToDate() if closes == 4 else YearToDate(before.first, 365, 1_620_000, D("231.00"))
    assert bill.carried_out.year_to_date == after


def test_a_bill_made_again_at_its_own_rates_prices_is_no_change_of_rate() -> None:
    fell_back, by_times = _bill(TIMES, Carried()), _bill(TIMES, Carried(), estimated=0)
    assert (fell_back.rate_code, by_times.rate_code) == ("flat", "times")
    assert fell_back.own_rate_code == by_times.own_rate_code == "times"
    unit = (fell_back.bill_id,)
    assert other_cause(Remade(fell_back, (by_times,), unit, (by_times,))) is None
    put_on_flat = replace(fell_back, terms=replace(fell_back.terms, instead_of=""))
    cause = other_cause(Remade(fell_back, (put_on_flat,), unit, (put_on_flat,)))
    assert cause is not None
    assert cause.key == "times>flat"
