"""A place read by register alone whose meter counts received energy: credited as its rate says, or the bill waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill
from openami.billing.bill.register_bill import register_bill
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportPrice, ExportTerms, Netting
from openami.billing.tariff.price import Block, PricePeriod, Window
from openami.billing.tariff.season import Season
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

CHICAGO = ZoneInfo("America/Chicago")
APRIL = BillSpan(date(2026, 4, 1), date(2026, 5, 1))
PERIOD = APRIL.period(CHICAGO)
POINT = UUID(int=1)
NET = ExportTerms(ExportKind.NET_METERING, Netting.BILLING_PERIOD, credit=CreditUnit.KWH)
SOLD = ExportTerms(ExportKind.NET_BILLING, Netting.REGISTER, (ExportPrice(Decimal("0.03")),))
HOURLY = replace(SOLD, netting=Netting.HOUR)
APPROVED = BillTerms(approved_w=(Approval(date(2026, 1, 1), None, 7_600),))


def _piece(channel: Channel, begin: int | None, end: int | None) -> ReadPiece:
    ends = [
        EndOfRead(at, value, ReadKind.MISSING if value is None else ReadKind.MANUAL)
        for at, value in ((PERIOD.start, begin), (PERIOD.end, end))
    ]
    return ReadPiece(POINT, "S-1", channel, ends[0], ends[1], 1, None)


def _bill(export: ExportTerms | None, sent: tuple[int | None, int | None], terms: BillTerms = APPROVED) -> Bill:
    season = Season("year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8)
    tariff = Tariff((PricePeriod("All", (Block(Decimal("0.10")),)),), (season,), export=export)
    schedule = RateSchedule("x", "X", "", "USD", (tariff,))
    making = Making(schedule, CHICAGO, datetime(2026, 5, 2, tzinfo=UTC), shipped_jurisdiction())
    pieces = [_piece(Channel.DELIVERED, 100_000, 700_000), _piece(Channel.RECEIVED, *sent)]
    return register_bill(making, BillOrder(POINT, APRIL, terms=terms), pieces)


@pytest.mark.parametrize(
    ("export", "terms", "total", "banked_wh"),
    [
        (NET, APPROVED, "40.00", 0),  # 600 less 200 kWh at 0.10
        (SOLD, APPROVED, "54.00", 0),  # 600 at 0.10 less 200 at 0.03
        (None, APPROVED, "60.00", 0),
        (NET, BillTerms(), "60.00", 0),
    ],
    ids=["net metering", "net billing", "a rate that credits nothing", "without an approval"],
)
def test_what_the_register_of_received_energy_advanced_is_credited_as_the_rate_says(
    export: ExportTerms | None, terms: BillTerms, total: str, banked_wh: int
) -> None:
    bill = _bill(export, (50_000, 250_000), terms)
    assert (bill.total, bill.received_wh, bill.hold) == (Decimal(total), 200_000, None)
    assert sum(c.wh for c in bill.carried_out.bank) == banked_wh


def test_more_sent_out_than_used_is_kept() -> None:
    bill = _bill(NET, (0, 900_000))
    assert bill.total == 0
    assert [c.wh for c in bill.carried_out.bank] == [300_000]


@pytest.mark.parametrize("sent", [(50_000, None), (None, 250_000), (None, None)], ids=["end", "begin", "neither"])
def test_a_register_of_received_energy_that_was_not_read_holds_a_bill_that_credits_it_and_no_other(
    sent: tuple[int | None, int | None],
) -> None:
    held = _bill(NET, sent)
    assert held.hold is not None
    assert held.hold.code is HoldCode.NO_READ
    assert held.hold.reason.endswith("(energy sent out)")
    assert _bill(None, sent).total == Decimal("60.00")
    assert _bill(NET, sent, BillTerms()).total == Decimal("60.00")


def test_netting_by_the_hour_needs_hours() -> None:
    held = _bill(HOURLY, (50_000, 250_000))
    assert held.hold is not None
    assert held.hold.code is HoldCode.NEEDS_INTERVALS
    assert _bill(HOURLY, (50_000, 50_000)).total == Decimal("60.00"), "nothing was sent out"
