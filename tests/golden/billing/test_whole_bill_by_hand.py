"""A whole bill of 29 days, worked by hand: riders and tax over a rider's change and a season's edge."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from openami.app.commands.bill import bill_intervals

HAND = Path(__file__).parent / "whole_bill"
CHICAGO = ZoneInfo("America/Chicago")
FIRST, END = datetime(2026, 5, 20, tzinfo=CHICAGO), datetime(2026, 6, 18, tzinfo=CHICAGO)
PLACES = Decimal("1e-10")


def _wh(at: datetime) -> int:
    """One kWh an hour, two from 15:00 to 19:00 on weekdays; a quarter of it in a quarter-hour."""
    wall = at.astimezone(CHICAGO)
    return 500 if wall.weekday() < 5 and 15 <= wall.hour < 19 else 250


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Any]:
    rows, at = ["start,value"], FIRST.astimezone(UTC)
    while at < END:
        rows.append(f"{at.isoformat()},{_wh(at)}")
        at += timedelta(minutes=15)
    intervals, terms, cycle = tmp_path / "i.csv", tmp_path / "terms.json", tmp_path / "cycle.csv"
    intervals.write_text("\n".join(rows) + "\n")
    terms.write_text(json.dumps({"municipality": "Alton", "attributes": {"low_income": "yes"}}))
    cycle.write_text("from,to\n2026-05-20,2026-06-18\n")
    document = bill_intervals(
        tariff=HAND / "rate.toml", intervals=intervals, first="2026-05-20", end="2026-06-18", tz="America/Chicago",
        cycle=cycle, terms=terms,
    )  # fmt: skip
    (bill,) = document["bills"]
    assert isinstance(bill, dict)
    return bill


def _expected() -> list[tuple[Any, ...]]:
    with (HAND / "lines.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            r["kind"], r["name"], r["period"] or None, r["tier"], Decimal(r["quantity"]), r["unit"],
            Decimal(r["price"]), Decimal(r["exact_amount"]).quantize(PLACES), r["amount"], r["days"],
        )
        for r in rows
    ]  # fmt: skip


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def test_each_line_is_the_one_worked_by_hand_and_the_total_their_sum(found: dict[str, Any]) -> None:
    lines = [
        (
            line["kind"], line["name"], line["period"], _text(line["tier"]), Decimal(line["quantity"]), line["unit"],
            Decimal(line["price"]), Decimal(line["exact_amount"]).quantize(PLACES), line["amount"], _text(line["days"]),
        )
        for line in found["lines"]
    ]  # fmt: skip
    assert lines == _expected()
    assert (found["usage_wh"], found["total"], found["stamps"]) == (780_000, "118.08", [])
