"""``openami bench bill``: determinants and totals of a made fleet, against the scalar engine that must agree."""

from __future__ import annotations

import time
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating import Usage, calendar_months, determinants, rate
from openami.billing.rating.fleet import UsageMatrix, fleet_bills, fleet_determinants, price_index
from openami.billing.tariff import shipped_rates
from openami.kernel.errors import OpenAmiError

HOMES = 1_000
CHECKED = 5
RATE = "ameren-mo-smart"
ROUNDS = 3


class BenchError(OpenAmiError):
    """The fast engine does not agree with the scalar one: a speed of wrong bills is no figure."""


def run() -> dict[str, Any]:
    """Return bills a second: energy by price period of a year of quarter-hours, then money, on one core.

    Raises:
        BenchError: a total differs from the scalar engine's by a cent.
    """
    zone, schedule = ZoneInfo("America/Chicago"), shipped_rates()[RATE]
    spans = calendar_months(date(2026, 1, 1), date(2027, 1, 1))
    starts = np.arange(spans[0].period(zone).start_s, spans[-1].period(zone).end_s, 900, dtype=np.int64)
    wh = np.random.default_rng(1).integers(0, 900, (HOMES, len(starts)), dtype=np.int64)
    began = time.perf_counter()
    index = price_index(schedule, starts, 900, spans, zone)
    index_s = time.perf_counter() - began
    usage = UsageMatrix(wh)
    kernel_s = _best(lambda: fleet_determinants(schedule, index, usage))
    found = fleet_determinants(schedule, index, usage)
    money_s = _best(lambda: [fleet_bills(schedule, found, i) for i in range(len(spans))])
    totals = np.stack([fleet_bills(schedule, found, i).cents for i in range(len(spans))], axis=1)
    began = time.perf_counter()
    for row in range(CHECKED):
        scalar = [rate(schedule, d) for d in determinants(schedule, Usage(starts, wh[row], 900), spans, zone)]
        if [int(b.total * 100) for b in scalar] != totals[row].tolist():
            raise BenchError(f"home {row}: the fleet engine and the scalar engine differ")
    scalar_s = time.perf_counter() - began
    bills = HOMES * len(spans)
    one_by_one = CHECKED * len(spans) / scalar_s
    return {
        "durability": "in memory, one process; nothing is stored",
        "figures": {
            "determinants": {"value": bills / kernel_s, "unit": "customer-months/s"},
            "determinants_and_money": {"value": bills / (kernel_s + money_s), "unit": "bills/s"},
            "money": {"value": bills / money_s, "unit": "bills/s"},
            "price_index_once": {"value": index_s * 1000, "unit": "ms"},
        },
        "peers": {"scalar engine": {"determinants_and_money": {"value": one_by_one, "unit": "bills/s"}}},
        "ratio": {"fleet to scalar": bills / (kernel_s + money_s) / one_by_one},
    }


def _best(work: Any) -> float:
    """Return the least of a few times [s]."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
