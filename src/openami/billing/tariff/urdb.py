"""Read a rate from URDB v8 JSON: the subset that we can bill exactly; the rest is refused by the name of its clause.

URDB holds prices by hour and month, zero-based period numbers, no holidays and no minutes. Two keys of our data sets
are read as well: ``x_holidays`` with ``x_holiday_policy``, and ``x_fixed_parts``. ``x_tier_scope`` may name a scope.

Source: NREL URDB v8 field list; traps in the converters of others (unit columns filled by default, periods without
price, schedules that point past the prices) are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, cast

from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import (
    Block,
    BlockScope,
    BlockUnit,
    DayPlan,
    PricePeriod,
    WeekPlan,
    Window,
    can_be_price,
)
from openami.billing.tariff.season import Season
from openami.kernel.holiday import KNOWN, HolidayList, Observance

MAX_PERIODS = 64
MAX_BLOCKS = 32
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_Row = tuple[int, ...]
_REFUSED = {
    "coincidentratestructure": "demand at the system's peak needs the system's peak hours",
    "demandreactivepowercharge": "reactive power is not billed",
    "demandratchetpercentage": "demand ratchets are not billed",
    "lookbackpercent": "demand look-back is not billed",
    "annualmincharge": "a yearly minimum cannot be billed month by month",
}


def read_urdb(document: Mapping[str, Any], *, code: str) -> RateSchedule:
    """Return the rate of one URDB record (numbers parsed as Decimal).

    Raises:
        TariffError: a clause is missing, malformed or not one that we can bill exactly.
    """
    for key, reason in _REFUSED.items():
        if _is_present(document.get(key)):
            raise TariffError(key, reason)
    energy = _structure(document, "energyratestructure")
    unit = _block_unit(document["energyratestructure"])
    weekday, weekend = (_schedule(document, f"energy{k}schedule", len(energy)) for k in ("weekday", "weekend"))
    demands = _demands(document)
    seasons = _seasons(weekday, weekend, [d[1] for d in demands])
    tariff = Tariff(
        periods=_named(energy, seasons),
        seasons=seasons,
        effective_from=_date(document, "startdate"),
        effective_to=_date(document, "enddate"),
        scope=_scope(document),
        block_unit=unit,
        fixed=_fixed(document),
        minimum=_minimum(document),
        demand=tuple(d[0] for d in demands),
        holidays=_holidays(document),
        provenance={"format": "URDB v8", "source": str(document.get("source", ""))[:500]},
        confidence=_confidence(document),
    )
    name = str(document.get("name") or code)[:200]
    return RateSchedule(code, name, str(document.get("utility", ""))[:200], "USD", (tariff,))


def _is_present(value: object) -> bool:
    """Tell whether a field says something: URDB fills lists of zeros by default."""
    if isinstance(value, list):
        return any(_is_present(v) for v in value)
    if isinstance(value, dict):
        return any(_is_present(v) for v in value.values())
    return bool(value)


def _number(clause: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TariffError(clause, f"{str(value)[:40]!r} is not a number")
    number = Decimal(value)
    if not can_be_price(number):
        raise TariffError(clause, "the number is outside what a price can be")
    return number


def _structure(document: Mapping[str, Any], clause: str) -> tuple[tuple[Block, ...], ...]:
    periods = document.get(clause)
    if not isinstance(periods, list) or not 0 < len(periods) <= MAX_PERIODS:
        raise TariffError(clause, f"a list of 1 to {MAX_PERIODS} periods is needed")
    return tuple(_blocks(f"{clause}[{p}]", blocks) for p, blocks in enumerate(periods))


def _blocks(clause: str, blocks: object) -> tuple[Block, ...]:
    if not isinstance(blocks, list) or not 0 < len(blocks) <= MAX_BLOCKS:
        raise TariffError(clause, f"a list of 1 to {MAX_BLOCKS} blocks is needed")
    found = []
    for index, block in enumerate(blocks):
        here = f"{clause}[{index}]"
        if not isinstance(block, dict) or ("rate" not in block and "adj" not in block):
            raise TariffError(here, "a block without a price")
        price = _number(f"{here}.rate", block.get("rate", 0)) + _number(f"{here}.adj", block.get("adj", 0))
        last = index == len(blocks) - 1
        edge = None if last or block.get("max") is None else _number(f"{here}.max", block["max"])
        found.append(Block(price, edge))
    return tuple(found)


def _block_unit(periods: Sequence[Sequence[Mapping[str, Any]]]) -> BlockUnit:
    """One unit for all edges; a unit on blocks without an edge is only URDB's default."""
    units = {str(b.get("unit", "kWh")) for blocks in periods for b in blocks if len(blocks) > 1}
    if not units:
        return BlockUnit.KWH
    if len(units) > 1 or next(iter(units)) not in set(BlockUnit):
        raise TariffError("energyratestructure.unit", f"{sorted(units)} cannot be billed; kWh or kWh daily can")
    return BlockUnit(next(iter(units)))


