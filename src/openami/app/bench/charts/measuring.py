"""``bench charts``: a customer's day, month, year and thirteen months of quarter-hours, asked over HTTP as pages do.

Every request passes the portal's door: session, decision, and a row of the audit log that is on disk before a reading
is looked up. Three things are measured of each question, in one run:

- alone: one request after another, beside the store's own answer to the same question over its socket; their ratio is
  what door, log, grid and JSON cost;
- under load: requests arrive at random (Poisson) at the budget's rate whether or not earlier ones are answered, on 64
  connections of random customers; the time counts from when a request was due, so that waiting is not forgotten;
- the most: 64 connections that each ask again at once.

The clients share the machine's processors with what they measure.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any
from urllib.parse import urlencode

import numpy as np

from openami.app.bench.charts.utility import SignedIn, Utility, utility
from openami.app.bench.processor import processor_s
from openami.contracts.channel import Channel
from openami.security.access.scope import Purpose, system_scope

HOMES = 60
FIRST, LAST = date(2025, 10, 1), date(2026, 10, 31)
CONNECTIONS = 64
CALLS = 200
WARM_UP = 5
SECONDS = 20.0
_SCOPE = system_scope(process="bench", purpose=Purpose.MAINTENANCE)
_Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks.

    Args:
        name: in the figures.
        first, last: local days, both included.
        resolution: of the answer, as the page of that span asks.
    """

    name: str
    first: date
    last: date
    resolution: str

    def path(self, customer: SignedIn) -> str:
        """Return what is asked of the portal."""
        span = {"from": self.first.isoformat(), "to": self.last.isoformat(), "resolution": self.resolution}
        return f"/api/v1/service-points/{customer.place}/intervals?{urlencode(span)}"


SCREEN = (
    Question("day", date(2026, 10, 14), date(2026, 10, 14), "quarter"),
    Question("month", date(2026, 10, 1), date(2026, 10, 31), "day"),
    Question("year", date(2025, 11, 1), date(2026, 10, 31), "month"),
)
QUARTERS = Question("13 months by quarter-hour", FIRST, LAST, "quarter")
SCREEN_PER_S, QUARTERS_PER_S = 60.0, 4.0
"""The budgets' rates: 50 ms and 250 ms at p99."""


def run() -> dict[str, Any]:
    """Measure and return the figures in the shape of ``openami bench``."""
    # uvloop starts no process under another user, which a database started by root needs.
    return asyncio.run(measure())


async def measure(
    *,
    homes: int = HOMES,
    calls: int = CALLS,
    seconds: float = SECONDS,
    connections: int = CONNECTIONS,
    postgres_url: str | None = None,
) -> dict[str, Any]:
    """Return figures of a utility with so many homes.

    Args:
        homes: each with a customer who signs in.
        calls: of each question, one after another.
        seconds: how long each load is held.
        connections: to the portal.
        postgres_url: an empty database to use; without one a server is started.
    """
    figures: _Figures = {}
    ratio: dict[str, float] = {}
    site = utility(homes=homes, first=FIRST, last=LAST, connections=connections, postgres_url=postgres_url)
    async with site as asked:
        for question in (*SCREEN, QUARTERS):
            found, ratio[f"{question.name}, portal to store, p50"] = await _alone(asked, question, calls)
            figures |= found
        figures |= await _arriving(asked, SCREEN, SCREEN_PER_S, seconds, "day, month, year")
        figures |= await _arriving(asked, (QUARTERS,), QUARTERS_PER_S, seconds, QUARTERS.name)
        figures |= await _most(asked, SCREEN, seconds, connections, "day, month, year")
        figures |= await _most(asked, (QUARTERS,), seconds, connections, QUARTERS.name)
    durability = "reads; each look is a row of the audit log that is on disk before the store is asked"
    return {"durability": durability, "figures": figures, "peers": {}, "ratio": ratio}


async def _alone(asked: Utility, question: Question, calls: int) -> tuple[_Figures, float]:
    """Ask portal and store in turn, so that both meet the same machine."""
    portal_s, store_s, octets = [], [], 0
    for call in range(-WARM_UP, calls):
        customer = asked.customers[(call * 7) % len(asked.customers)]
        began = time.perf_counter()
        octets = len(await asked.lines.get(question.path(customer), customer.cookie))
        between = time.perf_counter()
        await asked.store.days(_SCOPE, [customer.place], Channel.DELIVERED, question.first, question.last)
        if call >= 0:
            portal_s.append(between - began)
            store_s.append(time.perf_counter() - between)
    figures = _spread(f"{question.name}, portal alone", portal_s) | _spread(f"{question.name}, store alone", store_s)
    figures[f"{question.name}, answer"] = {"value": octets, "unit": "octets"}
    return figures, float(np.median(portal_s) / np.median(store_s))


async def _arriving(
    asked: Utility, questions: tuple[Question, ...], per_s: float, seconds: float, name: str
) -> _Figures:
    """Let requests arrive at random at a rate; none waits for an earlier one but for a free connection."""
    dice = Random(11)  # noqa: S311 - arrivals, repeatable on purpose
    took: list[float] = []
    used, began = _processor_s(asked), time.perf_counter()
    due, under_way = began, []
    while (due := due + dice.expovariate(per_s)) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        under_way.append(asyncio.create_task(_one(asked, dice, questions, due, took)))
    await asyncio.gather(*under_way)
    spent = {n: s - used.get(n, 0.0) for n, s in _processor_s(asked).items()}
    label = f"{name} at {per_s:g}/s"
    figures = _spread(label, took) | {f"{label}, asked": {"value": len(took), "unit": "requests"}}
    for process, s in spent.items():
        figures[f"{label}, processor of {process}"] = {"value": s / max(len(took), 1) * 1e3, "unit": "ms/request"}
    return figures


async def _most(
    asked: Utility, questions: tuple[Question, ...], seconds: float, connections: int, name: str
) -> _Figures:
    """Ask again at once on every connection."""
    dice = Random(13)  # noqa: S311 - choices, repeatable on purpose
    took: list[float] = []
    began = time.perf_counter()

    async def again() -> None:
        while time.perf_counter() < began + seconds:
            await _one(asked, dice, questions, time.perf_counter(), took)

    await asyncio.gather(*(again() for _ in range(connections)))
    sustained = {"value": len(took) / (time.perf_counter() - began), "unit": "requests/s"}
    return {f"{name}, the most": sustained} | _spread(f"{name}, the most", took)


async def _one(asked: Utility, dice: Random, questions: tuple[Question, ...], due: float, took: list[float]) -> None:
    customer, question = dice.choice(asked.customers), dice.choice(questions)
    await asked.lines.get(question.path(customer), customer.cookie)
    took.append(time.perf_counter() - due)


def _processor_s(asked: Utility) -> dict[str, float]:
    """Return the processor time of each process so far; this one is the clients."""
    used = {child.name: processor_s(child.pid) for child in asked.platform.children if child.pid is not None}
    return {"clients": time.process_time(), **used}


def _spread(name: str, seconds: list[float]) -> _Figures:
    found = np.percentile(np.array(seconds) * 1000, [50, 99])
    return {f"{name}, p{p}": {"value": float(v), "unit": "ms"} for p, v in zip((50, 99), found, strict=True)}
