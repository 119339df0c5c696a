"""Which bills wait for the one before: those that take something in from it, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from openami.billing.bill.order import BillOrder
from openami.billing.cycle.orders import carries
from openami.billing.rating.carried import BankedCredit, Carried
from openami.billing.rating.terms import Approval, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff import RateSchedule, shipped_rates
from openami.billing.tariff.ratchet import even_ratchet

ORDER = BillOrder(UUID(int=1), BillSpan(date(2026, 4, 1), date(2026, 5, 1)))
SENDS = replace(ORDER, terms=BillTerms(approved_w=(Approval(date(2026, 1, 1), None, 7_600),)))
BANKS = replace(ORDER, carried=Carried(bank=(BankedCredit(date(2026, 3, 1), date(2026, 3, 31), amount=Decimal(4)),)))
ANYTIME, SMART, ULTIMATE = (shipped_rates()[f"ameren-mo-{n}"] for n in ("anytime", "smart", "ultimate"))


def _ratcheted(schedule: RateSchedule) -> RateSchedule:
    (version,) = schedule.versions
    charge = replace(version.demand[0], ratchet=even_ratchet(Decimal(75)))
    return replace(schedule, versions=(replace(version, demand=(charge,)),))


@pytest.mark.parametrize(
    ("schedule", "order", "waits"),
    [
        (ANYTIME, ORDER, False),
        (ANYTIME, SENDS, True),
        (ANYTIME, BANKS, True),
        (SMART, SENDS, False),
        (ULTIMATE, ORDER, False),
        (_ratcheted(ULTIMATE), ORDER, True),
    ],
    ids=["sends nothing", "may send", "has a bank", "a rate without export", "demand alone", "a ratchet"],
)
def test_a_bill_waits_for_the_one_before_where_it_takes_something_in(
    schedule: RateSchedule, order: BillOrder, waits: bool
) -> None:
    assert carries(schedule, order) is waits
