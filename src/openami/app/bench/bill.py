"""``openami bench bill``: determinants and bills of a made fleet on four kinds of rate, beside another engine.

Both engines price the same quarter-hours of the same homes on the peer's own calendar: 365 days from a Monday, no
clock change. Bills of the fleet engine must be the scalar engine's to the cent and the peer's to half a cent a month,
or there is no figure. All times are processor time of one process, ours and the peer's. ``OPENAMI_BENCH_HOMES`` takes
another size of fleet.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.bench import peer_pysam
from openami.app.bench.bill_rates import records
from openami.app.bench.peers import PeerUnavailableError, peer_python, run_peer
from openami.billing.rating import Usage, calendar_months, determinants, rate
from openami.billing.rating.carried import Carried
from openami.billing.rating.fleet import UsageMatrix, fleet_bills, fleet_determinants, price_index, rated_fleet
from openami.billing.rating.terms import NO_TERMS
from openami.billing.rating.usage import I64
from openami.billing.tariff import RateSchedule, parse_rate
from openami.kernel.errors import OpenAmiError

HOMES = int(os.environ.get("OPENAMI_BENCH_HOMES", "1000"))
CHECKED = 3
PRINTED = 100
"""Homes whose bills are made line by line as objects, as they are kept."""
ROUNDS = 3
PEER_VERSION = "7.1.1.post1"
PEER_S = 2.0
"""Processor time that the peer spends on each rate."""
HALF_A_CENT = 0.0051
ZONE = ZoneInfo("UTC")
SPANS = calendar_months(date(2018, 1, 1), date(2019, 1, 1))
START_S = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp())


class BenchError(OpenAmiError):
    """The fast engine does not agree with another: a speed of wrong bills is no figure."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Homes with a year of quarter-hours."""

    start_s: I64
    usage: UsageMatrix


def run() -> dict[str, Any]:
    """Return customer-months of determinants and bills a second, on one core.

    Raises:
        BenchError: a bill differs from the scalar engine's by a cent, or from the peer's by more than half a cent.
    """
    wh = np.random.default_rng(1).integers(0, 900, (HOMES, 35_040), dtype=np.int64)
    fleet = Fleet(START_S + np.arange(35_040, dtype=np.int64) * 900, UsageMatrix(wh))
    figures: dict[str, Any] = {}
    totals: dict[str, I64] = {}
    for kind, record in records().items():
        schedule = parse_rate(json.dumps(record).encode(), code=kind)
        measured, totals[kind] = _measured(schedule, fleet)
        figures |= {f"{kind}: {name}": figure for name, figure in measured.items()}
    peers, ratio = _beside_the_peer(fleet, figures, totals)
    return {
        "durability": "in memory, processor time of one process; nothing is stored",
        "figures": figures,
        "peers": peers,
        "ratio": ratio,
    }


def _measured(schedule: RateSchedule, fleet: Fleet) -> tuple[dict[str, Any], I64]:
    index = price_index(schedule, fleet.start_s, 900, SPANS, ZONE)
    found = fleet_determinants(schedule, index, fleet.usage)
    months = range(len(SPANS))
    kernel_s = _best(lambda: fleet_determinants(schedule, index, fleet.usage))
    money_s = _best(lambda: [fleet_bills(schedule, found, n) for n in months])
    totals = np.stack([fleet_bills(schedule, found, n).cents for n in months], axis=1)
    scalar_s = _checked(schedule, fleet, totals)
    month = fleet.usage.part(range(min(PRINTED, HOMES)))
    inside = fleet.start_s < SPANS[0].period(ZONE).end_s
    first = UsageMatrix(month.wh[:, inside])
    rows = len(first.wh)
    printed_s = _best(
        lambda: rated_fleet(
            schedule, fleet.start_s[inside], 900, first, SPANS[0], ZONE, [NO_TERMS] * rows, [Carried()] * rows
        )
    )
    bills = HOMES * len(SPANS)
    return {
        "determinants": {"value": bills / kernel_s, "unit": "customer-months/s"},
        "rated bills, from intervals to the cent": {"value": bills / (kernel_s + money_s), "unit": "bills/s"},
        "rated bills as kept, line by line": {"value": rows / printed_s, "unit": "bills/s"},
        "scalar engine": {"value": CHECKED * len(SPANS) / scalar_s, "unit": "bills/s"},
    }, totals


def _checked(schedule: RateSchedule, fleet: Fleet, totals: I64) -> float:
    """Bill a few homes with the scalar engine, hold the fleet's totals to it, and return how long it took [s]."""
    began = time.process_time()
    for row in range(CHECKED):
        usage = Usage(fleet.start_s, fleet.usage.wh[row], 900)
        bills = [rate(schedule, d) for d in determinants(schedule, usage, SPANS, ZONE)]
        if [int(b.total * 100) for b in bills] != totals[row].tolist():
            raise BenchError(f"{schedule.code}, home {row}: the fleet engine and the scalar engine differ")
    return time.process_time() - began


def _beside_the_peer(
    fleet: Fleet, figures: dict[str, Any], totals: dict[str, I64]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Run the peer on the same homes and rates; none where it cannot be installed."""
    try:
        python = peer_python("nrel-pysam", PEER_VERSION)
        loads = fleet.usage.wh[:CHECKED].tolist()
        task = {"loads_wh": loads, "rates": records(), "least_s": PEER_S}
        answer = run_peer(python, Path(peer_pysam.__file__), task)
    except PeerUnavailableError as error:
        return {f"nrel-pysam not here: {error}": {}}, {}
    shown, ratio = {}, {}
    for kind, bills in answer["bills"].items():
        theirs = np.array([b["total"] for b in bills])
        if np.abs(theirs - totals[kind][:CHECKED] / 100).max() > HALF_A_CENT * _lines(kind):
            raise BenchError(f"{kind}: the fleet engine and nrel-pysam differ by more than half a cent a line")
        speed = answer["customer_years_per_s"][kind] * len(SPANS)
        shown[f"{kind}: rated bills"] = {"value": speed, "unit": "bills/s"}
        own = figures[f"{kind}: rated bills, from intervals to the cent"]["value"]
        ratio[f"{kind}, fleet to nrel-pysam"] = own / speed
    return {f"nrel-pysam {PEER_VERSION}": shown}, ratio


def _lines(kind: str) -> int:
    """Return how many printed lines a bill has at most: each is rounded, and the peer's total is not."""
    return {"flat": 2, "tiered": 3, "time-of-use": 4, "demand": 5}[kind]


def _best(work: Callable[[], Any]) -> float:
    """Return the least of a few times [s]."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)
