"""``bench findings``: false findings on clean homes, recall of injected faults, and a simulated month of bills.

Clean homes are held out: no threshold was chosen with them. Fetch them first with ``make homes``. For the page with all
cells: ``python -m openami.app.bench.findings --page docs/vee/error-rates.md``.
"""

from __future__ import annotations

from typing import Any

from openami.app.bench.findings.measure import Measured, measure
from openami.app.bench.homes import Half


def run() -> dict[str, object]:
    """Measure on the held-out homes and return the figures in the shape of ``openami bench``."""
    found = measure(Half.HELD_OUT)
    return {"durability": "none: nothing is kept", "figures": _figures(found), "peers": {}, "ratio": {}}


def _figures(found: Measured) -> dict[str, dict[str, Any]]:
    figures: dict[str, dict[str, Any]] = {}
    for name, false in found.false.items():
        low, high = false.days.interval
        figures[f"{name} clean home-days"] = _figure(false.days.trials, "days")
        figures[f"{name} false findings a home-day"] = _figure(100 * false.days.value, "%")
        figures[f"{name} from (95 %)"] = _figure(100 * low, "%")
        figures[f"{name} to (95 %)"] = _figure(100 * high, "%")
        figures[f"{name} false findings a bill"] = _figure(100 * false.bills.value, "%")
    for cell in found.cells:
        label = "found" if cell.fault.is_fault else "wrongly found"
        figures[f"{label}: {cell.fault.kind} {cell.severity:g}, register {cell.way}"] = _figure(
            100 * cell.found.value, "%"
        )
    m = found.month
    figures["simulated month: bills"] = _figure(m.bills, "bills")
    figures["simulated month: items for a person"] = _figure(1000 * m.items / m.bills, "per 1,000 bills")
    figures["simulated month: of these real"] = _figure(100 * m.real_items / max(m.items, 1), "%")
    figures["simulated month: kWh in found faults"] = _figure(100 * m.kwh_found / max(m.kwh, 1e-9), "%")
    figures["simulated month: dollars in found faults"] = _figure(100 * m.dollars_found / max(m.dollars, 1e-9), "%")
    return figures


def _figure(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}
