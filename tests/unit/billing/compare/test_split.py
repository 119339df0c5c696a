"""What a cost is made of, and which hours set demand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
from tests.unit.billing.compare.made import CHICAGO, SMART, ULTIMATE, YEAR, flat, home

from openami.billing.compare.demand import demand_of
from openami.billing.compare.outcome import priced
from openami.billing.compare.split import split_of, spread_of
from openami.billing.rating import BillSpan, LineKind, Usage
from openami.kernel.time import instant_from_epoch_s

JULY = [BillSpan(date(2026, 7, 1), date(2026, 8, 1))]


def test_the_parts_add_up_to_the_bills_and_their_energy_to_the_usage() -> None:
    usage = home(YEAR)
    bills = priced(SMART, usage, YEAR, CHICAGO)
    parts = split_of(bills)
    assert sum(p.amount for p in parts) == sum(b.total for b in bills)
    energy = [p for p in parts if p.kind is LineKind.ENERGY]
    assert sum(p.quantity for p in energy) * 1000 == int(usage.wh.sum())
    assert {p.name for p in energy} >= {"Summer on-peak", "Winter on-peak"}
    spread = spread_of(bills)
    assert spread.low <= spread.mean <= spread.high


def _with_hours(watts: dict[tuple[int, int], int]) -> Usage:
    """A flat 400 W July with some hours of more."""
    usage = flat(JULY, 100)
    wh = usage.wh.copy()
    for (day, hour), power in watts.items():
        at = np.flatnonzero(usage.start_s == int(JULY[0].period(CHICAGO).start_s) + (day - 1) * 86_400 + hour * 3600)[0]
        wh[at : at + 4] = power // 4
    return replace(usage, wh=wh)


def test_the_five_highest_hours_are_named_and_each_kilowatt_priced() -> None:
    usage = _with_hours({(3, 18): 6000, (9, 7): 5000, (20, 12): 4000, (21, 12): 3000, (22, 12): 2000, (4, 23): 9000})
    bills = priced(ULTIMATE, usage, JULY, CHICAGO)
    (month,) = demand_of(ULTIMATE, bills, usage, CHICAGO)
    # 23:00 is outside the demand window of 6 to 22 o'clock.
    assert [p.watts for p in month.highest] == [6000, 5000, 4000, 3000, 2000]
    first = instant_from_epoch_s(month.highest[0].start_s).astimezone(CHICAGO)
    assert (first.day, first.hour) == (3, 18)
    assert month.per_kw == Decimal("9.28")
    assert month.amount == Decimal("55.68")
    assert month.worth == Decimal("9.28")


def test_an_hour_with_an_estimate_is_no_highest_hour() -> None:
    usage = _with_hours({(3, 18): 6000, (9, 7): 5000})
    estimated = usage.wh == 1500
    estimated[np.flatnonzero(estimated)[1:]] = False
    usage = replace(usage, estimated=estimated)
    (month,) = demand_of(ULTIMATE, priced(ULTIMATE, usage, JULY, CHICAGO), usage, CHICAGO)
    assert month.highest[0].watts == 5000


def test_a_rate_without_demand_has_no_highest_hours() -> None:
    usage = flat(JULY, 100)
    assert demand_of(SMART, priced(SMART, usage, JULY, CHICAGO), usage, CHICAGO) == ()
