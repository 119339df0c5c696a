"""Rates of URDB priced by ``nrel-pysam`` and by us, on the calendar that it has.

It knows years of 365 days that begin on a Monday, in one offset from UTC, without holidays; its demand window is one
step of the load; it books charges a day as 365/12 days in every month. 2018 has that calendar in UTC. What is left of
the sheet is compared as it is: nothing is rounded on either side.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from tests.peers.environments import FOLDER, INSTALL_S

from openami.app.bench import peer_pysam
from openami.app.bench.peers import peer_python, run_peer
from openami.billing.rating import LineKind, RatedBill, Usage, calendar_months, determinants, rate
from openami.billing.rating.carried import Carried
from openami.billing.rating.terms import NO_TERMS
from openami.billing.tariff import RateSchedule
from openami.kernel.holiday import HolidayList

VERSION = "7.1.1.post1"
SPANS = calendar_months(date(2018, 1, 1), date(2019, 1, 1))
START_S = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp())
PEER_DAYS = Decimal(365) / 12
KINDS: Mapping[LineKind, tuple[str, ...]] = {
    LineKind.ENERGY: ("energy",),
    LineKind.DEMAND: ("flat_demand", "tou_demand"),
    LineKind.FIXED: ("fixed",),
    LineKind.MINIMUM: ("minimum",),
}
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def rating_peer() -> Path:
    """Return the interpreter that has the peer. Raises PeerUnavailableError where it cannot be installed."""
    return peer_python("nrel-pysam", VERSION, folder=FOLDER, install_s=INSTALL_S * 3)


def peer_bills(python: Path, rates: Mapping[str, Mapping[str, Any]], loads_wh: I64) -> dict[str, Any]:
    """Return what the peer bills for each rate and load, and the rates that it refuses with its words."""
    task = {"loads_wh": loads_wh.tolist(), "rates": dict(rates), "least_s": 0}
    return run_peer(python, Path(peer_pysam.__file__), task)


@cache
def quarter_hours(folder: Path) -> I64:
    """Return loads of whole Wh: the published made home, our own evening-heavy home, a shop and a spiky pump."""
    with gzip.open(folder / "reference_bills" / "reference_load_15min_kw.csv.gz", "rt") as file:
        kw = np.loadtxt(file, skiprows=1)
    published = np.diff(np.concatenate([[0], np.rint(np.cumsum(kw * 250))])).astype(np.int64)
    dice = np.random.default_rng(20_18)
    quarter = np.arange(35_040) % 96
    season = 1 + 0.5 * np.cos(2 * np.pi * (np.arange(35_040) / 35_040 - 0.55))
    evening = 150 + 400 * np.exp(-(((quarter - 74) / 9) ** 2)) * season + dice.gamma(2, 40, 35_040)
    shop = 2_000 + 9_000 * ((quarter >= 32) & (quarter < 76)) * season + dice.normal(0, 300, 35_040)
    pump = np.where(dice.random(35_040) < 0.03, 4_100, 0)
    return np.stack([published, *(np.maximum(x, 0).astype(np.int64) for x in (evening, shop, pump))])


def hours(loads_wh: I64) -> I64:
    """Return quarter-hours summed to hours."""
    return np.asarray(loads_wh.reshape(len(loads_wh), -1, 4).sum(axis=2), np.int64)


def record_of(octets: bytes) -> dict[str, Any]:
    """Return the one URDB record of a file, with numbers as the peer takes them."""
    document = json.loads(octets)
    document = document.get("items", document) if isinstance(document, dict) else document
    record: dict[str, Any] = document[0] if isinstance(document, list) else document
    return record


def as_the_peer_sees_it(schedule: RateSchedule, *, window: bool) -> RateSchedule:
    """Return a rate without dates and holidays; ``window`` keeps the length of its demand windows."""
    versions = []
    for version in schedule.versions:
        demand = version.demand if window else tuple(replace(d, window_minutes=None) for d in version.demand)
        versions.append(replace(version, effective_from=None, effective_to=None, holidays=HolidayList(), demand=demand))
    return replace(schedule, versions=tuple(versions))


def our_bills(schedule: RateSchedule, load_wh: I64) -> list[RatedBill]:
    """Return our twelve bills of a load of a year in equal steps."""
    interval_s = 365 * 86_400 // len(load_wh)
    usage = Usage(START_S + np.arange(len(load_wh), dtype=np.int64) * interval_s, load_wh, interval_s)
    bills: list[RatedBill] = []
    carried = Carried()
    for found in determinants(schedule, usage, SPANS, ZoneInfo("UTC")):
        bills.append(rate(schedule, found, NO_TERMS, carried))
        carried = bills[-1].carried
    return bills


def amounts(bills: list[RatedBill], kind: LineKind, *, days: Decimal | None = None) -> F64:
    """Return the exact amounts of a kind by month; ``days`` takes the place of the days of charges a day."""
    return np.array(
        [
            float(
                sum(
                    line.price * days if days is not None and line.unit == "day" else line.exact_amount
                    for line in bill.lines
                    if line.kind is kind
                )
            )
            for bill in bills
        ]
    )
