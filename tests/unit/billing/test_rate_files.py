"""Our own rate files: everything a sheet may say is read from JSON and TOML alike, and what is not is named by path."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openami.billing.tariff import RateSchedule, TariffError, parse_rate
from openami.billing.tariff.charge import RiderUnit, ValueChange
from openami.billing.tariff.coverage import Fallback
from openami.billing.tariff.demand import CoincidentRule, WindowAlignment
from openami.billing.tariff.eligibility import Interconnection
from openami.billing.tariff.export import CreditReach, CreditUnit, Netting
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.proration import PriceChange, ProrationRule
from openami.billing.tariff.ratchet import Ratchet
from openami.billing.tariff.rounding import EnergyRounding, TotalRule
from openami.billing.tariff.season import SeasonRule
from openami.billing.tariff.values import parse_values
from openami.kernel.holiday import Observance

RATES = files("openami.billing") / "rates"
WHOLE = """
# A rate that says everything a file can say about prices and charges.
format = "openami-rate/2"
code = "whole"
name = "Whole"
utility = "U"
currency = "USD"

[[versions]]
label = "Order 1"
effective_from = 2026-01-01
season_rule = "calendar_day"
price_change = "by_bill"
year_ends_month = 9
blocks = {scope = "month_pooled", unit = "kWh daily"}
proration = {rule = "outside_range", least_days = 25, most_days = 36, blocks = false}
rounding = {energy = "whole_kwh", percent_of = "exact", total = "rounded_sum", demand_step_w = 100}
minimum = {name = "Minimum", amount = "120", per = "year", of = ["energy", "FAC"]}
provenance = {sheet = "54"}
confidence = {prices = "high"}
events = [{name = "Critical peak", signal = "CPP", replaces = {summer = "critical"}}]
fixed = [{name = "Customer charge", amount = "0.30", per = "day"}]
coverage = {least_actual_share = "0.9", fallback = "flat_price", flat_rate = "flat"}
refusals = []

[versions.periods.summer]
name = "Summer"
blocks = [{price = "0.10", up_to = "20"}, {price = "0.12"}]
[versions.periods.winter]
name = "Winter"
blocks = [{price = "0.08"}]
signal = "DAY-AHEAD"
factor = "1.05"
[versions.periods.critical]
name = "Critical"
blocks = [{price = "0.90"}]

[[versions.seasons]]
name = "summer"
ranges = [["05-15", "09-14"]]
days = {every_day = [["00:00", "24:00", "summer"]]}
demand = [{every_day = [["00:00", "24:00", "any"]]}]
[[versions.seasons]]
name = "winter"
ranges = [["09-15", "05-14"]]
days.weekday = [["00:00", "06:15", "winter"], ["06:15", "24:00", "winter"]]
days.weekend = [["00:00", "24:00", "winter"]]
demand = [{every_day = [["00:00", "24:00", "any"]]}]

[[versions.demand]]
name = "Demand"
window_minutes = 30
unit = "kW"
alignment = "rolling"
least_kw = "1.5"
ratchet = {percent = 75, set_in = [6, 7, 8, 9], months = 11, applies_in = [10, 11], by_period = true}
coincident = "mean"
periods.any = {name = "Any time", blocks = [{price = "3"}]}

[[versions.riders]]
code = "FAC"
name = "Fuel"
per = "kWh"
when = {exempt = "-yes"}
values = [
  {value = "-0.001", provenance = "filing 1", confidence = "high"},
  {from = 2026-02-01, value = "unknown"},
]
[[versions.credits]]
code = "LOW"
name = "Credit"
per = "month"
stops_at_zero = true
values = [{value = 5}]
[[versions.taxes]]
code = "GRT"
name = "Tax"
per = "percent"
municipality = "Alton"
of = ["energy"]
values = [{value = "5.5"}]

