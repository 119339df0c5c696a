"""Four kinds of rate as URDB records, which both engines of ``bench bill`` read. Prices are made up, near real ones."""

from __future__ import annotations

from typing import Any

SUMMER = range(5, 9)
"""June to September, January being 0."""


def records() -> dict[str, dict[str, Any]]:
    """Return a flat, a tiered, a time-of-use and a demand rate."""
    flat = _record([[{"rate": 0.1312}]], lambda *_: 0)
    tiered = _record(
        [[{"rate": 0.1562}], [{"rate": 0.1062, "max": 750, "unit": "kWh"}, {"rate": 0.0714}]],
        lambda month, *_: 0 if month in SUMMER else 1,
    )
    prices = [0.4051, 0.1216, 0.0767, 0.2169, 0.0778, 0.0635]
    by_time = _record([[{"rate": p}] for p in prices], _period)
    demand = by_time | {
        "flatdemandstructure": [[{"rate": 9.28}], [{"rate": 3.83}]],
        "flatdemandmonths": [0 if month in SUMMER else 1 for month in range(12)],
        "flatdemandunit": "kW",
    }
    return {"flat": flat, "tiered": tiered, "time-of-use": by_time, "demand": demand}


def _record(structure: list[list[dict[str, Any]]], period: Any) -> dict[str, Any]:
    return {
        "utility": "made up",
        "energyratestructure": structure,
        "energyweekdayschedule": [[period(m, h, "weekday") for h in range(24)] for m in range(12)],
        "energyweekendschedule": [[period(m, h, "weekend") for h in range(24)] for m in range(12)],
        "fixedchargefirstmeter": 9.0,
        "fixedchargeunits": "$/month",
    }


def _period(month: int, hour: int, day: str) -> int:
    """Dear, middle and cheap hours of each season, dear ones on working days alone."""
    base = 0 if month in SUMMER else 3
    if not 6 <= hour < 22:
        return base + 2
    dear = range(15, 19) if month in SUMMER else (6, 7, 18, 19)
    return base if hour in dear and day == "weekday" else base + 1
