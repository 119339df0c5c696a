"""``bench vee``: one local day of a fleet, from stored readings to validated versions, with the rules as they stand.

1.25 million homes by default (``OPENAMI_BENCH_METERS`` for another size): use, feed-in and voltage by quarter-hours,
both midnights' register reads, four weeks of digests, and gaps as in the field. The store is a process of its own over
its socket; this process validates in two threads. Then the same with pandas on a part of the homes, scaled by homes.

Not in it: who hung where comes as columns, not from PostgreSQL, and findings are counted, not written there.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import uvloop

from openami.app.bench.store import store_of_its_own
from openami.app.bench.vee_fleet import CHANNELS, DAY, PER_DAY, ZONE, BenchFleet
from openami.contracts.channel import Channel
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s, local_midnight
from openami.mdm.adapters.store_fleet import SocketFleetStore
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.facts import FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, InstalledMeter, Meter, ServicePoint
from openami.mdm.validation.fleet import day as fleet_day
from openami.mdm.validation.fleet import gaps as fleet_gaps
from openami.mdm.validation.fleet import run as fleet_run
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.references import ReferenceSource
from openami.mdm.validation.run import Validation
from openami.mdm.validation.table import Stamp
from openami.mdm.vee.ruleset import RuleBook
from openami.security.access.scope import Purpose, system_scope

METERS = 1_250_000
PANDAS_HOMES = 500
HOURS_PER_WRITE = 6
ROWS_PER_WRITE = 1_000_000
POINTS_PER_WRITE = 3_500
SETTLE_SECONDS = 120
_SCOPE = system_scope(process="bench", purpose=Purpose.VALIDATION)
_KNOWN_AT = local_midnight(DAY + timedelta(days=1), ZONE) + timedelta(minutes=30)


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    meters = int(os.environ.get("OPENAMI_BENCH_METERS", METERS))
    figures, spent = uvloop.run(measure(meters))
    readings = meters * len(CHANNELS) * PER_DAY
    peers, ratio = _pandas(BenchFleet(PANDAS_HOMES))
    for name, seconds in spent.items():
        ratio[f"{name} / pandas, per reading"] = (readings / seconds) / ratio["readings/s of pandas"]
    del ratio["readings/s of pandas"]
    durability = "fsync of each insert and its folder before it is acknowledged"
    return {"durability": durability, "figures": figures, "peers": {"pandas": peers}, "ratio": ratio}


async def measure(meters: int) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    """Fill a store, validate the day, and validate it again; return figures, and seconds by name."""
    fleet = BenchFleet(meters)
    readings = meters * len(CHANNELS) * PER_DAY
    async with store_of_its_own() as store:
        began = time.perf_counter()
        await _fill(store, fleet)
        filled = time.perf_counter() - began
        await _settled(store)
        clock, store_cpu, own_cpu = _KernelClock(), _store_seconds(), time.process_time()
        began = time.perf_counter()
        first = await _validated(store, fleet)
        spent = time.perf_counter() - began
        store_cpu, own_cpu = _store_seconds() - store_cpu, time.process_time() - own_cpu
        kernels, threads = clock.stop()
        began = time.perf_counter()
        again = await _validated(store, fleet)
        repeated = time.perf_counter() - began
    figures: dict[str, dict[str, object]] = {
        "homes": _figure(meters, "homes"),
        "readings of the day": _figure(readings, "readings"),
        "filling the store": _figure(filled, "s"),
        "kernels, of one core": _figure(kernels, "s"),
        "kernels and laying out, of one core": _figure(threads, "s"),
        "stored to validated": _figure(spent, "s"),
        "  processor of this process": _figure(own_cpu, "s"),
        "  processor of the store": _figure(store_cpu, "s"),
        "  of it plain days": _figure(first.plain_s, "s"),
        "  of it series with gaps": _figure(spent - first.plain_s, "s"),
        "readings stored to validated": _figure(readings / spent, "readings/s"),
        "versions": _figure(first.versions, "days"),
        "findings": _figure(first.findings, "findings"),
        "series of the careful road": _figure(first.careful, "series"),
        "validated again": _figure(repeated, "s"),
        "versions of the second time": _figure(again.versions, "days"),
    }
    return figures, {"kernels": kernels, "stored to validated": spent}


@dataclass(slots=True)
class _Done:
    versions: int
    findings: int
    careful: int
    plain_s: float


async def _validated(store: SocketStore, fleet: BenchFleet) -> _Done:
    """Validate the day on both roads, as the worker does."""
    book, registry = _Book(), _Places(fleet)
    began = time.perf_counter()
    references = ReferenceSource(registry=cast("Registry", registry), store=store, scope=_SCOPE)
    road = fleet_run.FleetDay(store, SocketFleetStore(store), cast("ValidationBook", book), _SCOPE, references)
    report = await road.run(fleet.grid, fleet.roster, CHANNELS, Stamp(Channel.DELIVERED, uuid4(), _KNOWN_AT))
    plain_s = time.perf_counter() - began
    validation = Validation(registry=cast("Registry", registry), store=store, book=cast("ValidationBook", book))
    versions, careful = report.versions, 0
    for channel in CHANNELS:
        points = report.careful[channel]
        careful += len(points)
        if points:
            done = await validation.run(points, DAY, DAY, run_id=uuid4(), known_at=_KNOWN_AT, channels=[channel])
            versions += done.versions
    return _Done(versions, book.kept, careful, plain_s)


async def _fill(store: SocketStore, fleet: BenchFleet) -> None:
    """Write readings in the order of their coming, then registers and what is remembered.

    The next is made in a thread while the last is written.
    """
    homes = max(1, ROWS_PER_WRITE // (HOURS_PER_WRITE * 4 * len(CHANNELS)))

    def raw() -> Iterator[Callable[[], Awaitable[None]]]:
        for hour in range(0, 24, HOURS_PER_WRITE):
            columns = slice(hour * 4, (hour + HOURS_PER_WRITE) * 4)
            for at in range(0, fleet.meters, homes):
                batch = fleet.readings(slice(at, at + homes), columns)
                yield partial(store.write_readings, batch, token=f"raw-{hour}-{at}")

    def days() -> Iterator[Callable[[], Awaitable[None]]]:
        for number, (table, digests) in enumerate(fleet.remembered(POINTS_PER_WRITE)):
            yield partial(store.write_days, table, token=f"days-{number}", digests=digests)

    await _written(raw())
    for at in range(0, fleet.meters, ROWS_PER_WRITE // 4):
        await store.write_registers(fleet.register_reads(slice(at, at + ROWS_PER_WRITE // 4)), token=f"reads-{at}")
    early, first = fleet.before_long_gaps()
    if len(early):
        await store.write_readings(early, token="early")  # noqa: S106
        await store.write_registers(first, token="first")  # noqa: S106
    await _written(days())


async def _written(acts: Iterator[Callable[[], Awaitable[None]]]) -> None:
    """Do one act after the other, and make the next one meanwhile."""
    writing: asyncio.Future[None] | None = None
    while True:
        act = await asyncio.to_thread(next, acts, None)
        if writing is not None:
            await writing
        if act is None:
            return
        writing = asyncio.ensure_future(act())


async def _settled(store: SocketStore) -> None:
    """Wait until the store has merged what came, as it has by half an hour after midnight."""
    parts, since = -1, time.perf_counter()
    while time.perf_counter() - since < SETTLE_SECONDS:
        now = sum(s.parts for s in await store.table_sizes(_SCOPE))
        if now == parts:
            return
        parts = now
        await asyncio.sleep(5)


def _store_seconds() -> float:
    """Return the processor time of our child, the store [s]."""
    own = os.getpid()
    child = Path(f"/proc/{own}/task/{own}/children").read_text().split()[0]
    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _KernelClock:
    """Adds up the processor time of the kernel, and of a shard's whole thread, wherever they run."""

    KERNEL = ((fleet_day, "filled"), (fleet_day, "judged"), (fleet_gaps, "filled"))
    THREAD = ((fleet_run, "_settle"), (fleet_run, "_fill_part"), (fleet_run, "inputs_over_weeks"))

    def __init__(self) -> None:
        self._spent = {"kernel": 0.0, "thread": 0.0}
        self._plain = [
            (room, name, room.__dict__[name], kind)
            for kind, places in (("kernel", self.KERNEL), ("thread", self.THREAD))
            for room, name in places
        ]
        for room, name, work, kind in self._plain:
            room.__dict__[name] = self._timed(kind, work)

    def stop(self) -> tuple[float, float]:
        """Put everything back; return both sums [s]."""
        for room, name, work, _ in self._plain:
            room.__dict__[name] = work
        return self._spent["kernel"], self._spent["thread"]

    def _timed(self, kind: str, work: Any) -> Any:
        def timed(*args: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*args, **named)
            finally:
                self._spent[kind] += time.thread_time() - began

        return timed


