"""Read a rate from our own file format, which can say what URDB cannot: minutes, holidays, versions, riders, taxes.

``openami-rate/2`` is described by ``openami/billing/rates/schema/openami-rate-2.schema.json`` and by
``docs/billing/rate-files.md``, and may be JSON or TOML.
``openami-rate/1`` is the same format before riders; its files read as they did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openami.billing.tariff.agreement import MOST_VERSIONS
from openami.billing.tariff.clause import Clause
from openami.billing.tariff.eligibility import Eligibility
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.native_charge import (
    read_credit,
    read_fixed,
    read_minimum,
    read_rider,
    read_tax,
)
from openami.billing.tariff.native_demand import read_demand
from openami.billing.tariff.native_export import read_export
from openami.billing.tariff.native_price import read_event, read_period, read_season
from openami.billing.tariff.native_rule import (
    read_blocks,
    read_coverage,
    read_eligibility,
    read_holidays,
    read_proration,
    read_refusal,
    read_rounding,
)
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.proration import PriceChange, Proration
from openami.billing.tariff.rounding import Rounding
from openami.billing.tariff.season import SeasonRule
from openami.kernel.holiday import HolidayList

FORMAT = "openami-rate/2"
FIRST_FORMAT = "openami-rate/1"
FORMATS = (FIRST_FORMAT, FORMAT)


def read_native(document: Mapping[str, Any]) -> RateSchedule:
    """Return the rate of one of our own files (numbers parsed as Decimal).

    Raises:
        TariffError: a clause is missing, malformed or not one of the format; it is named by its path.
    """
    root = Clause("", document, strict=document.get("format") != FIRST_FORMAT)
    root.at("format").text()
    rows = root.at("versions").items()
    if not 0 < len(rows) <= MOST_VERSIONS:
        raise TariffError("versions", f"there are {len(rows)}; at least one is needed, and the most is {MOST_VERSIONS}")
    versions = tuple(_version(v) for v in rows)
    schedule = RateSchedule(
        root.at("code").text(), root.at("name").text(), root.get("utility", Clause.text, ""),
        root.get("currency", _currency, "USD"), versions,
    )  # fmt: skip
    root.close()
    return schedule


def _currency(clause: Clause) -> str:
    code = clause.text()
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise clause.refuse(f"{code[:10]!r} is no currency; three capital letters are, as USD")
    return code


def _version(row: Clause) -> Tariff:
    periods = {key: read_period(p) for key, p in row.at("periods").pairs()}
    names = list(periods)
    demand = [read_demand(d) for d in row.each("demand", named="name")]
    seasons = tuple(read_season(s, names, [d[1] for d in demand]) for s in row.each("seasons", named="name"))
    scope, unit = row.get("blocks", read_blocks, (BlockScope.MONTH_POOLED, BlockUnit.KWH))
    fields: dict[str, Any] = {
        "periods": tuple(periods.values()),
        "seasons": seasons,
        "effective_from": row.get("effective_from", lambda c: c.day(), None),
        "effective_to": row.get("effective_to", lambda c: c.day(), None),
        "scope": scope,
        "block_unit": unit,
        "season_rule": row.get("season_rule", lambda c: c.word(SeasonRule), SeasonRule.CALENDAR_DAY),
        "fixed": tuple(read_fixed(f) for f in row.each("fixed", named="name")),
        "minimum": row.get("minimum", read_minimum, None),
        "demand": tuple(d[0] for d in demand),
        "holidays": row.get("holidays", read_holidays, HolidayList()),
        "provenance": row.map_at("provenance"),
        "confidence": row.map_at("confidence"),
        "label": row.get("label", Clause.text, ""),
        "riders": tuple(read_rider(r) for r in row.each("riders", named="code")),
        "taxes": tuple(read_tax(t) for t in row.each("taxes", named="code")),
        "credits": tuple(read_credit(c) for c in row.each("credits", named="code")),
        "events": tuple(read_event(e, names) for e in row.each("events", named="name")),
        "proration": row.get("proration", read_proration, Proration()),
        "price_change": row.get("price_change", lambda c: c.word(PriceChange), PriceChange.BY_DAY),
        "rounding": row.get("rounding", read_rounding, Rounding()),
        "eligibility": row.get("eligibility", read_eligibility, Eligibility()),
        "export": row.get("export", read_export, None),
        "coverage": row.get("coverage", read_coverage, None),
        "year_ends_month": row.get("year_ends_month", Clause.whole, 12),
        "refusals": tuple(read_refusal(r) for r in row.each("refusals")),
    }
    row.close()
    return _agreed(row.path, fields)


def _agreed(path: str, fields: Mapping[str, Any]) -> Tariff:
    """Make the version; what does not agree in it is named from the file's root."""
    try:
        return Tariff(**fields)
    except TariffError as error:
        dot = "" if error.clause.startswith("[") else "."
        raise TariffError(f"{path}{dot}{error.clause}", error.reason) from error