def _schedule(document: Mapping[str, Any], clause: str, periods: int) -> tuple[_Row, ...]:
    rows = document.get(clause)
    if not isinstance(rows, list) or len(rows) != 12 or any(not isinstance(r, list) or len(r) != 24 for r in rows):
        raise TariffError(clause, "12 months of 24 hours are needed")
    for month, row in enumerate(rows):
        for hour, period in enumerate(row):
            if not isinstance(period, int) or isinstance(period, bool) or not 0 <= period < periods:
                raise TariffError(f"{clause}[{month}][{hour}]", f"{str(period)[:20]} has no price; there are {periods}")
    return tuple(tuple(r) for r in rows)


_Rows = tuple[tuple[_Row, ...], tuple[_Row, ...]]


def _demands(document: Mapping[str, Any]) -> list[tuple[DemandCharge, _Rows]]:
    window = document.get("demandwindow")
    minutes = None if window is None else int(_number("demandwindow", window))
    found: list[tuple[DemandCharge, _Rows]] = []
    if _is_present(document.get("flatdemandstructure")):
        _require_kw(document, "flatdemandunit")
        periods = _structure(document, "flatdemandstructure")
        months = document.get("flatdemandmonths")
        if not isinstance(months, list) or len(months) != 12:
            raise TariffError("flatdemandmonths", "12 months are needed")
        rows = _schedule({"flatdemandmonths": [[_whole(m)] * 24 for m in months]}, "flatdemandmonths", len(periods))
        found.append((DemandCharge("Demand", minutes, _plain(periods, "demand")), (rows, rows)))
    if _is_present(document.get("demandratestructure")):
        _require_kw(document, "demandrateunit")
        periods = _structure(document, "demandratestructure")
        both = [_schedule(document, f"demand{k}schedule", len(periods)) for k in ("weekday", "weekend")]
        found.append((DemandCharge("Time-of-use demand", minutes, _plain(periods, "demand")), (both[0], both[1])))
    return found


def _whole(value: object) -> object:
    """Old records write months as 0.0."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _require_kw(document: Mapping[str, Any], clause: str) -> None:
    unit = document.get(clause, "kW")
    if unit != "kW":
        raise TariffError(clause, f"demand in {str(unit)[:20]!r} cannot be billed; kW can")


def _plain(periods: tuple[tuple[Block, ...], ...], word: str) -> tuple[PricePeriod, ...]:
    return tuple(PricePeriod(f"{word} {i + 1}" if len(periods) > 1 else word, b) for i, b in enumerate(periods))


def _seasons(weekday: tuple[_Row, ...], weekend: tuple[_Row, ...], demands: list[_Rows]) -> tuple[Season, ...]:
    """Months whose rows are equal everywhere are one season, in order of their first month."""

    def key(month: int) -> tuple[_Row, ...]:
        return (weekday[month], weekend[month], *(rows[month] for pair in demands for rows in pair))

    groups: dict[tuple[_Row, ...], list[int]] = {}
    for month in range(12):
        groups.setdefault(key(month), []).append(month)
    return tuple(
        Season(
            _season_name(months),
            frozenset(m + 1 for m in months),
            _week(rows[0], rows[1]),
            tuple(_week(rows[i], rows[i + 1]) for i in range(2, len(rows), 2)),
        )
        for rows, months in groups.items()
    )


def _week(weekday: _Row, weekend: _Row) -> WeekPlan:
    """Monday to Friday, Saturday and Sunday, and the holiday, which bills like a weekend."""
    return (_plan(weekday),) * 5 + (_plan(weekend),) * 3


def _plan(row: _Row) -> DayPlan:
    windows, hour = [], 0
    for period, run in groupby(row):
        length = len(list(run))
        windows.append(Window(hour * 60, (hour + length) * 60, period))
        hour += length
    return tuple(windows)


def _season_name(months: list[int]) -> str:
    """Name months as people do: ``Jun-Sep``, ``Oct-May`` across the year's end, or ``all year``."""
    if len(months) == 12:
        return "all year"
    starts = [m for m in months if (m - 1) % 12 not in months]
    parts = []
    for start in starts:
        end = start
        while (end + 1) % 12 in months:
            end = (end + 1) % 12
        parts.append(MONTH_NAMES[start] if end == start else f"{MONTH_NAMES[start]}-{MONTH_NAMES[end]}")
    return ", ".join(parts)