@dataclass(slots=True)
class _Book:
    """Counts findings, and has the rules that the package ships."""

    kept: int = 0

    async def rule_book(self) -> RuleBook:
        """See ``ValidationBook``."""
        return RuleBook()

    async def keep_findings(self, _keys: Sequence[Any], findings: Sequence[DayFinding], **_at: datetime) -> None:
        """See ``ValidationBook``."""
        self.kept += len(findings)

    async def refresh_findings(self, _keys: Sequence[Any], _findings: Sequence[DayFinding], **_at: datetime) -> int:
        """See ``ValidationBook``."""
        return 0


@dataclass(slots=True)
class _Places:
    """The registry of the fleet, for the few places that the careful road asks about."""

    fleet: BenchFleet
    _row_of: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._row_of = {bytes(self.fleet.point[row]): row for row in range(self.fleet.meters)}

    @property
    def facts(self) -> _Places:
        """No facts."""
        return self

    async def of(self, *_asked: Any, **_named: Any) -> list[Any]:
        """See ``FactBook``."""
        return []

    async def kinds(self) -> frozenset[FactKind]:
        """See ``FactBook``."""
        return frozenset()

    async def touched_since(self, *_asked: Any) -> frozenset[UUID]:
        """See ``FactBook``."""
        return frozenset()

    async def holidays(self, _first: date, _last: date) -> dict[str, frozenset[date]]:
        """See ``FactBook``."""
        return {}

    async def members_of_cells(self, _cells: Collection[str]) -> dict[str, list[UUID]]:
        """See ``Registry``."""
        return {}

    async def installed(self, service_points: Collection[UUID], _period: Period) -> list[InstalledMeter]:
        """See ``Registry``."""
        since = instant_from_epoch_s(int(self.fleet.grid.edge_s[0])) - timedelta(days=400)
        found = []
        for point in service_points:
            meter = uuids_of(self.fleet.meter[self._row_of[point.bytes]][None])[0]
            device = Meter(meter, meter.hex, since, capacity_wh=10**9)
            found.append(InstalledMeter(Installation(meter, point, meter, since), device))
        return found

    async def service_points(self, ids: Collection[UUID]) -> list[ServicePoint]:
        """See ``Registry``."""
        return [ServicePoint(i, str(ZONE), datetime(2020, 1, 1, tzinfo=UTC)) for i in ids]


