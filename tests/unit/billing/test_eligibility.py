"""Who may take a rate: what stands against it is said, and what is not known does not count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.compare.eligible import Size, size_of
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff import shipped_rates
from openami.billing.tariff.eligibility import Eligibility, Interconnection

CHICAGO = ZoneInfo("America/Chicago")
SMALL = Eligibility(1_000, 10_000, frozenset({"residential"}), frozenset({"AMI"}), Interconnection.EXCLUDED)


@pytest.mark.parametrize(
    ("attributes", "demand_w", "is_interconnected", "reasons"),
    [
        ({}, None, None, 0),
        ({"class": "residential", "meter_kind": "AMI"}, 10_000, False, 0),
        ({"class": "industrial"}, None, None, 1),
        ({"meter_kind": "AMR"}, 10_001, None, 2),
        ({}, 999, True, 2),
    ],
    ids=[
        "nothing known",
        "all fits, limits included",
        "another class",
        "another meter and too large",
        "too small, solar",
    ],
)
def test_each_reason_against_a_rate_is_said(
    attributes: Mapping[str, str], demand_w: int | None, is_interconnected: bool | None, reasons: int
) -> None:
    found = SMALL.reasons_against(attributes, demand_w=demand_w, is_interconnected=is_interconnected)
    assert len(found) == reasons


@pytest.mark.parametrize(
    ("year_wh", "demand_w", "is_whole", "clauses"),
    [
        (6_000_000, 4_000, True, []),
        (6_000_001, 4_000, False, ["most_annual_kwh"]),
        (900_000, 4_000, True, ["least_annual_kwh"]),
        (900_000, 900, False, []),
        (None, 900, True, ["least_kw"]),
    ],
    ids=["within", "too much, of part of a year", "too little", "little, of part of a year", "too small a demand"],
)
def test_a_size_is_judged_by_a_whole_year_and_what_is_too_much_by_less(
    year_wh: int | None, demand_w: int, is_whole: bool, clauses: list[str]
) -> None:
    who = Eligibility(1_000, 10_000, least_year_wh=1_000_000, most_year_wh=6_000_000)
    found = who.reasons_against({}, demand_w=demand_w, year_wh=year_wh, is_whole_year=is_whole)
    assert [words.partition("(eligibility.")[2].rstrip(")") for words in found] == clauses


def test_size_is_the_highest_measured_interval_and_all_energy() -> None:
    span = BillSpan(date(2025, 1, 1), date(2026, 1, 1))
    period = span.period(CHICAGO)
    starts = np.arange(period.start_s, period.end_s, 900, dtype=np.int64)
    wh = np.full(len(starts), 100, np.int64)
    wh[7], wh[9] = 2_000, 1_500
    estimated = np.zeros(len(starts), np.bool_)
    estimated[7] = True
    whole = size_of(Usage(starts, wh, 900, estimated), [span], CHICAGO)
    # 1,500 Wh in a quarter-hour are 6 kW; the 8 kW are an estimate.
    assert whole == Size(6_000, int(wh.sum()), is_whole=True)
    assert not size_of(Usage(starts[:30_000], wh[:30_000], 900), [span], CHICAGO).is_whole
    assert size_of(Usage(starts[:0], wh[:0], 900), [span], CHICAGO) == Size()


def test_a_rate_for_generation_needs_it() -> None:
    solar = Eligibility(interconnection=Interconnection.NEEDED)
    assert solar.reasons_against({}, is_interconnected=False) == (
        "the rate needs an approved interconnection (eligibility.interconnection)",
    )
    assert solar.reasons_against({}, is_interconnected=True) == ()


def test_a_drive_by_meter_has_two_options_of_five_and_net_metering_two() -> None:
    def may(attributes: Mapping[str, str], *, solar: bool) -> set[str]:
        return {
            code.removeprefix("ameren-mo-")
            for code, rate in shipped_rates().items()
            if not rate.versions[-1].eligibility.reasons_against(attributes, is_interconnected=solar)
        }

    assert may({"meter_kind": "AMR"}, solar=False) == {"anytime", "overnight"}
    assert may({"meter_kind": "AMI"}, solar=True) == {"anytime", "evening-morning"}
