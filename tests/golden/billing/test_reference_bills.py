"""Monthly bills computed by another engine (nrel-pysam Utilityrate5) for 30 real rates on one made load.

That engine has 365-day years from Monday 1 January, no daylight saving and no holidays, and books $/day charges as
365/12 days a month; its demand window is one step of the data.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import LineKind, RatedBill, Usage, calendar_months, determinants, rate
from openami.billing.tariff import RateSchedule, TariffError, parse_rate
from openami.kernel.holiday import HolidayList

TOLERANCE = 0.005
AMEREN = ("anytime-users", "evening-morning-savers", "overnight-savers", "smart-savers", "ultimate-savers")
REFUSED = {"urdb/viewer-SCE_TOU-8_Option-D_Under-2-kV.json": "demandreactivepowercharge"}
LARGE_DEMAND = ("Consolidated-Edison", "FPL_GLSD")
"""Rates of $13 to $67 a kW: whole Wh of a 15-minute interval are 4 W, up to $0.30 on the peak of this load."""


@cache
def _load_wh(folder: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    with gzip.open(folder / "reference_bills" / "reference_load_15min_kw.csv.gz", "rt") as file:
        kw = np.loadtxt(file, skiprows=1)
    return np.diff(np.concatenate([[0], np.rint(np.cumsum(kw * 250))])).astype(np.int64)


def _usage(folder: Path, resolution: str) -> Usage:
    wh = _load_wh(folder)
    interval_s = 900 if resolution == "35040" else 3600
    wh = wh if interval_s == 900 else wh.reshape(-1, 4).sum(axis=1)
    start = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp())
    return Usage(start + np.arange(len(wh), dtype=np.int64) * interval_s, wh, interval_s)


def _bills(folder: Path, name: str, resolution: str) -> list[RatedBill]:
    schedule = as_the_reference_sees_it(parse_rate((folder / name).read_bytes(), code=name))
    spans = calendar_months(date(2018, 1, 1), date(2019, 1, 1))
    found = determinants(schedule, _usage(folder, resolution), spans, ZoneInfo("UTC"))
    return [rate(schedule, d) for d in found]


def as_the_reference_sees_it(schedule: RateSchedule) -> RateSchedule:
    versions = tuple(
        replace(v, effective_from=None, effective_to=None, holidays=HolidayList()) for v in schedule.versions
    )
    return replace(schedule, versions=versions)


def _sum(bill: RatedBill, kind: LineKind) -> float:
    return float(sum(line.exact_amount for line in bill.lines if line.kind is kind))


@pytest.fixture
def reference(shared_data: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (shared_data / "tariffs" / "reference_bills" / "pysam_bills.json").read_text()
    )
    return document


@pytest.mark.parametrize("resolution", ["8760", "35040"])
def test_energy_fixed_and_minimum_agree_with_another_engine_to_half_a_cent(
    shared_data: Path, reference: dict[str, Any], resolution: str
) -> None:
    compared = 0
    for name, expected in reference["bills"].items():
        if name in REFUSED:
            continue
        bills = _bills(shared_data / "tariffs", name, resolution)
        figures = expected[resolution]
        assert [_sum(b, LineKind.ENERGY) for b in bills] == pytest.approx(figures["energy"], abs=TOLERANCE), name
        if any(line.unit == "day" for b in bills for line in b.lines):
            year = sum(_sum(b, LineKind.FIXED) for b in bills)
            assert year == pytest.approx(sum(figures["fixed"]), abs=TOLERANCE * 12), name
        else:
            assert [_sum(b, LineKind.FIXED) for b in bills] == pytest.approx(figures["fixed"], abs=TOLERANCE), name
        least = 0.06 if any(w in name for w in LARGE_DEMAND) else TOLERANCE
        assert [_sum(b, LineKind.MINIMUM) for b in bills] == pytest.approx(figures["minimum"], abs=least + 0.005), name
        compared += 1
    assert compared == 32


@pytest.mark.parametrize("resolution", ["8760", "35040"])
def test_demand_agrees_where_the_window_is_the_same(
    shared_data: Path, reference: dict[str, Any], resolution: str
) -> None:
    for name in reference["bills"]:
        if not any(w in name for w in LARGE_DEMAND):
            continue
        figures = reference["bills"][name][resolution]
        expected = np.array(figures["flat_demand"]) + np.array(figures["tou_demand"])
        bills = _bills(shared_data / "tariffs", name, resolution)
        assert [_sum(b, LineKind.DEMAND) for b in bills] == pytest.approx(expected.tolist(), abs=0.3), name


def test_hour_demand_from_quarter_hours_is_the_mean_of_four_not_the_largest(
    shared_data: Path, reference: dict[str, Any]
) -> None:
    name = "ameren_mo_2025_06/ultimate-savers.json"
    bills = _bills(shared_data / "tariffs", name, "35040")
    hourly = reference["bills"][name]["8760"]["tou_demand"]
    assert [_sum(b, LineKind.DEMAND) for b in bills] == pytest.approx(hourly, abs=TOLERANCE)
    assert sum(_sum(b, LineKind.DEMAND) for b in bills) < sum(reference["bills"][name]["35040"]["tou_demand"]) - 30


@pytest.mark.parametrize(("name", "clause"), REFUSED.items())
def test_what_we_cannot_bill_is_refused_by_its_clause(shared_data: Path, name: str, clause: str) -> None:
    with pytest.raises(TariffError) as refused:
        parse_rate((shared_data / "tariffs" / name).read_bytes(), code=name)
    assert refused.value.clause == clause


@pytest.mark.parametrize("name", AMEREN)
def test_the_shipped_rate_prices_every_minute_as_the_conformance_file_does(shared_data: Path, name: str) -> None:
    from openami.billing.rating.reference import price_at
    from openami.billing.tariff import shipped_rates

    word = name.removesuffix("-users").removesuffix("-savers")
    ours = shipped_rates()[f"ameren-mo-{word}"].versions[0]
    octets = (shared_data / "tariffs" / "ameren_mo_2025_06" / f"{name}.json").read_bytes()
    theirs = parse_rate(octets, code=name).versions[0]
    for month in range(1, 13):
        for day in range(1, 8):
            for hour in range(24):
                wall = datetime(2026, month, day, hour, 30)  # noqa: DTZ001 - wall time is what the sheet knows
                assert price_at(ours, wall) == price_at(theirs, wall), wall
    assert [c.amount for c in ours.fixed] == [c.amount for c in theirs.fixed]
    assert ours.effective_from == theirs.effective_from
    assert [d.window_minutes for d in ours.demand] == [d.window_minutes for d in theirs.demand]
