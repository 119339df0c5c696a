"""Facts of a place and signals of a rate on a real book: bills wait for them, are made with them, and are put right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.billing.test_billing import FIRST_OF_MONTH, NOW, SCOPE, ZONE, World

from openami.app.billing.correction_room import CorrectionRoom, correction_room
from openami.app.engines.postgres import PostgresEngine
from openami.billing.api import Bill, Billing, BillSetting, BillState, HoldCode
from openami.billing.cycle.terms import Standing
from openami.billing.rating.terms import Annexed
from openami.billing.signal.statement import SYSTEM, SignalKind, Statement
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import DatedValue, FixedCharge, RiderUnit, Tax, ValueChange
from openami.billing.tariff.demand import CoincidentRule, DemandCharge
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.season import Season
from openami.kernel.time import Period, local_midnight
from openami.mdm.registry.facts import FactEntry, FactKind

pytestmark = pytest.mark.engines
D = Decimal
OCTOBER, ANNEXED, NOVEMBER = date(2026, 10, 1), date(2026, 10, 11), date(2026, 11, 1)
ALL_DAY = ((Window(0, 1440, 0),),) * 8
PLAIN = Tariff(
    (PricePeriod("All hours", (Block(D("0.10")),)),),
    (Season("all year", frozenset(range(1, 13)), ALL_DAY),),
    fixed=(FixedCharge("Customer charge", D("9.00")),),
)


def _tax(percent: str, town: str) -> Tax:
    return Tax(
        "GRT", "City tax", RiderUnit.PERCENT, (DatedValue(D(percent)),), municipality=town, change=ValueChange.DAYS
    )


TAXED = RateSchedule(
    "taxed", "Taxed", "", "USD", (replace(PLAIN, taxes=(_tax("5", "Alton"), _tax("10", "Brent"), _tax("0", "Ladue"))),)
)
PEAKY = RateSchedule(
    "peaky", "Peaky", "", "USD",
    (
        replace(
            PLAIN,
            seasons=(Season("all year", frozenset(range(1, 13)), ALL_DAY, (ALL_DAY,)),),
            demand=(
                DemandCharge(
                    "At the system's peak", 60, (PricePeriod("Peak", (Block(D("5.00")),)),),
                    coincident=CoincidentRule.HIGHEST,
                ),
            ),
        ),
    ),
)  # fmt: skip
RATES = {"taxed": TAXED, "peaky": PEAKY}


def billing_of(world: World, municipality: str = "") -> Billing:
    setting = BillSetting(calendar=FIRST_OF_MONTH, standing=Standing(municipality))
    return Billing(meters=world.data, book=world.billing.book, rates=RATES, setting=setting)


async def told(world: World, point: UUID, town: str, first: date) -> None:
    entry = FactEntry(point, FactKind.MUNICIPALITY, town, local_midnight(first, ZONE))
    await world.data.registry.facts.enter([entry], at=NOW)


@asynccontextmanager
async def corrections(world: World, postgres: PostgresEngine) -> AsyncIterator[CorrectionRoom]:
    own, mdm = (create_async_engine(postgres.url(r)) for r in ("openami_billing", "openami_mdm"))
    setting = BillSetting(calendar=FIRST_OF_MONTH)
    yield correction_room(world.data, billing=own, mdm=mdm, today=NOW.date(), setting=setting, rates=RATES)
    await own.dispose()
    await mdm.dispose()


async def the_bill(billing: Billing, point: UUID) -> Bill:
    (bill,) = await billing.bills(SCOPE, point)
    return bill


async def test_a_place_is_taxed_in_its_own_town_waits_while_none_is_known_and_a_late_annexation_is_found(
    world: World, postgres: PostgresEngine
) -> None:
    own, other = world.points[:2]
    billing = billing_of(world, "Ladue")
    await billing.assign_rate([own, other], "taxed", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 11, 9))
    await told(world, own, "Alton", date(2026, 1, 1))
    await billing.close_due(NOW)
    bill, waits = await the_bill(billing, own), await the_bill(billing, other)
    # 297.6 kWh at 0.10 and 9.00 are 38.76; 5 % of that is 1.94.
    assert (bill.state, bill.total, bill.terms.municipality) == (BillState.ISSUED, D("40.70"), "Alton")
    assert waits.hold is not None
    assert waits.hold.code is HoldCode.TAX_NOT_KNOWN
    assert "no municipality is stated" in waits.hold.reason

    await told(world, other, "Ladue", date(2026, 1, 1))
    await billing.close_due(NOW)
    assert (await the_bill(billing, other)).state is BillState.ISSUED

    running = await billing.bill_so_far(SCOPE, own, NOW)
    assert running is not None
    # Nine days of 9.6 kWh at 0.10 and 9.00 are 17.64, and 5 % of that.
    assert [(line.name, line.amount) for line in running.lines if line.kind == "tax"] == [("City tax", D("0.88"))]

    await told(world, own, "Brent", ANNEXED)
    async with corrections(world, postgres) as room:
        assert await room.terms.note(NOW) == 1
        assert await room.terms.note(NOW) == 0, "the same find is noted once"
        assert (await room.weigher.weigh(NOW)).open == 1
        (case,) = await room.corrections.cases()
    (change,) = case.changes
    # 5 % for 10 of 31 days are 0.63, 10 % for 21 of 31 days are 2.63.
    assert (change.bill_id, change.before, change.after) == (bill.bill_id, D("40.70"), D("42.02"))
    assert change.cause.words == "it is taxed in Alton, then Brent now, it was in Alton"
    found = billing.run.rates["taxed"]
    assert found is TAXED
    assert Annexed(ANNEXED, "Brent") not in bill.terms.annexed, "an issued bill is never rewritten"


def peaks(first: date, end: date, *at: datetime, entered: datetime = NOW) -> Statement:
    period = Period(local_midnight(first, ZONE), local_midnight(end, ZONE))
    return Statement(uuid4(), SignalKind.PEAKS, SYSTEM, period, "report 10", entered, instants=at)


async def test_a_bill_waits_for_the_systems_peak_and_a_peak_that_moves_later_is_found(
    world: World, postgres: PostgresEngine
) -> None:
    point, billing = world.points[0], billing_of(world)
    signals = world.billing.book.signals
    await billing.assign_rate([point], "peaky", first_day=OCTOBER, at=NOW)
    await world.write_days(OCTOBER, date(2026, 10, 31))
    await signals.enter([peaks(OCTOBER, ANNEXED)])
    await billing.close_due(NOW)
    waits = await the_bill(billing, point)
    assert waits.hold is not None
    assert (waits.hold.code, waits.hold.owner) == (HoldCode.SIGNAL_NOT_KNOWN, "rates")
    assert "when the system peaked from 2026-10-11" in waits.hold.reason

    peak = datetime(2026, 10, 20, 16, tzinfo=ZONE)
    await signals.enter([peaks(ANNEXED, NOVEMBER, peak)])
    await billing.close_due(NOW)
    bill = await the_bill(billing, point)
    # 400 Wh in the hour of the peak: 0.4 kW at 5.00.
    assert (bill.state, bill.total) == (BillState.ISSUED, D("40.76"))
    assert bill.terms.coincident == (peak,)
    assert "peaks of system: report 10, entered 2026-11-10" in bill.terms.sources

    async with corrections(world, postgres) as room:
        assert await room.terms.note(NOW) == 0
        later = NOW + timedelta(days=3)
        await signals.enter([peaks(date(2026, 10, 20), date(2026, 10, 21), peak + timedelta(hours=1), entered=later)])
        assert await room.terms.note(later, since=later) == 1
        assert (await room.weigher.weigh(later)).tolerated == 1, "the same 0.4 kW at another hour"
