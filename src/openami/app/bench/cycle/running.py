"""``bench cycle``: the 21 bill groups of a month, on a database and a store of its own, then judged against the truth.

A hundred thousand customers by default (``OPENAMI_BENCH_CUSTOMERS`` for another number): 1 % without a read, 1.5 %
exchanges, 3 % moves, 5 % net metered, 0.3 % that use nothing, master data that come late, switches of rates, and a
price that changes in the month. Nobody touches anything: what is not billed by the scheduled day and three is counted.

Validated days are written as validation would leave them; validation itself is ``bench vee``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.backup.database import running as running_database
from openami.app.bench.cycle.balancing import Balanced, balanced
from openami.app.bench.cycle.filling import Filled, Fleet, assign_rates, fill_registry, fill_store, late_arrivals
from openami.app.bench.cycle.judging import Verdict, judged
from openami.app.bench.cycle.telling import Progress
from openami.app.bench.store import store_of_its_own
from openami.app.engines.migrate import migrate
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Billing
from openami.billing.calendar.cycle import BusinessDayCalendar
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import Block
from openami.billing.tariff.values import demonstration_rates
from openami.kernel.time import local_midnight
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData
from openami.sim.billing.customers import BILL_GROUPS, Customers, Fate
from openami.sim.billing.energy import Energy

CUSTOMERS = 100_000
ZONE = ZoneInfo("America/Chicago")
MONTH = date(2026, 6, 1)
PRICE_CHANGE = date(2026, 6, 10)
RATES = ("ameren-mo-anytime", "ameren-mo-evening-morning", "ameren-mo-overnight", "ameren-mo-smart")
DAYS_AFTER = 3


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Args:
        fleet: the customers of the world.
        spent_s: seconds by name.
        verdict: against the truth.
        balanced: its energy and the ledger.
    """

    fleet: Fleet
    spent_s: dict[str, float] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    balanced: Balanced = field(default_factory=Balanced)


def run() -> dict[str, Any]:
    """Measure and return the figures in the shape of ``openami bench``."""
    count = int(os.environ.get("OPENAMI_BENCH_CUSTOMERS", CUSTOMERS))
    found = uvloop.run(measure(count))
    return {"durability": "PostgreSQL and interval store, fsync at each commit", **document(found)}


async def measure(count: int, *, seed: int = 1) -> Outcome:
    """Fill the engines with a world, let the month pass day by day, and judge what was billed."""
    fleet, rates = world(count, seed), rates_of_the_month()
    found, progress = Outcome(fleet), Progress()
    async with engines() as (meters, own, store):
        billing = Billing(meters=meters, book=PostgresBillBook(own), rates=rates)
        began = time.perf_counter()
        filled = await _fill(fleet, meters, billing, store, progress)
        found.spent_s["filling"] = time.perf_counter() - began
        await _pass(fleet, billing, store, filled, found, progress)
        began = time.perf_counter()
        found.verdict = await judged(fleet, billing.book, rates, progress, days=DAYS_AFTER)
        found.spent_s["judging"] = time.perf_counter() - began
        after = local_midnight(fleet.energy.customers.last_day, ZONE) + timedelta(days=DAYS_AFTER + 1)
        found.balanced = await balanced(fleet, meters, own, at=after, progress=progress)
    return found


def world(count: int, seed: int) -> Fleet:
    """Return the customers of the month."""
    calendar = BusinessDayCalendar()
    read_days = {}
    for group in range(1, BILL_GROUPS + 1):
        days = calendar.read_days(group, MONTH - timedelta(days=40), MONTH + timedelta(days=40))
        of_month = {d.revenue_month: d.read_on for d in days}
        read_days[group] = (of_month[(MONTH - timedelta(days=1)).replace(day=1)], of_month[MONTH])
    return Fleet.of(Energy(Customers(seed, count, len(RATES), read_days), ZONE), RATES)


def rates_of_the_month() -> dict[str, RateSchedule]:
    """Return the rates, the first with a price that changes in the month."""
    found = {code: demonstration_rates()[code] for code in RATES}
    first = found[RATES[0]]
    now = first.versions[-1]
    dearer = tuple(
        replace(p, blocks=tuple(Block(b.price + Decimal("0.01"), b.up_to) for b in p.blocks)) for p in now.periods
    )
    versions = (
        *first.versions[:-1],
        replace(now, effective_to=PRICE_CHANGE),
        replace(now, periods=dearer, effective_from=PRICE_CHANGE),
    )
    return found | {first.code: replace(first, versions=versions)}


