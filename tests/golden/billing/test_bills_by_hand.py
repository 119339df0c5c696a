"""Bills worked by hand, a folder each: the arithmetic is in its README, and both engines must come to it."""

from __future__ import annotations

import csv
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, RatedBill, Usage, determinants
from openami.billing.rating.carried import Carried
from openami.billing.rating.fleet import UsageMatrix, rated_fleet
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import NO_TERMS
from openami.billing.rating.turn import rate_in_turn
from openami.billing.tariff import RateSchedule, parse_rate
from openami.kernel.time import instant_from_epoch_s

HAND = Path(__file__).parent / "hand"
CASES = sorted(p.name for p in HAND.iterdir() if p.is_dir())
QUARTER_S = 900


def quarter_hours(case: dict[str, Any], span: BillSpan, zone: ZoneInfo) -> Usage:
    """``base_wh`` in every quarter-hour, other values where ``extra`` says so by the wall clock."""
    period = span.period(zone)
    starts = np.arange(period.start_s, period.end_s, QUARTER_S, dtype=np.int64)
    wh = np.full(len(starts), case["base_wh"], np.int64)
    for more in case.get("extra", []):
        begins, ends = (int(_wall(more[k], zone).timestamp()) for k in ("from", "to"))
        wh[(starts >= begins) & (starts < ends)] = more["wh"]
    assert instant_from_epoch_s(int(starts[0])).astimezone(zone).hour == 0
    return Usage(starts, wh, QUARTER_S)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.replace(tzinfo=zone)


def _bills(name: str, *, by_hand: bool) -> tuple[list[RatedBill], dict[str, Any]]:
    case = tomllib.loads((HAND / name / "case.toml").read_text())
    schedule: RateSchedule = parse_rate((HAND / name / "rate.toml").read_bytes(), code=name)
    zone = ZoneInfo(case["zone"])
    spans = [BillSpan(date.fromisoformat(a), date.fromisoformat(b)) for a, b in case["bills"]]
    found = []
    for span in spans:
        usage = quarter_hours(case, span, zone)
        one = determinants_by_hand(schedule, usage, span, zone) if by_hand else None
        found.append(one or determinants(schedule, usage, [span], zone)[0])
    return rate_in_turn(schedule, found, [NO_TERMS] * len(found)), case


def _expected(name: str) -> list[tuple[Any, ...]]:
    with (HAND / name / "lines.csv").open(newline="") as file:
        return [
            (
                int(r["bill"]), r["kind"], r["period"], r["tier"], Decimal(r["quantity"]), r["unit"],
                Decimal(r["price"]), Decimal(r["amount"]),
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_fleet_bills_each_case_as_worked_by_hand(name: str) -> None:
    case = tomllib.loads((HAND / name / "case.toml").read_text())
    schedule, zone = parse_rate((HAND / name / "rate.toml").read_bytes(), code=name), ZoneInfo(case["zone"])
    before, totals = Carried(), []
    for first, end in case["bills"]:
        span = BillSpan(date.fromisoformat(first), date.fromisoformat(end))
        usage = quarter_hours(case, span, zone)
        # The case, and a place without use beside it.
        matrix = UsageMatrix(np.stack([usage.wh, usage.wh * 0]))
        grid = usage.start_s, QUARTER_S
        bill, _ = rated_fleet(schedule, *grid, matrix, span, zone, [NO_TERMS] * 2, [before, Carried()])
        before = bill.carried
        totals.append(bill.total)
    assert totals == [Decimal(t) for t in case["totals"]]


@pytest.mark.parametrize("by_hand", [True, False], ids=["the engine that reads like the sheet", "the columns"])
@pytest.mark.parametrize("name", CASES)
def test_every_line_and_total_is_the_one_worked_by_hand(name: str, by_hand: bool) -> None:
    bills, case = _bills(name, by_hand=by_hand)
    lines = [
        (
            number, line.kind.value, line.period or "", str(line.tier or ""), line.quantity, line.unit, line.price,
            line.amount,
        )
        for number, bill in enumerate(bills)
        for line in bill.lines
    ]  # fmt: skip
    assert lines == _expected(name)
    assert [bill.total for bill in bills] == [Decimal(t) for t in case["totals"]]
