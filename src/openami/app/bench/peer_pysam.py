"""Run by the interpreter of an environment with ``nrel-pysam``, never imported: prices rates on its own calendar.

Each rate goes the peer's own documented way: the URDB record, its converter, ``Utilityrate5``. The model is set up once
for a rate and given one load after another. The time is this process's own processor time and holds the handing over of
the load, the run and the reading of twelve bills, because a bill that nobody reads is none.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

OUTPUTS = {
    "energy": "year1_monthly_ec_charge_without_system",
    "flat_demand": "year1_monthly_dc_fixed_without_system",
    "tou_demand": "year1_monthly_dc_tou_without_system",
    "fixed": "year1_monthly_fixed_without_system",
    "minimum": "year1_monthly_minimum_without_system",
    "total": "year1_monthly_utility_bill_wo_sys",
}


def main() -> None:
    """Read ``{"loads_wh": [[int]], "rates": {name: URDB record}, "least_s": float}`` and print bills and speeds.

    Prints ``{"bills": {name: [{output: [12 floats]}]}, "refused": {name: words}, "customer_years_per_s": {name: f}}``.
    ``least_s`` above zero repeats the loads for that long and gives a speed; zero gives none.
    """
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    loads = [[wh * len(load) / 8_760_000 for wh in load] for load in task["loads_wh"]]
    bills: dict[str, Any] = {}
    refused: dict[str, str] = {}
    speeds: dict[str, float] = {}
    for name, record in task["rates"].items():
        try:
            with redirect_stdout(sys.stderr):
                model = model_of(record, len(loads[0]))
            bills[name] = [billed(model, load) for load in loads]
            if task["least_s"]:
                speeds[name] = speed_of(model, loads, task["least_s"])
        except Exception as error:  # noqa: BLE001 - whatever the peer raises is its answer for that rate
            refused[name] = str(error).strip()[:300]
    print(json.dumps({"bills": bills, "refused": refused, "customer_years_per_s": speeds}))


def model_of(record: dict[str, Any], steps: int) -> Any:
    """Return a model of the rate, ready for one load after another."""
    # The converter adds one to the schedules in place: it gets a copy in which no two lists are one.
    given = json.loads(json.dumps(record))
    values = importlib.import_module("PySAM.UtilityRateTools").URDBv8_to_ElectricityRates(given)
    model = importlib.import_module("PySAM.Utilityrate5").new()
    rest = {
        "analysis_period": 1,
        "system_use_lifetime_output": 0,
        "inflation_rate": 0,
        "degradation": [0],
        "rate_escalation": [0],
        "gen": [0] * steps,
    }
    if values["ur_enable_billing_demand"]:
        # Before the year there was nothing: its ratchet looks at peaks of the same year alone.
        rest["ur_yearzero_usage_peaks"] = [0] * 12
        # The converter says that a month's own peak does not count (second column), so that 80 % would bill 80 % of it.
        rows = values["ur_billing_demand_lookback_percentages"]
        rest["ur_billing_demand_lookback_percentages"] = [[row[0], 1] for row in rows]
    for key, value in (values | rest).items():
        model.value(key, value)
    return model


def billed(model: Any, load_kw: list[float]) -> dict[str, list[float]]:
    """Return twelve months of each output for one load."""
    model.value("load", load_kw)
    model.execute(0)
    return {word: list(model.value(output)) for word, output in OUTPUTS.items()}


def speed_of(model: Any, loads: list[list[float]], least_s: float) -> float:
    """Return customer-years a second, of processor time."""
    began, years = time.process_time(), 0
    while time.process_time() - began < least_s:
        for load in loads:
            billed(model, load)
            years += 1
    return years / (time.process_time() - began)


if __name__ == "__main__":
    main()
