"""A rate schedule in words for people who keep rates: prices, riders by date with their sources, and what is unsure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from openami.billing.statement.prices import amount, unit_price
from openami.billing.statement.words import rate_words
from openami.billing.tariff import RateSchedule, Tariff
from openami.billing.tariff.charge import DatedCharge, DatedValue, RiderUnit, Tax
from openami.billing.tariff.proration import ProrationRule

_UNSURE = ("open", "low", "assumed")
"""How the words of a confidence begin that a person should look at again."""


def summary(schedule: RateSchedule, day: date | None) -> dict[str, Any]:
    """Return a rate on a day (None: its newest version) in one row."""
    number = len(schedule.versions) - 1 if day is None else schedule.find_version(day)
    if number is None:
        return {
            "code": schedule.code, "name": schedule.name, "utility": schedule.utility, "in_force": False, "label": "",
            "effective_from": None, "effective_to": None, "not_known": [], "least_sure_of": [], "refused": [],
        }  # fmt: skip
    version = schedule.versions[number]
    return {
        "code": schedule.code,
        "name": schedule.name,
        "utility": schedule.utility,
        "in_force": True,
        "label": version.label,
        "effective_from": _text(version.effective_from),
        "effective_to": _text(version.effective_to),
        "not_known": [*(c.code for c, v in _in_force(version, day) if v.value is None), *_holidays_after(version)],
        "least_sure_of": [k for k, words in version.confidence.items() if words.startswith(_UNSURE)],
        "refused": [r.clause for r in version.refusals],
    }


def sheet(schedule: RateSchedule, day: date | None) -> list[tuple[str, list[str]]]:
    """Return a rate on a day (None: its newest version) as headings, each with lines.

    Raises:
        TariffError: no version is in force that day.
    """
    number = len(schedule.versions) - 1 if day is None else schedule.version_on(day)
    version = schedule.versions[number]
    words = rate_words(version, schedule.currency, on=day)
    found = [
        (f"{schedule.name} ({schedule.code}), {schedule.utility}", _dates(schedule, version)),
        ("Energy", [w.sentence for w in words.energy]),
        ("Demand", [w.sentence for w in words.demand]),
        ("Fixed and minimum charges", list(words.fixed)),
        ("Riders, credits and taxes", _dated(version, schedule.currency, day)),
        ("Rules", [*words.notes, *words.export, *_rules(version)]),
        ("Who may take it", _who(version)),
        ("Where the figures come from", _pairs(version.provenance)),
        ("How sure we are", _pairs(version.confidence)),
        ("Refused", [f"{r.clause}: {r.reason}" for r in version.refusals]),
    ]
    return [(heading, lines) for heading, lines in found if lines]


def _dates(schedule: RateSchedule, version: Tariff) -> list[str]:
    until = "" if version.effective_to is None else f" until before {version.effective_to}"
    begins = version.effective_from or "always"
    lines = [f"In force from {begins}{until}" + (f", {version.label}" if version.label else "")]
    others = [str(v.effective_from or "always") for v in schedule.versions if v is not version]
    return lines + ([f"Other versions from {', '.join(others)}"] if others else [])


def _in_force(version: Tariff, day: date | None) -> list[tuple[DatedCharge, DatedValue]]:
    """Return dated charges with the value in force on a day, or the newest."""
    found: list[tuple[DatedCharge, DatedValue]] = []
    for charge in (*version.riders, *version.credits, *version.taxes):
        index = len(charge.values) - 1 if day is None else charge.index_on(day)
        if index is not None:
            found.append((charge, charge.values[index]))
    return found


def _dated(version: Tariff, currency: str, day: date | None) -> list[str]:
    lines = []
    for charge, value in _in_force(version, day):
        where = f" in {charge.municipality}" if isinstance(charge, Tax) and charge.municipality else ""
        since = "" if value.effective_from is None else f" since {value.effective_from}"
        lines.append(f"{charge.code}, {charge.name}{where}: {_value(charge, value, currency)}{since}{_source(value)}")
        for other in charge.values:
            if other is not value:
                begins = other.effective_from or "the beginning"
                lines.append(f"    {_value(charge, other, currency)} from {begins}{_source(other)}")
    return lines


def _value(charge: DatedCharge, value: DatedValue, currency: str) -> str:
    if value.value is None:
        return "NOT KNOWN"
    if charge.unit is RiderUnit.PERCENT:
        return f"{value.value:f} % of {', '.join(charge.of) or 'the lines before it'}"
    if charge.unit in (RiderUnit.KWH, RiderUnit.KW):
        return f"{unit_price(value.value, currency)} per {charge.unit}"
    return f"{amount(value.value, currency)} per {charge.unit}"


def _source(value: DatedValue) -> str:
    said = "; ".join(w for w in (value.confidence, value.provenance) if w)
    return f" ({said})" if said else ""


def _rules(version: Tariff) -> list[str]:
    rule, rounding = version.proration, version.rounding
    usual = f" of {rule.least_days} to {rule.most_days} days" if rule.rule is ProrationRule.OUTSIDE_RANGE else ""
    rounds = (
        f"Energy {_words(rounding.energy)}, total {_words(rounding.total)}, "
        f"percentages of {_words(rounding.percent_of)} amounts"
    )
    return [
        f"Season by {_words(version.season_rule)}; new prices {_words(version.price_change)}",
        f"Blocks fill {_words(version.scope)}, in {_words(version.block_unit)}",
        f"Months by {_words(rule.rule)}{usual}",
        rounds,
    ]


def _holidays_after(version: Tariff) -> list[str]:
    years = version.holidays.years
    return [] if years is None else [f"holidays after {years[1]}"]


def _words(choice: str) -> str:
    return str(choice).replace("_", " ")


def _who(version: Tariff) -> list[str]:
    who = version.eligibility
    lines = [who.words] if who.words else []
    if who.least_w is not None or who.most_w is not None:
        low, high = (0 if who.least_w is None else who.least_w / 1000), who.most_w
        lines.append(f"Demand from {low:g} kW" + ("" if high is None else f" to {high / 1000:g} kW"))
    if who.least_year_wh is not None or who.most_year_wh is not None:
        low, high = (0 if who.least_year_wh is None else who.least_year_wh / 1000), who.most_year_wh
        lines.append(f"Use from {low:g} kWh a year" + ("" if high is None else f" to {high / 1000:g} kWh"))
    if who.classes:
        lines.append(f"Classes: {', '.join(sorted(who.classes))}")
    if who.meter_kinds:
        lines.append(f"Meters: {', '.join(sorted(who.meter_kinds))}")
    lines.append(f"Approved generation: {who.interconnection}")
    return lines


def _pairs(words: Mapping[str, str]) -> list[str]:
    return [f"{k}: {v}" for k, v in words.items()]


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
