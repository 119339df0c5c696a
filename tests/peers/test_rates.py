"""Another engine, run here and now, bills every rate as we do: by month, unrounded, hourly and by the quarter-hour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.peers import rating

from openami.app.bench.peers import PeerUnavailableError
from openami.billing.rating import LineKind
from openami.billing.tariff import parse_rate

pytestmark = pytest.mark.peers

TOLERANCE = 0.005
REASONS: Mapping[str, str] = {
    "demand": "its demand window is one step of the load; the sheet's is an hour. With a window of one step we agree",
    "fixed": "it books a charge a day as 365/12 days in every month; we count the days. With its days we agree",
    "minimum": "our top-up is against printed lines, so that the bill is the minimum to the cent; half a cent a line",
    "reactive": "it leaves kVAR out without a word; we refuse the rate. Without that clause we agree",
}
"""Every reason why the peer differs. Each is undone below, and the rest is held to half a cent."""


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return rating.rating_peer()
    except PeerUnavailableError as error:
        pytest.skip(f"the peer cannot be installed here: {error}")


@pytest.fixture(scope="module")
def records(shared_data: Path) -> dict[str, dict[str, Any]]:
    folder = shared_data / "tariffs"
    files = [f for part in ("ameren_mo_2025_06", "urdb") for f in sorted((folder / part).glob("*.json"))]
    return {f.name: rating.record_of(f.read_bytes()) for f in files}


@pytest.mark.parametrize("resolution", ["hours", "quarter-hours"])
def test_every_rate_bills_alike_by_month_to_half_a_cent_or_for_a_written_reason(
    resolution: str, python: Path, records: dict[str, dict[str, Any]], shared_data: Path
) -> None:
    quarters = rating.quarter_hours(shared_data / "tariffs")
    loads = quarters if resolution == "quarter-hours" else rating.hours(quarters)
    answer = rating.peer_bills(python, records, loads)
    assert answer["refused"] == {}
    used = set()
    for name, record in records.items():
        used |= compared(name, record, answer["bills"][name], loads)
    assert used == set(REASONS) - ({"demand"} if resolution == "hours" else set())
    assert len(records) == 33


def compared(name: str, record: dict[str, Any], peer: list[dict[str, list[float]]], loads: rating.I64) -> set[str]:
    """Hold one rate to the peer on every load and return the reasons that were needed."""
    reasons = set()
    if record.get("demandreactivepowercharge"):
        record = {key: value for key, value in record.items() if key != "demandreactivepowercharge"}
        reasons.add("reactive")
    sheet = parse_rate(json.dumps(record).encode(), code=name)
    one_step = rating.as_the_peer_sees_it(sheet, window=False)
    for load, theirs in zip(loads, peer, strict=True):
        bills = rating.our_bills(one_step, load)
        for kind, outputs in rating.KINDS.items():
            expected = np.sum([theirs[output] for output in outputs], axis=0)
            ours = rating.amounts(bills, kind, days=rating.PEER_DAYS)
            lines = max(len(b.lines) for b in bills)
            least = TOLERANCE * lines if kind is LineKind.MINIMUM else TOLERANCE
            assert ours == pytest.approx(expected, abs=least), f"{name}: {kind}"
            if kind is LineKind.MINIMUM and np.abs(ours - expected).max() > TOLERANCE:
                reasons.add("minimum")
        total = sum(rating.amounts(bills, kind, days=rating.PEER_DAYS) for kind in rating.KINDS)
        assert total == pytest.approx(theirs["total"], abs=TOLERANCE * (lines if "minimum" in reasons else 1)), name
        if any(line.unit == "day" for b in bills for line in b.lines):
            reasons.add("fixed")
        if any(charge.window_minutes for version in sheet.versions for charge in version.demand):
            printed = rating.our_bills(rating.as_the_peer_sees_it(sheet, window=True), load)
            demand = [rating.amounts(b, LineKind.DEMAND) for b in (printed, bills)]
            if np.abs(demand[0] - demand[1]).max() > TOLERANCE:
                reasons.add("demand")
    return reasons


FLAT = [[0] * 24] * 12
EVENING = [[0] * 16 + [1] * 4 + [0] * 4] * 12
MADE: Mapping[str, dict[str, Any]] = {
    "yearly charge": {
        "energyratestructure": [[{"rate": 0.11}]],
        "fixedchargefirstmeter": 126,
        "fixedchargeunits": "$/year",
    },
    "minimum a month": {"energyratestructure": [[{"rate": 0.02}]], "mincharge": 40, "minchargeunits": "$/month"},
    "blocks a day": {
        "energyratestructure": [
            [{"rate": 0.1, "max": 6, "unit": "kWh daily"}, {"rate": 0.2, "unit": "kWh daily"}],
            [{"rate": 0.25, "max": 6, "unit": "kWh daily"}, {"rate": 0.41, "unit": "kWh daily"}],
        ],
        "energyweekdayschedule": EVENING,
    },
    "demand in blocks": {
        "energyratestructure": [[{"rate": 0.05}]],
        "flatdemandstructure": [[{"rate": 3, "max": 4}, {"rate": 9}], [{"rate": 2}]],
        "flatdemandmonths": [0] * 6 + [1] * 6,
        "demandratestructure": [[{"rate": 1}], [{"rate": 7.5}]],
        "demandweekdayschedule": EVENING,
        "demandweekendschedule": FLAT,
    },
    "ratchet": {
        "energyratestructure": [[{"rate": 0.05}]],
        "flatdemandstructure": [[{"rate": 9}]],
        "flatdemandmonths": [0] * 12,
        "lookbackpercent": 0.8,
        "lookbackrange": 11,
    },
}
"""Records with what the visible set lacks, made up."""


@pytest.mark.parametrize("resolution", ["hours", "quarter-hours"])
def test_made_records_with_what_the_set_lacks_bill_alike(resolution: str, python: Path, shared_data: Path) -> None:
    quarters = rating.quarter_hours(shared_data / "tariffs")
    loads = quarters if resolution == "quarter-hours" else rating.hours(quarters)
    base = {"energyweekdayschedule": FLAT, "energyweekendschedule": FLAT}
    records = {name: base | record for name, record in MADE.items()}
    answer = rating.peer_bills(python, records, loads)
    assert answer["refused"] == {}
    for name, record in records.items():
        compared(name, record, answer["bills"][name], loads)


def test_a_yearly_minimum_comes_to_the_same_in_the_last_month(python: Path, shared_data: Path) -> None:
    loads = rating.hours(rating.quarter_hours(shared_data / "tariffs"))
    record = {
        "energyratestructure": [[{"rate": 0.02}]], "energyweekdayschedule": FLAT, "energyweekendschedule": FLAT,
        "mincharge": 700, "minchargeunits": "$/year",
    }  # fmt: skip
    answer = rating.peer_bills(python, {"yearly": record}, loads)
    schedule = parse_rate(json.dumps(record).encode(), code="yearly")
    for load, theirs in zip(loads, answer["bills"]["yearly"], strict=True):
        minimum = rating.amounts(rating.our_bills(schedule, load), LineKind.MINIMUM)
        # Each of twelve bills prints its energy to the cent; the yearly top-up is against what was printed.
        assert minimum == pytest.approx(theirs["minimum"], abs=TOLERANCE * 12 + TOLERANCE)