@asynccontextmanager
async def engines() -> AsyncIterator[tuple[MeterData, AsyncEngine, SocketStore]]:
    """Start a database and a store in temporary folders; the engine is of billing's own role."""
    with _database() as postgres:
        mdm, own = (create_async_engine(postgres.url(role)) for role in ("openami_mdm", "openami_billing"))
        try:
            async with store_of_its_own() as store:
                meters = MeterData(registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm))
                yield meters, own, store
        finally:
            # A database that is told to stop waits for its clients.
            await mdm.dispose()
            await own.dispose()


@contextmanager
def _database() -> Iterator[PostgresEngine]:
    with tempfile.TemporaryDirectory(prefix="oa-cycle-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = PostgresEngine(folder / "pg", folder / "s")
        with (folder / "log").open("wb") as log, running_database(postgres, log):
            postgres.ensure_database()
            migrate(postgres.url(SUPERUSER))
            yield postgres


async def _fill(fleet: Fleet, meters: MeterData, billing: Billing, store: SocketStore, progress: Progress) -> Filled:
    filled = await fill_store(fleet, store, progress)
    await fill_registry(fleet, meters.registry, filled.taken_down)
    progress.say("the registry is filled")
    customers = fleet.energy.customers
    late_rows = set(customers.with_fate(Fate.LATE_MASTER_DATA).tolist())
    in_time = [r for r in range(customers.count) if r not in late_rows]
    await assign_rates(fleet, billing, in_time, at=fleet.midnight)
    days = (fleet.energy.last_day - customers.first_day).days + 1
    done = [customers.first_day + timedelta(days=k) for k in range(days)]
    await meters.book.mark_done(ZONE.key, done, run_id=uuid4(), at=fleet.midnight)
    return filled


async def _pass(
    fleet: Fleet, billing: Billing, store: SocketStore, filled: Filled, found: Outcome, progress: Progress
) -> None:
    """Let the days pass: what is late arrives, then bills are closed, at six in the morning."""
    customers = fleet.energy.customers
    day = min(end for _, end in customers.read_days.values())
    closing = 0.0
    while day <= customers.last_day + timedelta(days=DAYS_AFTER):
        now = local_midnight(day, ZONE) + timedelta(hours=6)
        await late_arrivals(store, filled.late.get(day, ()))
        entered = [
            r for r in customers.with_fate(Fate.LATE_MASTER_DATA).tolist()
            if customers.read_days[int(customers.bill_group[r])][1] + timedelta(days=1) == day
        ]  # fmt: skip
        await assign_rates(fleet, billing, entered, at=now)
        began = time.perf_counter()
        report = await billing.close_due(now)
        spent = time.perf_counter() - began
        closing += spent
        progress.say(f"closed {day}: {report.issued:,} issued, {report.held:,} held, {spent:.1f} s")
        day += timedelta(days=1)
    found.spent_s["closing"] = closing


def document(found: Outcome) -> dict[str, Any]:
    """Return an outcome as ``openami bench`` prints it."""
    fleet, verdict = found.fleet, found.verdict
    count = fleet.energy.customers.count
    fates = Counter(Fate(f).name.lower() for f in fleet.energy.customers.fate[verdict.late].tolist())
    figures: Mapping[str, tuple[float, str]] = {
        "customers": (count, "customers"),
        "bills issued": (verdict.issued, "bills"),
        "billed by scheduled day + 3, no hand": (100 * (1 - len(verdict.late) / count), "%"),
        **{f"  not billed: {name}": (n, "customers") for name, n in sorted(fates.items())},
        "bills with another energy or price than the truth": (len(verdict.wrong), "bills"),
        **{f"  reads {name}": (n, "bills") for name, n in sorted(verdict.by_state.items())},
        "bills priced again by the reference engine": (verdict.priced, "bills"),
        "energy of actual bills": (verdict.billed_wh, "Wh"),
        "energy truly used in them": (verdict.truth_wh, "Wh"),
        **found.balanced.figures(),
        "filling": (found.spent_s["filling"], "s"),
        "judging": (found.spent_s["judging"], "s"),
        "closing the month": (found.spent_s["closing"], "s"),
        "bills closed": (verdict.issued / max(found.spent_s["closing"], 1e-9), "bills/s"),
    }
    return {
        "figures": {name: {"value": value, "unit": unit} for name, (value, unit) in figures.items()},
        "peers": {},
        "ratio": {},
        "wrong": [*verdict.wrong, *found.balanced.faults],
    }