def _named(prices: tuple[tuple[Block, ...], ...], seasons: tuple[Season, ...]) -> tuple[PricePeriod, ...]:
    """Name each period by its season and its rank of price there: on-peak is the dearest."""
    names: dict[int, str] = {}
    for season in seasons:
        used = sorted({w.period for plan in season.energy for w in plan}, key=lambda p: -prices[p][0].price)
        words = {1: ["all hours"], 2: ["on-peak", "off-peak"], 3: ["on-peak", "mid-peak", "off-peak"]}.get(
            len(used), [f"period {i + 1}" for i in range(len(used))]
        )
        for period, word in zip(used, words, strict=True):
            place = f"{season.name} {word}"
            names[period] = f"{names[period]} / {place}" if period in names else place
    return tuple(PricePeriod(names.get(i, f"unused {i}"), blocks) for i, blocks in enumerate(prices))


def _scope(document: Mapping[str, Any]) -> BlockScope:
    text = str(document.get("x_block_scope", BlockScope.MONTH_POOLED))
    try:
        return BlockScope(text)
    except ValueError as error:
        raise TariffError("x_block_scope", f"{text[:40]!r} is not one of {[s.value for s in BlockScope]}") from error


def _charge_unit(document: Mapping[str, Any], clause: str) -> ChargeUnit:
    text = document.get(clause, "$/month")
    units = {"$/month": ChargeUnit.MONTH, "$/day": ChargeUnit.DAY}
    if text not in units:
        raise TariffError(clause, f"{str(text)[:20]!r} cannot be billed month by month; $/month or $/day can")
    return units[cast("str", text)]


def _fixed(document: Mapping[str, Any]) -> tuple[FixedCharge, ...]:
    if _is_present(document.get("fixedmonthlycharge")):
        return (FixedCharge("Customer charge", _number("fixedmonthlycharge", document["fixedmonthlycharge"])),)
    if not _is_present(document.get("fixedchargefirstmeter")):
        return ()
    amount = _number("fixedchargefirstmeter", document["fixedchargefirstmeter"])
    unit = _charge_unit(document, "fixedchargeunits")
    parts = document.get("x_fixed_parts")
    if not isinstance(parts, dict) or not parts:
        return (FixedCharge("Customer charge", amount, unit),)
    charges = tuple(
        FixedCharge(str(k)[:1].upper() + str(k)[1:80], _number("x_fixed_parts", v), unit) for k, v in parts.items()
    )
    if sum(c.amount for c in charges) != amount:
        raise TariffError("x_fixed_parts", f"the parts do not add up to fixedchargefirstmeter {amount}")
    return charges


def _minimum(document: Mapping[str, Any]) -> MinimumCharge | None:
    for amount, unit in (("mincharge", "minchargeunits"), ("minmonthlycharge", "")):
        if _is_present(document.get(amount)):
            kind = _charge_unit(document, unit) if unit else ChargeUnit.MONTH
            return MinimumCharge("Minimum charge", _number(amount, document[amount]), kind)
    return None


def _holidays(document: Mapping[str, Any]) -> HolidayList:
    names = document.get("x_holidays") or []
    if document.get("x_holiday_policy") != "as_weekend" or not isinstance(names, list):
        return HolidayList()
    unknown = [str(n)[:40] for n in names if n not in KNOWN]
    if unknown:
        raise TariffError("x_holidays", f"{unknown} are not known holidays: {sorted(KNOWN)}")
    text = document.get("x_holiday_observance") or Observance.ACTUAL_DAY
    if text not in set(Observance):
        raise TariffError("x_holiday_observance", f"{str(text)[:40]!r} is not one of {[o.value for o in Observance]}")
    return HolidayList(tuple(KNOWN[n] for n in names), observance=Observance(text))


def _date(document: Mapping[str, Any], clause: str) -> date | None:
    value = document.get(clause)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, (int, Decimal)):
            return datetime.fromtimestamp(int(value), UTC).date()
        return date.fromisoformat(str(value)[:10])
    except (ValueError, OverflowError, OSError) as error:
        raise TariffError(clause, f"{str(value)[:20]!r} is not a date; YYYY-MM-DD is") from error


def _confidence(document: Mapping[str, Any]) -> dict[str, str]:
    text = document.get("x_confidence")
    return {"all": text[:1000]} if isinstance(text, str) else {}