def _figure(value: float, unit: str) -> dict[str, object]:
    return {"value": float(value), "unit": unit}


def _pandas(fleet: BenchFleet) -> tuple[dict[str, dict[str, object]], dict[str, float]]:
    """Validate a small part with pandas from frames in memory: nothing is read or written."""
    if importlib.util.find_spec("pandas") is None:
        return {"not installed": _figure(0, "")}, {"readings/s of pandas": float("nan")}
    from openami.app.bench import vee_pandas

    frames = [_frames(fleet, channel) for channel in CHANNELS]
    began = time.process_time()
    for readings, registers, history in frames:
        vee_pandas.validated(readings, registers, history, limit=12_000)
    spent = time.process_time() - began
    count = fleet.meters * len(CHANNELS) * PER_DAY
    figures = {
        "homes": _figure(fleet.meters, "homes"),
        "frames in memory to frames": _figure(spent, "s"),
        "readings": _figure(count / spent, "readings/s"),
        "for 1.25 million homes": _figure(spent * METERS / fleet.meters, "s"),
    }
    return figures, {"readings/s of pandas": count / spent}


def _frames(fleet: BenchFleet, channel: Channel) -> tuple[Any, Any, Any]:
    pd: Any = importlib.import_module("pandas")
    values = fleet.values[channel].astype(np.int64)
    lost = fleet.lost.get(channel, np.zeros(values.shape, bool))
    row, slot = np.nonzero(~lost)
    readings = pd.DataFrame({"series": row, "slot": slot, "value": values[row, slot], "flag": 0})
    index = pd.RangeIndex(fleet.meters, name="series")
    total = values.sum(axis=1)
    registers = pd.DataFrame({"first": 5_000_000, "last": 5_000_000 + total}, index=index)
    history = pd.DataFrame({"mean_total": total, "last_total": total + 1}, index=index)
    return readings, registers, history
