"""URDB records of versions 3 to 8: what is read, and what is refused by the name of its clause."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openami.billing.tariff import Tariff, TariffError, parse_rate
from openami.billing.tariff.charge import ChargeUnit
from openami.billing.tariff.demand import CoincidentRule
from openami.billing.tariff.export import ExportKind, Netting

BASE: dict[str, Any] = {
    "energyratestructure": [[{"rate": 0.1, "unit": "kWh"}]],
    "energyweekdayschedule": [[0] * 24] * 12,
    "energyweekendschedule": [[0] * 24] * 12,
}
DEMAND: dict[str, Any] = {"flatdemandstructure": [[{"rate": 9.5}]], "flatdemandmonths": [0.0] * 12}


def _read(change: dict[str, Any]) -> Tariff:
    return parse_rate(json.dumps(BASE | change).encode(), code="x").versions[0]


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ({"energyratestructure": [[{"unit": "kWh"}]]}, "energyratestructure[0][0]"),
        ({"energyratestructure": [[{"rate": 1, "max": 5, "unit": "kWh/kW"}, {"rate": 2}]]}, "energyratestructure.unit"),
        ({"energyratestructure": [[{"rate": 1, "max": 5, "unit": "kWh/hp"}, {"rate": 2}]]}, "energyratestructure.unit"),
        ({"energyratestructure": [[{"rate": 1}, {"rate": 2}]]}, "periods[all year all hours].blocks"),
        ({"energyweekdayschedule": [[3] * 24] * 12}, "energyweekdayschedule[0][0]"),
        ({"energyweekdayschedule": [[0] * 23] * 12}, "energyweekdayschedule"),
        ({"fixedchargefirstmeter": 9, "fixedchargeunits": "$/hour"}, "fixedchargeunits"),
        ({"fixedchargefirstmeter": -9, "fixedchargeunits": "$/month"}, "fixedchargefirstmeter"),
        ({"fixedchargefirstmeter": 9, "fixedmonthlycharge": 8}, "fixedmonthlycharge"),
        ({"mincharge": 30, "minchargeunits": "$/kW"}, "minchargeunits"),
        ({"minmonthlycharge": 30, "annualmincharge": 300}, "annualmincharge"),
        ({"demandratestructure": [[{"rate": 4.0}]], "demandrateunit": "hp"}, "demandrateunit"),
        ({"demandratestructure": [[{"rate": 4.0, "unit": "kVA"}]]}, "demandratestructure.unit"),
        ({"flatdemandstructure": [[{"rate": 4.0}]], "flatdemandunit": "kW"}, "flatdemandmonths"),
        ({"flatdemandstructure": [[{"rate": 4.0}]], "flatdemandunit": "kW daily"}, "flatdemandunit"),
        (DEMAND | {"demandwindow": 7.5}, "demandwindow"),
        (DEMAND | {"demandreactivepowercharge": 0.25}, "demandreactivepowercharge"),
        (DEMAND | {"lookbackpercent": 0.8}, "lookbackrange"),
        (DEMAND | {"lookbackpercent": 180, "lookbackrange": 11}, "lookbackpercent"),
        (DEMAND | {"lookbackpercent": 0.8, "lookbackmonths": [True]}, "lookbackmonths"),
        (DEMAND | {"demandratchetpercentage": [0.8] * 11}, "demandratchetpercentage"),
        (DEMAND | {"demandratchetpercentage": [0.8] * 12, "lookbackpercent": 0.5}, "demandratchetpercentage"),
        ({"lookbackpercent": 0.8, "lookbackrange": 11}, "lookbackpercent"),
        ({"coincidentratestructure": [[{"rate": 4.0}]]}, "coincidentrateschedule"),
        ({"dgrules": "Feed-in"}, "dgrules"),
        ({"startdate": "soon"}, "startdate"),
        ({"startdate": "0015-06-01"}, "startdate"),
        ({"startdate": "2025-06-01", "enddate": "2025-05-01"}, "effective_to"),
    ],
    ids=lambda v: str(v)[:60],
)  # fmt: skip
def test_a_clause_that_cannot_be_billed_is_refused_by_name(change: dict[str, object], clause: str) -> None:
    with pytest.raises(TariffError) as refused:
        _read(change)
    assert refused.value.clause == clause


@pytest.mark.parametrize(
    ("change", "amount", "unit"),
    [
        ({"fixedchargefirstmeter": 120, "fixedchargeunits": "$/year"}, "120", ChargeUnit.YEAR),
        ({"fixedchargefirstmeter": 0.4, "fixedchargeunits": "$/day"}, "0.4", ChargeUnit.DAY),
        ({"fixedmonthlycharge": 9.5}, "9.5", ChargeUnit.MONTH),
    ],
)
def test_fixed_charges_of_both_versions_are_read(change: dict[str, Any], amount: str, unit: ChargeUnit) -> None:
    (charge,) = _read(change).fixed
    assert (charge.amount, charge.unit) == (Decimal(amount), unit)


@pytest.mark.parametrize(
    ("change", "unit"),
    [
        ({"mincharge": 30, "minchargeunits": "$/month"}, ChargeUnit.MONTH),
        ({"mincharge": 30, "minchargeunits": "$/year"}, ChargeUnit.YEAR),
        ({"minmonthlycharge": 30}, ChargeUnit.MONTH),
        ({"annualmincharge": 30}, ChargeUnit.YEAR),
    ],
)
def test_minimum_charges_of_both_versions_are_read(change: dict[str, Any], unit: ChargeUnit) -> None:
    minimum = _read(change).minimum
    assert minimum is not None
    assert (minimum.amount, minimum.unit) == (Decimal(30), unit)


@pytest.mark.parametrize(
    ("change", "percents", "months"),
    [
        ({"lookbackpercent": 0.8, "lookbackrange": 11}, [80] * 12, 11),
        (
            {"lookbackpercent": 0.5, "lookbackmonths": [m in {5, 6} for m in range(12)]},
            [0] * 5 + [50] * 2 + [0] * 5, 11,
        ),
        ({"lookbackpercent": 75, "lookbackrange": 3}, [75] * 12, 3),
        ({"demandratchetpercentage": [0.6] * 6 + [0] * 6}, [60] * 6 + [0] * 6, 11),
    ],
    ids=["eleven months", "summer months", "as a percentage", "by month, version 7"],
)  # fmt: skip
def test_ratchets_of_both_versions_are_read(change: dict[str, Any], percents: list[int], months: int) -> None:
    ratchet = _read(DEMAND | change).demand[0].ratchet
    assert ratchet is not None
    assert [int(p) for p in ratchet.percents] == percents
    assert ratchet.months == months


def test_demand_at_the_systems_peak_is_a_charge_whose_instants_a_bill_is_given() -> None:
    change = {"coincidentratestructure": [[{"rate": 0}], [{"rate": 4.5, "adj": 0.5}]]}
    schedule = [[0] * 24] * 6 + [[1] * 24] * 6
    (charge,) = _read(change | {"coincidentrateschedule": schedule}).demand
    assert charge.coincident is CoincidentRule.HIGHEST
    assert [p.blocks[0].price for p in charge.periods] == [0, 5]


@pytest.mark.parametrize(
    ("change", "kind", "netting", "price"),
    [
        ({"dgrules": "Net Metering"}, ExportKind.NET_METERING, Netting.BILLING_PERIOD, None),
        ({"usenetmetering": True}, ExportKind.NET_METERING, Netting.BILLING_PERIOD, None),
        ({"dgrules": "Net Billing Hourly"}, ExportKind.NET_BILLING, Netting.HOUR, None),
        ({"dgrules": "Net Billing Instantaneous"}, ExportKind.NET_BILLING, Netting.REGISTER, None),
        (
            {"dgrules": "Buy All Sell All", "energyratestructure": [[{"rate": 0.1, "sell": 0.03}]]},
            ExportKind.BUY_ALL, Netting.REGISTER, "0.03",
        ),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_the_rule_for_energy_sent_out_is_read_and_its_price_stays_open_where_urdb_is_silent(
    change: dict[str, Any], kind: ExportKind, netting: Netting, price: str | None
) -> None:
    export = _read(change).export
    assert export is not None
    assert (export.kind, export.netting) == (kind, netting)
    assert [p.price for p in export.prices] == [None if price is None else Decimal(price)]


def test_without_a_rule_received_energy_is_listed_alone() -> None:
    assert _read({"usenetmetering": False}).export is None


def test_who_may_take_the_rate_and_where_it_comes_from_are_kept() -> None:
    change = {
        "peakkwcapacitymin": 20,
        "peakkwcapacitymax": 499,
        "sector": "Commercial",
        "label": "5f",
        "fixedchargeeaaddl": 3,
    }
    found = _read(change | {"startdate": 1717200000})
    assert (found.eligibility.least_w, found.eligibility.most_w) == (20_000, 499_000)
    assert "sector Commercial" in found.eligibility.words
    assert found.provenance["label"] == "5f"
    assert found.confidence["fixedchargeeaaddl"] == "3"
    assert found.effective_from == date(2024, 6, 1)


def test_every_record_of_the_visible_set_is_read_or_refused_as_the_page_says(shared_data: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "billing" / "urdb.md").read_text().partition("## The visible set")[2]
    rows = dict(line.strip("| ").split(" | ")[:2] for line in page.splitlines() if line.startswith("| `"))
    files = [
        f for part in ("ameren_mo_2025_06", "urdb") for f in sorted((shared_data / "tariffs" / part).glob("*.json"))
    ]
    told = {}
    for file in files:
        try:
            parse_rate(file.read_bytes(), code=file.stem)
            told[f"`{file.stem}`"] = "priced"
        except TariffError as refused:
            told[f"`{file.stem}`"] = f"refused: `{refused.clause}`"
    assert rows == told