[versions.export]
kind = "net_metering"
netting = "price_period"
credit = "kWh"
order = "newest_first"
reach = "bill"
expires_after_months = 12
expires_on = "03-31"
at_expiry = "pay"
at_stop = "forfeit"
surplus = "carry"
buckets = {Summer = "day", Winter = "day"}
needs_interconnection = true
largest_w = 100000
prices = [{price = "0.03", confidence = "low"}, {price = "unknown", from = 2027-01-01, period = "Summer"}]

[versions.holidays]
rules = ["christmas", {name = "good_monday", month = 4, weekday = 0, nth = 2, plus_days = 1}]
dates = [2026-11-03]
observance = "sunday_to_monday"
[versions.eligibility]
least_kw = "1.5"
most_kw = "40"
classes = ["residential"]
meter_kinds = ["AMI"]
interconnection = "excluded"
words = "Not with other options."
"""


def _json(document: Any) -> bytes:
    return json.dumps(document, default=str).encode()


def _read(document: Any) -> RateSchedule:
    return parse_rate(_json(document), code="x")


@pytest.fixture
def whole() -> dict[str, Any]:
    return tomllib.loads(WHOLE)


def test_every_clause_of_a_file_arrives_in_the_rate() -> None:
    version = parse_rate(WHOLE.encode(), code="x").versions[0]
    assert (version.label, version.effective_from, version.year_ends_month) == ("Order 1", date(2026, 1, 1), 9)
    assert (version.season_rule, version.price_change) == (SeasonRule.CALENDAR_DAY, PriceChange.BY_BILL)
    assert (version.scope, version.block_unit) == (BlockScope.MONTH_POOLED, BlockUnit.KWH_DAILY)
    rule = version.proration
    assert (rule.rule, rule.least_days, rule.most_days, rule.blocks) == (ProrationRule.OUTSIDE_RANGE, 25, 36, False)
    assert (version.rounding.energy, version.rounding.total) == (EnergyRounding.WHOLE_KWH, TotalRule.ROUNDED_SUM)
    assert version.minimum is not None
    assert version.minimum.of == ("energy", "FAC")
    assert [(p.signal, p.factor) for p in version.periods][1] == ("DAY-AHEAD", Decimal("1.05"))
    assert dict(version.events[0].replaces) == {0: 2}
    assert [s.has(5, 14) for s in version.seasons] == [False, True]
    rider = version.riders[0]
    assert (rider.unit, rider.change, dict(rider.when)) == (RiderUnit.KWH, ValueChange.METERED, {"exempt": "-yes"})
    assert [(v.value, v.effective_from) for v in rider.values] == [
        (Decimal("-0.001"), None), (None, date(2026, 2, 1)),
    ]  # fmt: skip
    assert (version.credits[0].stops_at_zero, version.taxes[0].municipality) == (True, "Alton")
    holidays = version.holidays
    assert holidays.observance is Observance.SUNDAY_TO_MONDAY
    assert date(2026, 4, 14) in holidays.between(date(2026, 4, 1), date(2026, 4, 30))
    (charge,) = version.demand
    assert (charge.alignment, charge.least_w, charge.coincident) == (
        WindowAlignment.ROLLING, 1500, CoincidentRule.MEAN,
    )  # fmt: skip
    assert charge.ratchet == Ratchet(
        (*(Decimal(0),) * 5, *(Decimal(75),) * 4, *(Decimal(0),) * 3), 11, frozenset({10, 11}), by_period=True
    )
    export = version.export
    assert export is not None
    assert (export.netting, export.credit, export.reach) == (Netting.PRICE_PERIOD, CreditUnit.KWH, CreditReach.BILL)
    assert (export.expires_on, export.bucket_of("Winter"), export.largest_w) == ((3, 31), "day", 100_000)
    assert [p.price for p in export.prices] == [Decimal("0.03"), None]
    who = version.eligibility
    assert version.coverage is not None
    assert (version.coverage.fallback, version.coverage.flat_rate) == (Fallback.FLAT_PRICE, "flat")
    assert (who.least_w, who.most_w, who.interconnection) == (1500, 40_000, Interconnection.EXCLUDED)


def test_json_and_toml_say_the_same(whole: dict[str, Any]) -> None:
    assert _read(whole) == parse_rate(WHOLE.encode(), code="x")


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


REFUSED = {
    "versions[0].demand[Demand].unit": _set("versions", 0, "demand", 0, "unit", to="kVAR"),
    "versions[0].demand[Demand].alignment": _set("versions", 0, "demand", 0, "alignment", to="sideways"),
    "versions[0].demand[Demand].ratchet": _set("versions", 0, "demand", 0, "ratchet", "percents", to=[1] * 12),
    "versions[0].demand[Demand].ratchet.set_in[0]": _set("versions", 0, "demand", 0, "ratchet", "set_in", to=["June"]),
    "versions[0].demand[Demand].colour": _set("versions", 0, "demand", 0, "colour", to="red"),
    "versions[0].export.netting": _set("versions", 0, "export", "netting", to="hour"),
    "versions[0].export.prices[0].price": _set("versions", 0, "export", "prices", 0, "price", to="free"),
    "versions[0].export.prices[1].period": _set("versions", 0, "export", "prices", 1, "period", to="Autumn"),
    "versions[0].blocks.scope": _set("versions", 0, "blocks", to={"scope": "running"}),
    "versions[0].riders[FAC].values[0].value": _set("versions", 0, "riders", 0, "values", 0, "value", to="ten"),
    "versions[0].riders[FAC].values[1]": _set("versions", 0, "riders", 0, "values", 1, to={"from": "2026-02-01"}),
    "versions[0].riders[FAC].per": _set("versions", 0, "riders", 0, "per", to="moon"),
    "versions[0].riders[FAC].colour": _set("versions", 0, "riders", 0, "colour", to="blue"),
    "versions[0].seasons[summer].ranges[0][0]": _set("versions", 0, "seasons", 0, "ranges", 0, 0, to="02-30"),
    "versions[0].seasons[summer].days.every_day[0][1]": _set(
        "versions", 0, "seasons", 0, "days", "every_day", 0, 1, to="24:15"
    ),
    "versions[0].seasons[summer].days.every_day[0][2]": _set(
        "versions", 0, "seasons", 0, "days", "every_day", 0, 2, to="autumn"
    ),
    "versions[0].seasons": _set("versions", 0, "seasons", 0, "ranges", 0, 1, to="09-13"),
    "versions[0].periods[summer].blocks[0].price": _set(
        "versions", 0, "periods", "summer", "blocks", 0, "price", to="NaN"
    ),
    "versions[0].periods[Summer].blocks": _set("versions", 0, "periods", "summer", "blocks", 0, "up_to", to="-1"),
    "versions[0].effective_from": _set("versions", 0, "effective_from", to="soon"),
    "versions[0].rounding": _set("versions", 0, "rounding", "demand_step_w", to=0),
    "versions[0].coverage": _set("versions", 0, "coverage", "flat_rate", to=""),
    "versions[0].proration.rule": _set("versions", 0, "proration", "rule", to="by_mood"),
    "versions[0].taxes[GRT].of": _set("versions", 0, "taxes", 0, "of", to="energy"),
    "versions[0][GRT].of": _set("versions", 0, "taxes", 0, "of", to=["moon"]),
    "versions[0].holidays.rules[1]": _set("versions", 0, "holidays", "rules", 1, "nth", to=5),
    "versions[0].events[Critical peak].replaces[summer]": _set(
        "versions", 0, "events", 0, "replaces", "summer", to="nobody"
    ),
    "versions": _set("versions", to=[]),
    "code": _set("code", to=None),
    "versions[0].fixed[Customer charge].amount": _set("versions", 0, "fixed", 0, "amount", to=True),
}


@pytest.mark.parametrize(("clause", "change"), REFUSED.items(), ids=REFUSED)
def test_what_a_file_says_wrong_is_refused_by_its_path(
    whole: dict[str, Any], clause: str, change: Callable[[dict[str, Any]], None]
) -> None:
    change(whole)
    with pytest.raises(TariffError) as refused:
        _read(whole)
    assert refused.value.clause == clause


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RATES / "schema" / "openami-rate-2.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_the_shipped_schema_accepts_the_whole_file(schema: dict[str, Any], whole: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(_json(whole)), schema)


SAID_BY_SHAPE = (".per", ".colour", ".rule", "rules[1]", "[GRT].of", ".amount", "code", "versions")


@pytest.mark.parametrize("clause", [c for c in REFUSED if c.endswith(SAID_BY_SHAPE) and "][" not in c])
def test_the_schema_refuses_what_has_another_shape(schema: dict[str, Any], whole: dict[str, Any], clause: str) -> None:
    REFUSED[clause](whole)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(_json(whole)), schema)


@pytest.mark.parametrize("name", [f.name for f in RATES.iterdir() if f.name.startswith("ameren")])
def test_the_schema_accepts_every_shipped_rate_of_its_format(schema: dict[str, Any], name: str) -> None:
    document = json.loads((RATES / name).read_text())
    jsonschema.validate({**document, "format": "openami-rate/2"}, schema)


def test_a_file_of_the_first_format_reads_as_it_did_and_keeps_keys_that_it_may_have(whole: dict[str, Any]) -> None:
    first = copy.deepcopy(whole)
    first["format"] = "openami-rate/1"
    first["versions"][0]["remark"] = "ours"
    assert _read(first).versions == _read(whole).versions
    with pytest.raises(TariffError, match="remark"):
        _read({**first, "format": "openami-rate/2"})


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"a." * 120_000 + b"a = 1",
        b"a." * 5_000 + b"a = {" + b"b." * 5_000 + b"b = 1}",
        b"\xff",
        b"[[x]",
        b"a = ",
        b"{",
        b"[" * 100_000,
        b"a = " + b"[" * 100_000,
        b"x = inf",
        b"[1, 2]",
    ],
)
def test_what_is_no_rate_is_one_declared_error(octets: bytes) -> None:
    with pytest.raises(TariffError):
        parse_rate(octets, code="x")


def test_the_examples_of_the_page_on_rate_files_are_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "billing" / "rate-files.md").read_text()
    rate, values = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert parse_rate(rate.encode(), code="x").code == "example-smart"
    assert [row.code for row in parse_values(values.encode())] == ["FAC"]


WINTER = {"name": "Winter", "blocks": [{"price": "0.08"}]}


def _many(count: int, row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [row | {key: f"{key}{n}"} for n in range(count)]


@pytest.mark.parametrize(
    ("key", "clause", "make"),
    [
        ("periods", "versions[0].periods", lambda v: v["periods"] | dict.fromkeys(map(str, range(70)), WINTER)),
        ("seasons", "versions[0].seasons", lambda v: _many(30, v["seasons"][0], "name")),
        ("riders", "versions[0].riders", lambda v: _many(2001, v["riders"][0], "code")),
    ],
    ids=["prices", "seasons", "riders"],
)  # fmt: skip
def test_a_list_beyond_any_rate_sheet_is_refused(
    whole: dict[str, Any], key: str, clause: str, make: Callable[[dict[str, Any]], Any]
) -> None:
    version = whole["versions"][0]
    version[key] = make(version)
    with pytest.raises(TariffError, match="the most is") as refused:
        _read(whole)
    assert refused.value.clause == clause


def test_more_versions_than_a_century_needs_are_refused(whole: dict[str, Any]) -> None:
    whole["versions"] = whole["versions"] * 201
    with pytest.raises(TariffError, match="the most is 200"):
        _read(whole)
