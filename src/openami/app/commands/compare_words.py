"""What ``openami compare`` takes as assumptions, and the parts of its document beyond the bills."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.billing.compare import Comparison, RateOutcome, YearRange
    from openami.billing.compare.assumption import Assumption
    from openami.billing.compare.breakeven import BreakEven
    from openami.billing.rating import Usage

_VEHICLE = re.compile(r"^([0-9.]+)@([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


def assumptions_of(vehicle: str | None, heat_pump: str | None, shift: str | None) -> list[Assumption]:
    """Return the assumptions of the command line.

    Args:
        vehicle: ``KWH@HH:MM-HH:MM``, energy a day and the hours of charging.
        heat_pump: kWh a year.
        shift: percent of the dearest hours' energy.

    Raises:
        MisuseError: one cannot be read.
        AssumptionError: one is out of its range.
    """
    from openami.billing.compare.assumption import HeatPump, Shift, Vehicle

    found: list[Assumption] = []
    if vehicle is not None:
        match = _VEHICLE.match(vehicle)
        if match is None:
            raise MisuseError(f"--vehicle {vehicle!r} is not KWH@HH:MM-HH:MM, for example 10@22:00-06:00")
        kwh, *clock = match.groups()
        from_hour, from_minute, to_hour, to_minute = (int(c) for c in clock)
        found.append(Vehicle(_number(kwh, "--vehicle"), from_hour * 60 + from_minute, to_hour * 60 + to_minute))
    if heat_pump is not None:
        found.append(HeatPump(_number(heat_pump, "--heat-pump")))
    if shift is not None:
        found.append(Shift(_number(shift, "--shift") / 100))
    return found


def _number(text: str, option: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise MisuseError(f"{option} {text!r} is not a number") from error
    if not value.is_finite():
        raise MisuseError(f"{option} {text!r} is not a number")
    return value


def rate_words(outcome: RateOutcome, usage: Usage, zone: ZoneInfo) -> dict[str, Any]:
    """Return what a rate's cost is made of: its year, its parts, and the hours that set its demand."""
    from openami.billing.compare.demand import demand_of
    from openami.billing.compare.split import split_of
    from openami.billing.document import money, plain
    from openami.kernel.time import instant_from_epoch_s

    parts = [
        {"kind": p.kind.value, "name": p.name, "quantity": plain(p.quantity), "unit": p.unit, "amount": money(p.amount)}
        for p in split_of(outcome.bills)
    ]
    demand = [
        {
            "from": d.span.first.isoformat(), "to": d.span.end.isoformat(), "name": d.name, "period": d.period,
            "window_minutes": d.window_minutes, "per_kw": plain(d.per_kw), "amount": money(d.amount),
            "highest": [
                {
                    "at": instant_from_epoch_s(p.start_s).astimezone(zone).isoformat(),
                    "kw": plain(Decimal(p.watts) / 1000),
                }
                for p in d.highest
            ],
        }
        for d in demand_of(outcome.schedule, outcome.bills, usage, zone)
    ]  # fmt: skip
    missing = list(outcome.missing_charges)
    return {"year": range_words(outcome.year), "parts": parts, "demand": demand, "missing_charges": missing}


def range_words(found: YearRange | None) -> dict[str, str] | None:
    """Return a year's range."""
    from openami.billing.document import money

    return None if found is None else {"low": money(found.low), "high": money(found.high)}


def basis_words(found: Comparison, assumptions: Sequence[Assumption]) -> dict[str, Any]:
    """Return what a comparison rests on."""
    return {
        "spans": [{"from": s.first.isoformat(), "to": s.end.isoformat()} for s in found.spans],
        "left_out": [
            {"from": s.span.first.isoformat(), "to": s.span.end.isoformat(), "coverage": float(s.share)}
            for s in found.left_out
        ],
        "unseen": [m.first.isoformat() for m in found.unseen],
        "estimated_share": float(found.estimated_share),
        "assumptions": [a.label for a in assumptions],
    }


def break_even_words(found: Sequence[BreakEven]) -> list[dict[str, Any]]:
    """Return what would have to be true, rate by rate."""
    from openami.billing.document import money, plain

    return [
        {
            "tariff": b.code, "lever": b.lever.value, "reachable": b.reachable, "share": float(b.share),
            "kwh_per_day": plain(Decimal(b.wh_per_day) / 1000), "kw": plain(Decimal(b.watts) / 1000),
            "now_kw": plain(Decimal(b.now_watts) / 1000), "saving": money(b.saving),
        }
        for b in found
    ]  # fmt: skip


def break_even_sentence(row: dict[str, Any]) -> str:
    """Return one rate's row for people.

    >>> break_even_sentence({"tariff": "a", "lever": "shift", "reachable": False})
    'a: no shift out of its dearest hours is enough'
    """
    if row["lever"] == "none":
        return f"{row['tariff']}: saves {row['saving']} as things are"
    if row["lever"] == "shift":
        if not row["reachable"]:
            return f"{row['tariff']}: no shift out of its dearest hours is enough"
        share = f"{row['share']:.0%}"
        return f"{row['tariff']}: better if {row['kwh_per_day']} kWh a day ({share}) left its dearest hours"
    if not row["reachable"]:
        return f"{row['tariff']}: no cap on its demand is enough by itself"
    return f"{row['tariff']}: better if no hour that counts were above {row['kw']} kW (highest: {row['now_kw']} kW)"
