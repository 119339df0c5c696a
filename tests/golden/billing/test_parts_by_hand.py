"""Two bills of one period that a change of rate parts, worked by hand: months are charged once, by every engine."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.golden.billing.test_bills_by_hand import QUARTER_S, quarter_hours

from openami.billing.rating import BillSpan, BillTerms, RatedBill, determinants, rate
from openami.billing.rating.carried import Carried
from openami.billing.rating.fleet import UsageMatrix, rated_fleet
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import Usage
from openami.billing.tariff import RateSchedule, parse_rate

PARTS = Path(__file__).parent / "parts"
CASES = sorted(p.name for p in PARTS.iterdir() if p.is_dir())
CENT = Decimal("0.01")


def _fleet(schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, terms: BillTerms) -> RatedBill:
    matrix = UsageMatrix(np.stack([usage.wh, usage.wh * 0]))
    grid, none = (usage.start_s, QUARTER_S), Carried()
    # The same days of a customer without a change of rate are beside it: neither may take the other's months.
    alone = replace(terms, part_of=None)
    return rated_fleet(schedule, *grid, matrix, span, zone, [terms, alone], [none, none])[0]


def _one(
    engine: str, schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, terms: BillTerms
) -> RatedBill:
    if engine == "fleet":
        return _fleet(schedule, usage, span, zone, terms)
    if engine == "sheet":
        return rate(schedule, determinants_by_hand(schedule, usage, span, zone, terms), terms)
    return rate(schedule, determinants(schedule, usage, [span], zone, terms)[0], terms)


def _bills(name: str, engine: str) -> tuple[list[RatedBill], dict[str, Any]]:
    case = tomllib.loads((PARTS / name / "case.toml").read_text())
    zone = ZoneInfo(case["zone"])
    first, end = (date.fromisoformat(d) for d in case["period"])
    change, whole = date.fromisoformat(case["change"]), BillSpan(first, end)
    found = []
    for side, span in (("before", BillSpan(first, change)), ("after", BillSpan(change, end))):
        schedule = parse_rate((PARTS / name / f"{side}.toml").read_bytes(), code=side)
        terms = BillTerms(part_of=PartOf(whole))
        found.append(_one(engine, schedule, quarter_hours(case, span, zone), span, zone, terms))
    return found, case


@pytest.mark.parametrize("engine", ["sheet", "columns", "fleet"])
@pytest.mark.parametrize("name", CASES)
def test_both_parts_of_a_period_are_the_ones_worked_by_hand(name: str, engine: str) -> None:
    bills, case = _bills(name, engine)
    lines = [
        (
            n, line.kind.value, line.name, line.quantity.quantize(CENT) if line.unit == "month" else line.quantity,
            line.unit, line.price, line.amount,
        )
        for n, bill in enumerate(bills)
        for line in bill.lines
    ]  # fmt: skip
    with (PARTS / name / "lines.csv").open(newline="") as file:
        expected = [
            (
                int(r["part"]), r["kind"], r["name"], Decimal(r["quantity"]), r["unit"], Decimal(r["price"]),
                Decimal(r["amount"]),
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip
    assert lines == expected
    assert [bill.total for bill in bills] == [Decimal(t) for t in case["totals"]]
