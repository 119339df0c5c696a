"""``bench week``: a week of simulated time, 500 meters, 3 % lost pushes, two cell outages, one head-end crash.

Planning, sessions, protocol and meters are the production code; the radio is in memory and what the platform would
keep on disk is too. Shown are what the meters hold against what was published, service levels by cell, billing-window
register reads by 07:00 local time, and what recovery costs in messages and octets.
"""

from __future__ import annotations

import time
from typing import Any

from openami.headend.keeping.levels import HORIZON_HOURS
from openami.sim.week import Traffic
from openami.sim.week_plan import WeekSize, run_week
from openami.sim.week_report import WeekReport, report

SIZE = WeekSize()


def run() -> dict[str, object]:
    """Run the week and return its figures in the shape of ``openami bench``."""
    began = time.perf_counter()
    week = run_week(SIZE)
    shown = report(week)
    figures: dict[str, dict[str, Any]] = {
        "meters": _figure(SIZE.meters, ""),
        "simulated": _figure(SIZE.days, "days"),
        "took": _figure(round(time.perf_counter() - began, 1), "s"),
        **_presence(shown),
        **_levels(shown),
        **_traffic(week.traffic),
    }
    return {"durability": "none: disk and radio are in memory", "figures": figures, "peers": {}, "ratio": {}}


def _presence(shown: WeekReport) -> dict[str, dict[str, Any]]:
    due = sum(c.due for c in shown.cells)
    in_time = sum(c.in_time for c in shown.cells)
    return {
        "intervals captured by the meters": _figure(shown.captured, "intervals"),
        "of these published": _figure(100.0 * shown.present / shown.captured, "%"),
        "came by a pull alone": _figure(shown.pulled, "intervals"),
        "published twice": _figure(shown.doubled, "values"),
        "published with two values": _figure(shown.conflicts, "values"),
        "published and in no meter": _figure(shown.strangers, "values"),
        "midnight reads published": _figure(100.0 * shown.registers_present / shown.registers_held, "%"),
        "billing reads due": _figure(due, "reads"),
        "billing reads by 07:00": _figure(100.0 * in_time / due, "%"),
    }


def _levels(shown: WeekReport) -> dict[str, dict[str, Any]]:
    rows = {}
    for cell in shown.cells:
        for hours in HORIZON_HOURS:
            rows[f"{cell.cell} within {hours} h"] = _figure(round(100.0 * cell.within[hours], 3), "%")
        if cell.due:
            rows[f"{cell.cell} billing reads by 07:00"] = _figure(round(100.0 * cell.in_time / cell.due, 3), "%")
    return rows


def _traffic(traffic: Traffic) -> dict[str, dict[str, Any]]:
    rows = {
        "pushes heard": _figure(traffic.pushes, "frames"),
        "octets of pushes": _figure(traffic.push_octets, "octets"),
    }
    for kind in sorted(traffic.sessions):
        rows[f"{kind}: sessions"] = _figure(traffic.sessions[kind], "sessions")
        rows[f"{kind}: without an answer"] = _figure(traffic.failed[kind], "sessions")
        rows[f"{kind}: exchanges"] = _figure(traffic.exchanges[kind], "exchanges")
        rows[f"{kind}: octets"] = _figure(traffic.octets[kind], "octets")
        rows[f"{kind}: rows"] = _figure(traffic.rows[kind], "rows")
    octets = sum(traffic.octets.values())
    rows["recovery octets of all"] = _figure(round(100.0 * octets / (octets + traffic.push_octets), 2), "%")
    return rows


def _figure(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}
