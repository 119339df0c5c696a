"""Read a jurisdiction's file: TOML, ``openami-jurisdiction/1``. Unknown names, wrong types and gaps are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from openami.billing.jurisdiction.model import (
    Apportion,
    BillRules,
    Confidence,
    CorrectionRule,
    EstimateCause,
    EstimateRule,
    Jurisdiction,
    Origin,
    PeriodRule,
    ReadingRule,
    TrueUpRule,
)
from openami.kernel.errors import OpenAmiError
from openami.kernel.toml import TomlError, parse_toml

SCHEMA = "openami-jurisdiction/1"
MOST_OCTETS = 200_000
_TABLES: Mapping[str, Mapping[str, type]] = {
    "period": {"least_days": int, "most_days": int},
    "due": {"days": int},
    "estimate": {"causes": list, "most_in_a_row": int, "needs_notice": bool, "read_days": int, "warn_at": int},
    "true_up": {"apportion": str, "most_alone": str, "in_parts_over": str, "parts_a_period": int},
    "reading": {"display_wh": int, "register_share": str, "least_actual_share": str, "demand_left_out": str},
    "correction": {
        "over_periods": int, "under_periods": int, "tampering_periods": int, "installment_factor": int,
        "tolerance_wh": int, "tolerance_money": str,
    },
}  # fmt: skip
_OPTIONAL = {"over_periods", "under_periods", "tampering_periods"}
"""A look-back that is absent has no limit."""
_ADDED = {"reading"}
"""Tables that files of before do not have: what is shipped holds there, and says so."""
_MOST = 1_000_000
_MONEY = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")


class JurisdictionError(OpenAmiError):
    """A jurisdiction's file cannot be read; the text names the place."""


@cache
def shipped_jurisdiction() -> Jurisdiction:
    """Return the one that is shipped."""
    place = files("openami.billing.jurisdiction") / "missouri.toml"
    return parse_jurisdiction(place.read_bytes(), name="missouri.toml")


def load_jurisdiction(path: Path | None) -> Jurisdiction:
    """Return the jurisdiction of a file, or the shipped one where there is none.

    Raises:
        JurisdictionError: the file cannot be read.
    """
    if path is None or not path.exists():
        return shipped_jurisdiction()
    return parse_jurisdiction(path.read_bytes(), name=path.name)


def parse_jurisdiction(octets: bytes, *, name: str) -> Jurisdiction:
    """Return what a file says.

    Raises:
        JurisdictionError: it is none.
    """
    try:
        told = parse_toml(octets, limit_octets=MOST_OCTETS)
    except TomlError as error:
        raise JurisdictionError(f"{name}: {error}") from error
    if told.get("schema") != SCHEMA:
        raise JurisdictionError(f"{name}: schema is {told.get('schema')!r}, it must be {SCHEMA!r}")
    _require_only(told, {"schema", "code", "name", "rules"}, name)
    rules = told.get("rules")
    if not isinstance(rules, list) or not rules:
        raise JurisdictionError(f"{name}: [[rules]] must be there at least once")
    versions = tuple(_rules(r, f"{name}: rules[{n}]") for n, r in enumerate(rules))
    dates = [v.effective_from or date.min for v in versions]
    if sorted(set(dates)) != dates:
        raise JurisdictionError(f"{name}: rules must stand in order of `from`, each day once")
    return Jurisdiction(_text(told, "code", name), _text(told, "name", name), versions)


def _rules(row: object, place: str) -> BillRules:
    if not isinstance(row, dict):
        raise JurisdictionError(f"{place}: a table must stand here")
    _require_only(row, {"from", *_TABLES}, place)
    start = row.get("from")
    if start is not None and (not isinstance(start, date)):
        raise JurisdictionError(f"{place}.from: a date must stand here, as 2026-01-31")
    lacks = {t for t in _ADDED if t not in row}
    cells = {table: _table(row, table, place) for table in _TABLES if table not in lacks}
    origins = {table: _origin(row[table], f"{place}.{table}") for table in cells}
    if lacks:
        usual = shipped_jurisdiction().versions[-1]
        told = usual.origins["reading"]
        reading = usual.reading
        origins["reading"] = Origin(f"not in {place.partition(':')[0]}, so as shipped: {told.clause}", told.confidence)
    else:
        reading = _reading(cells["reading"], f"{place}.reading")
    period = PeriodRule(cells["period"]["least_days"], cells["period"]["most_days"])
    if not 1 <= period.least_days <= period.most_days <= 400:
        raise JurisdictionError(f"{place}.period: {period.least_days} to {period.most_days} days is no range")
    return BillRules(
        start,
        period,
        _estimate(cells["estimate"], f"{place}.estimate"),
        _correction(cells["correction"], f"{place}.correction"),
        _true_up(cells["true_up"], f"{place}.true_up"),
        reading,
        cells["due"]["days"],
        origins,
    )


