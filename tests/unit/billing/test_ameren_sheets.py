"""The five options hour by hour and cent by cent, typed once more from the notes and not from the files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from openami.billing.tariff import shipped_rates
from openami.billing.tariff.price import HOLIDAY

D = Decimal
WEEKDAY, SATURDAY = 2, 5
# Cents a kWh in the first block, with how many hours of the day each holds from midnight on.
SHEETS = {
    ("anytime", "summer", WEEKDAY): "24*15.60",
    ("anytime", "winter", WEEKDAY): "24*10.62",
    ("evening-morning", "summer", WEEKDAY): "9*15.24 12*15.81 3*15.24",
    ("evening-morning", "winter", WEEKDAY): "9*10.45 12*10.73 3*10.45",
    ("evening-morning", "winter", SATURDAY): "9*10.45 12*10.73 3*10.45",
    ("overnight", "summer", WEEKDAY): "6*7.3 16*18.4 2*7.3",
    ("overnight", "winter", SATURDAY): "6*6.3 16*10.3 2*6.3",
    ("smart", "summer", WEEKDAY): "6*7.67 9*12.16 4*40.51 3*12.16 2*7.67",
    ("smart", "summer", SATURDAY): "6*7.67 16*12.16 2*7.67",
    ("smart", "winter", WEEKDAY): "6*6.35 2*21.69 10*7.78 2*21.69 2*7.78 2*6.35",
    ("smart", "winter", HOLIDAY): "6*6.35 16*7.78 2*6.35",
    ("ultimate", "summer", WEEKDAY): "15*5.8 4*34.1 5*5.8",
    ("ultimate", "summer", HOLIDAY): "24*5.8",
    ("ultimate", "winter", WEEKDAY): "6*5.1 2*18.6 10*5.1 2*18.6 4*5.1",
    ("ultimate", "winter", SATURDAY): "24*5.1",
}
OVER_750 = {
    ("anytime", "winter"): {"10.62": "7.14"},
    ("evening-morning", "winter"): {"10.45": "6.97", "10.73": "7.25"},
}
MONTHS = {"summer": (6, 9), "winter": (10, 5)}


@pytest.mark.parametrize(("code", "season", "day"), SHEETS)
def test_each_hour_of_a_day_has_the_price_of_the_notes(code: str, season: str, day: int) -> None:
    version = shipped_rates()[f"ameren-mo-{code}"].versions[0]
    hours = [
        D(price) for part in SHEETS[code, season, day].split() for n, price in [part.split("*")] for _ in range(int(n))
    ]
    assert len(hours) == 24
    for month in MONTHS[season]:
        plan = version.seasons[version.season_index(month, 15)].energy[day]
        found = {w.start_minute // 60 + n: w.period for w in plan for n in range((w.end_minute - w.start_minute) // 60)}
        blocks = [version.periods[found[hour]].blocks for hour in range(24)]
        assert [b[0].price * 100 for b in blocks] == hours
        over = OVER_750.get((code, season), {})
        for block in blocks:
            assert [b.price * 100 for b in block[1:]] == [D(p) for k, p in over.items() if D(k) == block[0].price * 100]
            assert len(block) == (2 if over else 1)


@pytest.mark.parametrize("code", ["anytime", "evening-morning", "overnight", "smart", "ultimate"])
def test_each_option_has_its_date_sheet_fixed_charges_and_demand(code: str) -> None:
    (version,) = shipped_rates()[f"ameren-mo-{code}"].versions
    assert (version.effective_from, version.effective_to) == (date(2025, 6, 1), None)
    assert "sheet 54" in version.provenance["sheet"]
    assert [f.amount for f in version.fixed] == [D("9.00"), D("0.19")]
    assert {"riders", "proration", "rounding", "season_rule"} <= {
        k for k, words in version.confidence.items() if words.startswith("open")
    }
    charges = [(d.window_minutes, [b.price for p in d.periods for b in p.blocks]) for d in version.demand]
    assert charges == ([(60, [D(0), D("9.28"), D("3.83")])] if code == "ultimate" else [])
    for season in version.seasons if version.demand else ():
        (week,) = season.demand
        assert all([(w.start_minute, w.end_minute) for w in plan][1] == (360, 1320) for plan in week)
