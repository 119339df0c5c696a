"""Demand charges of a URDB record: monthly, by time of use, at the system's peak, and their ratchets.

A ratchet is said as ``lookbackpercent`` with ``lookbackrange`` or ``lookbackmonths`` (version 8), or as
``demandratchetpercentage`` by month (versions 3 to 7). Both are fractions; a number above one is taken as a percentage,
because no ratchet is of less than one percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from openami.billing.tariff.demand import CoincidentRule, DemandCharge
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.price import PricePeriod
from openami.billing.tariff.ratchet import Ratchet
from openami.billing.tariff.urdb_calendar import Rows
from openami.billing.tariff.urdb_value import as_whole, is_present, read_number, read_schedule, read_structure

_YEAR = 11
"""Months before the bill's own that make a year with it."""


def read_demands(document: Mapping[str, Any]) -> list[tuple[DemandCharge, Rows]]:
    """Return each demand charge with its month-by-hour tables.

    Raises:
        TariffError: a table is missing, a unit is not kW, or reactive power is charged.
    """
    if is_present(document.get("demandreactivepowercharge")):
        raise TariffError("demandreactivepowercharge", "reactive power is not measured here, so it cannot be billed")
    minutes = _window(document)
    found: list[tuple[DemandCharge, Rows]] = []
    if is_present(document.get("flatdemandstructure")):
        found.append(_flat(document, minutes))
    if is_present(document.get("demandratestructure")):
        periods = _priced(document, "demandratestructure", "demandrateunit", "demand")
        both = [read_schedule(document, f"demand{k}schedule", len(periods)) for k in ("weekday", "weekend")]
        found.append((DemandCharge("Time-of-use demand", minutes, periods), (both[0], both[1])))
    ratchet = _ratchet(document)
    if ratchet is not None and not found:
        raise TariffError(_ratchet_clause(document), "a ratchet holds up demand, and the record has no demand charge")
    found = [(replace(charge, ratchet=ratchet), rows) for charge, rows in found]
    if is_present(document.get("coincidentratestructure")):
        periods = _priced(document, "coincidentratestructure", "coincidentrateunit", "demand at the system's peak")
        rows = read_schedule(document, "coincidentrateschedule", len(periods))
        charge = DemandCharge("Coincident demand", minutes, periods, coincident=CoincidentRule.HIGHEST)
        found.append((charge, (rows, rows)))
    return found


def _flat(document: Mapping[str, Any], minutes: int | None) -> tuple[DemandCharge, Rows]:
    periods = _priced(document, "flatdemandstructure", "flatdemandunit", "demand")
    months = document.get("flatdemandmonths")
    if not isinstance(months, list) or len(months) != 12:
        raise TariffError("flatdemandmonths", "12 months are needed")
    table = {"flatdemandmonths": [[as_whole(m)] * 24 for m in months]}
    rows = read_schedule(table, "flatdemandmonths", len(periods))
    return DemandCharge("Demand", minutes, periods), (rows, rows)


def _window(document: Mapping[str, Any]) -> int | None:
    window = document.get("demandwindow")
    if window is None:
        return None
    minutes = read_number("demandwindow", window)
    if minutes != int(minutes) or minutes <= 0:
        raise TariffError("demandwindow", f"{minutes} is no number of minutes")
    return int(minutes)


def _priced(document: Mapping[str, Any], structure: str, unit: str, word: str) -> tuple[PricePeriod, ...]:
    stated = document.get(unit, "kW")
    if stated != "kW":
        raise TariffError(unit, f"demand in {str(stated)[:20]!r} cannot be billed; kW can")
    units = {b.get("unit", "kW") for blocks in _lists(document[structure]) for b in _dicts(blocks)}
    if units - {"kW", None, ""}:
        raise TariffError(f"{structure}.unit", f"blocks in {sorted(map(str, units))} cannot be billed; kW can")
    prices = read_structure(document, structure)
    return tuple(PricePeriod(f"{word} {i + 1}" if len(prices) > 1 else word, b) for i, b in enumerate(prices))


def _lists(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [b for b in _lists(value) if isinstance(b, dict)]


def _ratchet_clause(document: Mapping[str, Any]) -> str:
    return "lookbackpercent" if is_present(document.get("lookbackpercent")) else "demandratchetpercentage"


def _ratchet(document: Mapping[str, Any]) -> Ratchet | None:
    old, new = document.get("demandratchetpercentage"), document.get("lookbackpercent")
    if is_present(old) and is_present(new):
        raise TariffError("demandratchetpercentage", "lookbackpercent says another ratchet; keep one of them")
    if is_present(old):
        if not isinstance(old, list) or len(old) != 12:
            raise TariffError("demandratchetpercentage", "12 months are needed")
        return Ratchet(tuple(_percents("demandratchetpercentage", old)), _YEAR)
    if not is_present(new):
        return None
    percent = _percents("lookbackpercent", [new])[0]
    months = document.get("lookbackmonths")
    range_ = document.get("lookbackrange")
    if is_present(months) and (not isinstance(months, list) or len(months) != 12):
        raise TariffError("lookbackmonths", "12 months are needed")
    if not is_present(months) and not is_present(range_):
        raise TariffError("lookbackrange", "how many months are looked back is not said, nor which months count")
    named = [bool(m) for m in months] if isinstance(months, list) and is_present(months) else [True] * 12
    back = int(read_number("lookbackrange", range_)) if is_present(range_) else _YEAR
    return Ratchet(tuple(percent if m else Decimal(0) for m in named), back)


def _percents(clause: str, values: list[Any]) -> list[Decimal]:
    numbers = [read_number(clause, value) for value in values]
    if any(not 0 <= n <= 100 for n in numbers):
        raise TariffError(clause, "a part of 0 to 1, or a percentage up to 100, is needed")
    return [n * 100 for n in numbers] if max(numbers) <= 1 else numbers
