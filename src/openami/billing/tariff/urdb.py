"""Read a rate from URDB JSON, version 8 or 3 to 7: what we can bill exactly; the rest is refused by its clause.

URDB holds prices by hour and month, zero-based period numbers, no holidays and no minutes. Keys of our data sets are
read as well: ``x_holidays`` with ``x_holiday_policy``, ``x_fixed_parts``, and ``x_block_scope``.

Source: NREL URDB field list, version 8; traps in the converters of others (unit columns filled by default, periods
without price, schedules that point past the prices, years such as 0015, negative fixed charges) are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openami.billing.tariff.clause import plain_words
from openami.billing.tariff.eligibility import Eligibility
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.urdb_calendar import named_periods, seasons_of
from openami.billing.tariff.urdb_charge import read_fixed, read_minimum
from openami.billing.tariff.urdb_demand import read_demands
from openami.billing.tariff.urdb_export import read_export
from openami.billing.tariff.urdb_value import is_present, read_date, read_number, read_schedule, read_structure
from openami.kernel.holiday import KNOWN, HolidayList, Observance

_ORIGIN = ("label", "uri", "source", "sourceparent", "latest_update", "supersedes", "approved", "version")
_WORDS = ("sector", "servicetype", "voltagecategory", "phasewiring", "peakkwhusagemin", "peakkwhusagemax")
_OPEN = ("energycomments", "demandcomments", "basicinformationcomments", "fixedchargeeaaddl")
"""What a record says in prose, or of more than one meter: not billed, and shown beside the rate."""


def read_urdb(document: Mapping[str, Any], *, code: str) -> RateSchedule:
    """Return the rate of one URDB record (numbers parsed as Decimal).

    Raises:
        TariffError: a clause is missing, malformed or not one that we can bill exactly.
    """
    energy = read_structure(document, "energyratestructure")
    unit = _block_unit(document["energyratestructure"])
    weekday, weekend = (read_schedule(document, f"energy{k}schedule", len(energy)) for k in ("weekday", "weekend"))
    demands = read_demands(document)
    seasons = seasons_of(weekday, weekend, [d[1] for d in demands])
    periods = named_periods(energy, seasons)
    tariff = Tariff(
        periods=periods,
        seasons=seasons,
        effective_from=read_date(document, "startdate"),
        effective_to=read_date(document, "enddate"),
        scope=_scope(document),
        block_unit=unit,
        fixed=read_fixed(document),
        minimum=read_minimum(document),
        demand=tuple(d[0] for d in demands),
        holidays=_holidays(document),
        provenance={"format": "URDB"}
        | {k: plain_words(document[k], 500) for k in _ORIGIN if is_present(document.get(k))},
        confidence=_confidence(document),
        eligibility=_eligibility(document),
        export=read_export(document, periods),
    )
    name = plain_words(document.get("name") or code, 200)
    return RateSchedule(code, name, plain_words(document.get("utility", ""), 200), "USD", (tariff,))


def _block_unit(periods: Sequence[Sequence[Mapping[str, Any]]]) -> BlockUnit:
    """One unit for all edges; a unit on blocks without an edge is only URDB's default."""
    units = {str(b.get("unit", "kWh")) for blocks in periods for b in blocks if len(blocks) > 1}
    if not units:
        return BlockUnit.KWH
    if len(units) > 1 or next(iter(units)) not in set(BlockUnit):
        raise TariffError("energyratestructure.unit", _why_not(units))
    return BlockUnit(next(iter(units)))


def _why_not(units: set[str]) -> str:
    if len(units) > 1:
        return f"{sorted(units)}: blocks of one rate are in one unit here"
    unit = next(iter(units))
    if "kW" in unit and "kWh/" in unit:
        return f"{unit!r}: blocks whose size follows the demand are not billed; kWh or kWh daily can be"
    return f"{unit!r} cannot be billed; kWh or kWh daily can"


def _scope(document: Mapping[str, Any]) -> BlockScope:
    text = str(document.get("x_block_scope", BlockScope.MONTH_POOLED))
    try:
        return BlockScope(text)
    except ValueError as error:
        raise TariffError("x_block_scope", f"{text[:40]!r} is not one of {[s.value for s in BlockScope]}") from error


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


def _eligibility(document: Mapping[str, Any]) -> Eligibility:
    def watts(clause: str) -> int | None:
        return int(read_number(clause, document[clause]) * 1000) if is_present(document.get(clause)) else None

    words = ", ".join(f"{key} {document[key]}" for key in _WORDS if is_present(document.get(key)))
    return Eligibility(watts("peakkwcapacitymin"), watts("peakkwcapacitymax"), words=plain_words(words, 500))


def _confidence(document: Mapping[str, Any]) -> dict[str, str]:
    text = document.get("x_confidence")
    said = {"all": plain_words(text, 1000)} if isinstance(text, str) else {}
    return said | {key: plain_words(document[key], 500) for key in _OPEN if is_present(document.get(key))}
