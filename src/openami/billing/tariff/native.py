"""Read a rate from our own file format, which can say what URDB cannot: minutes, holidays, versions, block scope.

The format is shown by the files in ``openami/billing/rates``. Prices are decimal text. Periods are named; the days of
a season are ``weekday``, ``weekend``, ``every_day``, a day's name, or ``holiday`` (a Sunday where it is left out).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import (
    HOLIDAY,
    Block,
    BlockScope,
    BlockUnit,
    DayPlan,
    PricePeriod,
    WeekPlan,
    Window,
    can_be_price,
)
from openami.billing.tariff.season import Season, SeasonRule
from openami.kernel.holiday import KNOWN, HolidayList, HolidayRule, Observance

FORMAT = "openami-rate/1"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holiday")
_GROUPS = {"every_day": range(7), "weekday": range(5), "weekend": range(5, 7)}


def read_native(document: Mapping[str, Any]) -> RateSchedule:
    """Return the rate of one of our own files.

    Raises:
        TariffError: a clause is missing or malformed.
    """
    try:
        versions = tuple(_version(f"versions[{i}]", v) for i, v in enumerate(document["versions"]))
        if not versions:
            raise TariffError("versions", "at least one version is needed")
        return RateSchedule(
            str(document["code"]), str(document["name"]), str(document.get("utility", "")),
            str(document.get("currency", "USD")), versions,
        )  # fmt: skip
    except KeyError as error:
        raise TariffError(str(error.args[0])[:80], "this clause is missing") from error
    except (TypeError, AttributeError, ValueError, InvalidOperation, IndexError) as error:
        raise TariffError("file", f"a clause has another shape than the format: {str(error)[:120]}") from error


def _version(clause: str, row: Mapping[str, Any]) -> Tariff:
    names = list(row["periods"])
    demand = tuple(_demand(d) for d in row.get("demand", []))
    demand_names = [list(d["periods"]) for d in row.get("demand", [])]
    seasons = tuple(_season(f"{clause}.seasons[{i}]", s, names, demand_names) for i, s in enumerate(row["seasons"]))
    blocks = row.get("blocks", {})
    minimum = row.get("minimum")
    return Tariff(
        periods=tuple(_period(row["periods"][n]) for n in names),
        seasons=seasons,
        effective_from=_date(row.get("effective_from")),
        effective_to=_date(row.get("effective_to")),
        scope=BlockScope(blocks.get("scope", BlockScope.MONTH_POOLED)),
        block_unit=BlockUnit(blocks.get("unit", BlockUnit.KWH)),
        season_rule=SeasonRule(row.get("season_rule", SeasonRule.CALENDAR_DAY)),
        fixed=tuple(_fixed(f) for f in row.get("fixed", [])),
        minimum=None if minimum is None else _minimum(minimum),
        demand=demand,
        holidays=_holidays(row.get("holidays", {})),
        provenance={str(k): str(v) for k, v in row.get("provenance", {}).items()},
        confidence={str(k): str(v) for k, v in row.get("confidence", {}).items()},
    )


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _period(row: Mapping[str, Any]) -> PricePeriod:
    blocks = tuple(Block(_price(b["price"]), _edge(b.get("up_to"))) for b in row["blocks"])
    return PricePeriod(str(row["name"]), blocks)


def _price(text: object) -> Decimal:
    value = Decimal(str(text))
    if not can_be_price(value):
        raise TariffError("price", f"{str(text)[:20]!r} is not a price")
    return value


def _edge(text: object) -> Decimal | None:
    return None if text is None else _price(text)


def _fixed(row: Mapping[str, Any]) -> FixedCharge:
    return FixedCharge(str(row["name"]), _price(row["amount"]), ChargeUnit(row.get("per", ChargeUnit.MONTH)))


def _minimum(row: Mapping[str, Any]) -> MinimumCharge:
    return MinimumCharge(str(row["name"]), _price(row["amount"]), ChargeUnit(row.get("per", ChargeUnit.MONTH)))


def _demand(row: Mapping[str, Any]) -> DemandCharge:
    window = row.get("window_minutes")
    periods = tuple(_period(p) for p in row["periods"].values())
    return DemandCharge(str(row["name"]), None if window is None else int(window), periods)


def _season(clause: str, row: Mapping[str, Any], names: list[str], demand_names: list[list[str]]) -> Season:
    demand = tuple(
        _week(f"{clause}.demand[{i}]", plan, demand_names[i]) for i, plan in enumerate(row.get("demand", []))
    )
    return Season(str(row["name"]), frozenset(int(m) for m in row["months"]), _week(clause, row["days"], names), demand)


def _week(clause: str, row: Mapping[str, Any], names: list[str]) -> WeekPlan:
    plans: dict[int, DayPlan] = {}
    for group, indexes in _GROUPS.items():
        if group in row:
            plans |= dict.fromkeys(indexes, _plan(f"{clause}.{group}", row[group], names))
    for index, name in enumerate(_DAYS):
        if name in row:
            plans[index] = _plan(f"{clause}.{name}", row[name], names)
    unknown = set(row) - set(_GROUPS) - set(_DAYS)
    missing = [n for i, n in enumerate(_DAYS[:HOLIDAY]) if i not in plans]
    if unknown or missing:
        raise TariffError(clause, f"days not priced {missing}, days not known {sorted(unknown)}")
    plans.setdefault(HOLIDAY, plans[HOLIDAY - 1])
    return tuple(plans[i] for i in range(HOLIDAY + 1))


def _plan(clause: str, rows: list[list[str]], names: list[str]) -> DayPlan:
    windows = []
    for start, end, name in rows:
        if name not in names:
            raise TariffError(clause, f"period {name!r} has no price")
        windows.append(Window(_minute(start), _minute(end), names.index(name)))
    return tuple(windows)


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def _holidays(row: Mapping[str, Any]) -> HolidayList:
    rules = []
    for rule in row.get("rules", []):
        if isinstance(rule, str):
            if rule not in KNOWN:
                raise TariffError("holidays.rules", f"{rule!r} is not one of {sorted(KNOWN)}")
            rules.append(KNOWN[rule])
        else:
            rules.append(HolidayRule(**rule))
    dates = frozenset(date.fromisoformat(d) for d in row.get("dates", []))
    return HolidayList(tuple(rules), dates, Observance(row.get("observance", Observance.ACTUAL_DAY)))
