"""Write a rate in our own file format: what :mod:`openami.billing.tariff.native` reads, and so a URDB rate as ours.

A clause that says what is usual is left out. Reading what is written gives the same rate; a property test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from openami.billing.tariff.charge import Credit, DatedCharge, FixedCharge, MinimumCharge, RiderUnit, Tax, ValueChange
from openami.billing.tariff.clause import UNKNOWN
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.native import FORMAT
from openami.billing.tariff.native_write_rule import (
    coverage_document,
    demand_document,
    eligibility_document,
    export_document,
    holidays_document,
    proration_document,
    rounding_document,
)
from openami.billing.tariff.price import EventPrice, PricePeriod, WeekPlan
from openami.billing.tariff.season import Season

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holiday")


def rate_document(schedule: RateSchedule) -> dict[str, Any]:
    """Return a rate as the JSON values of a file of our own format."""
    return {
        "format": FORMAT,
        "code": schedule.code,
        "name": schedule.name,
        "utility": schedule.utility,
        "currency": schedule.currency,
        "versions": [version_document(v) for v in schedule.versions],
    }


def version_document(version: Tariff) -> dict[str, Any]:
    """Return one version as the JSON values of a file."""
    keys = [f"p{i}" for i in range(len(version.periods))]
    demand_keys = [[f"d{i}" for i in range(len(d.periods))] for d in version.demand]
    return _said(
        {
            "label": version.label,
            "effective_from": _day(version.effective_from),
            "effective_to": _day(version.effective_to),
            "season_rule": version.season_rule.value,
            "price_change": version.price_change.value,
            "year_ends_month": version.year_ends_month,
            "blocks": {"scope": version.scope.value, "unit": version.block_unit.value},
            "proration": proration_document(version.proration),
            "rounding": rounding_document(version.rounding),
            "fixed": [fixed_document(f) for f in version.fixed],
            "minimum": None if version.minimum is None else minimum_document(version.minimum),
            "periods": dict(zip(keys, map(period_document, version.periods), strict=True)),
            "seasons": [_season(s, keys, demand_keys) for s in version.seasons],
            "demand": [demand_document(d, k) for d, k in zip(version.demand, demand_keys, strict=True)],
            "events": [_event(e, keys) for e in version.events],
            "riders": [dated_document(r) for r in version.riders],
            "credits": [dated_document(c) for c in version.credits],
            "taxes": [dated_document(t) for t in version.taxes],
            "export": None if version.export is None else export_document(version.export),
            "holidays": holidays_document(version.holidays),
            "eligibility": eligibility_document(version.eligibility),
            "coverage": None if version.coverage is None else coverage_document(version.coverage),
            "refusals": [{"clause": r.clause, "reason": r.reason} for r in version.refusals],
            "provenance": dict(version.provenance),
            "confidence": dict(version.confidence),
        }
    )


def period_document(period: PricePeriod) -> dict[str, Any]:
    """Return a price period."""
    blocks = [_said({"price": number(b.price), "up_to": _or_none(b.up_to)}) for b in period.blocks]
    more = {"signal": period.signal, "factor": number(period.factor)} if period.signal else {}
    return {"name": period.name, "blocks": blocks, **more}


def fixed_document(charge: FixedCharge) -> dict[str, Any]:
    """Return a fixed charge."""
    return {"name": charge.name, "amount": number(charge.amount), "per": charge.unit.value}


def minimum_document(charge: MinimumCharge) -> dict[str, Any]:
    """Return a minimum charge."""
    return {
        "name": charge.name, "amount": number(charge.amount), "per": charge.unit.value, "of": list(charge.of)
    }  # fmt: skip


def dated_document(charge: DatedCharge) -> dict[str, Any]:
    """Return a rider, tax or credit."""
    usual = ValueChange.METERED if charge.unit is RiderUnit.KWH else ValueChange.DAYS
    values = [
        {"value": UNKNOWN if v.value is None else number(v.value)}
        | _said({"from": _day(v.effective_from), "provenance": v.provenance, "confidence": v.confidence})
        for v in charge.values
    ]
    document = {"code": charge.code, "name": charge.name, "per": charge.unit.value, "values": values}
    more = {
        "of": list(charge.of),
        "change": None if charge.change is usual else charge.change.value,
        "when": dict(charge.when),
        "municipality": charge.municipality if isinstance(charge, Tax) else "",
        "stops_at_zero": charge.stops_at_zero if isinstance(charge, Credit) else None,
    }
    return document | _said(more)


def _season(season: Season, keys: Sequence[str], demand_keys: Sequence[Sequence[str]]) -> dict[str, Any]:
    days = {"name": season.name} | _said(
        {
            "months": sorted(season.months),
            "ranges": [
                [f"{r.first.month:02}-{r.first.day:02}", f"{r.last.month:02}-{r.last.day:02}"] for r in season.ranges
            ],
        }
    )
    demand = [_week(plan, names) for plan, names in zip(season.demand, demand_keys, strict=True)]
    return days | {"days": _week(season.energy, keys)} | _said({"demand": demand})


def _week(week: WeekPlan, keys: Sequence[str]) -> dict[str, Any]:
    if len(set(week)) == 1:
        return {"every_day": _plan(week, 0, keys)}
    weekdays, weekend = len(set(week[:5])) == 1, week[5] == week[6] == week[7]
    if weekdays and weekend:
        return {"weekday": _plan(week, 0, keys), "weekend": _plan(week, 5, keys)}
    return {name: _plan(week, number, keys) for number, name in enumerate(_DAYS)}


def _plan(week: WeekPlan, number: int, keys: Sequence[str]) -> list[list[str]]:
    return [[_clock(w.start_minute), _clock(w.end_minute), keys[w.period]] for w in week[number]]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _event(event: EventPrice, keys: Sequence[str]) -> dict[str, Any]:
    replaces = {keys[before]: keys[after] for before, after in event.replaces.items()}
    return {"name": event.name, "signal": event.signal, "replaces": replaces}


def number(value: Decimal) -> str:
    """Return a decimal as plain text."""
    return format(value, "f")


def _or_none(value: Decimal | None) -> str | None:
    return None if value is None else number(value)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not said."""
    return {k: v for k, v in fields.items() if v not in (None, "", [], {})}