def _table(row: Mapping[str, Any], table: str, place: str) -> dict[str, Any]:
    found = row.get(table)
    where = f"{place}.{table}"
    if not isinstance(found, dict):
        raise JurisdictionError(f"{where}: this table is missing")
    wanted = _TABLES[table]
    _require_only(found, {*wanted, "clause", "confidence"}, where)
    for name, kind in wanted.items():
        value = found.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if type(value) is not kind or (isinstance(value, int) and not 0 <= value <= _MOST):
            raise JurisdictionError(f"{where}.{name}: {value!r} is no {kind.__name__} (whole numbers: 0 to {_MOST})")
    return {name: found.get(name) for name in wanted}


def _correction(cells: Mapping[str, Any], place: str) -> CorrectionRule:
    if not _MONEY.fullmatch(cells["tolerance_money"]):
        raise JurisdictionError(f'{place}.tolerance_money: {cells["tolerance_money"]!r} is no amount, as "1.00"')
    return CorrectionRule(**(dict(cells) | {"tolerance_money": Decimal(cells["tolerance_money"])}))


def _true_up(cells: Mapping[str, Any], place: str) -> TrueUpRule:
    if cells["apportion"] not in {a.value for a in Apportion}:
        known = ", ".join(a.value for a in Apportion)
        raise JurisdictionError(f"{place}.apportion: {cells['apportion']!r} is not one of {known}")
    for name in ("most_alone", "in_parts_over"):
        if not _MONEY.fullmatch(cells[name]):
            raise JurisdictionError(f'{place}.{name}: {cells[name]!r} is no decimal number, as "0.50"')
    return TrueUpRule(
        Apportion(cells["apportion"]), Decimal(cells["most_alone"]), Decimal(cells["in_parts_over"]),
        cells["parts_a_period"],
    )  # fmt: skip


def _reading(cells: Mapping[str, Any], place: str) -> ReadingRule:
    shares = {}
    for name in ("register_share", "least_actual_share", "demand_left_out"):
        if not _MONEY.fullmatch(cells[name]) or Decimal(cells[name]) > 1:
            raise JurisdictionError(f'{place}.{name}: {cells[name]!r} is no share from 0 to 1, as "0.005"')
        shares[name] = Decimal(cells[name])
    return ReadingRule(cells["display_wh"], **shares)


def _estimate(cells: Mapping[str, Any], place: str) -> EstimateRule:
    try:
        causes = frozenset(EstimateCause(c) for c in cells["causes"])
    except ValueError as error:
        known = ", ".join(c.value for c in EstimateCause)
        raise JurisdictionError(f"{place}.causes: {error}; one of {known}") from error
    return EstimateRule(causes, cells["most_in_a_row"], cells["needs_notice"], cells["read_days"], cells["warn_at"])


def _origin(table: Mapping[str, Any], place: str) -> Origin:
    told = table.get("confidence")
    if told not in {c.value for c in Confidence}:
        known = ", ".join(c.value for c in Confidence)
        raise JurisdictionError(f"{place}.confidence: {told!r} is not one of {known}")
    return Origin(_text(table, "clause", place), Confidence(told))


def _text(table: Mapping[str, Any], name: str, place: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 300:
        raise JurisdictionError(f"{place}.{name}: a text must stand here")
    return value


def _require_only(table: Mapping[str, Any], known: set[str], place: str) -> None:
    strange = sorted(set(table) - known)
    if strange:
        raise JurisdictionError(f"{place}: {strange[0]!r} is not one of {', '.join(sorted(known))}")
