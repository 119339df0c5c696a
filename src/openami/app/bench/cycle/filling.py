"""Fill registry, store and billing with a simulated cycle's customers, as the platform would have heard of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np

from openami.app.bench.cycle.telling import Progress
from openami.billing.api import Billing
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import Source
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.time import local_midnight
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.sim.billing.customers import Fate
from openami.sim.billing.energy import BLOCK, Block, Energy, midnights_s

APPROVED_W = 20_000
BEFORE = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The customers with the ids that the platform knows them by.

    Args:
        energy: what they use.
        places, meters, new_meters, accounts, next_accounts: by customer.
        rate_codes: rates by the world's number.
    """

    energy: Energy
    places: Sequence[UUID]
    meters: Sequence[UUID]
    new_meters: Sequence[UUID]
    accounts: Sequence[UUID]
    next_accounts: Sequence[UUID]
    rate_codes: Sequence[str]

    @classmethod
    def of(cls, energy: Energy, rate_codes: Sequence[str]) -> Fleet:
        """Return the fleet of a world."""
        ids = [energy.customers.ids(kind) for kind in range(1, 6)]
        return cls(energy, ids[0], ids[1], ids[2], ids[3], ids[4], rate_codes)

    @property
    def midnight(self) -> datetime:
        """The instant with which everything begins."""
        return local_midnight(self.energy.customers.first_day, self.energy.zone)

    def begin_day(self, row: int) -> date:
        """Return the read day on which a customer's cycle begins."""
        return self.energy.customers.read_days[int(self.energy.customers.bill_group[row])][0]

    def rate_code(self, row: int) -> str:
        """Return the rate that a customer begins on; who sends energy out is on the first."""
        customers = self.energy.customers
        return self.rate_codes[0 if customers.is_net[row] else int(customers.rate[row])]

    def next_rate_code(self, row: int) -> str:
        """Return the rate that a customer switches to."""
        at = self.rate_codes.index(self.rate_code(row))
        return self.rate_codes[(at + 1) % len(self.rate_codes)]


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """What arrives late of some customers: the days that were estimated, and the reads that were missed."""

    name: str
    days: DayTable
    reads: RegisterBatch
    customers: int


@dataclass(slots=True)
class Filled:
    """What one pass over the customers' energy gave beside what it wrote.

    Args:
        values: written.
        taken_down: what the old meters of exchanges showed when they were taken down, by customer.
        late: what arrives late, by the day on which it does.
    """

    values: int = 0
    taken_down: dict[int, dict[Channel, int]] = field(default_factory=dict)
    late: dict[date, list[Late]] = field(default_factory=lambda: defaultdict(list))


async def fill_registry(fleet: Fleet, registry: Registry, taken_down: Mapping[int, Mapping[Channel, int]]) -> None:
    """Enter places, meters, who hung where, whose account it is and what may feed in.

    Args:
        fleet: the customers.
        registry: to fill.
        taken_down: what the old meters of exchanges showed, by customer.
    """
    energy, at, customers = fleet.energy, fleet.midnight, fleet.energy.customers
    rows = range(customers.count)
    await registry.add_service_points(
        [
            ServicePoint(p, energy.zone.key, at, bill_group=int(customers.bill_group[r]))
            for r, p in enumerate(fleet.places)
        ]
    )
    exchanged = customers.with_fate(Fate.EXCHANGE).tolist()
    hung = {r: fleet.meters[r] for r in rows}
    await registry.add_meters(
        [_meter(m, f"C{r}", at, is_net=bool(customers.is_net[r])) for r, m in hung.items()]
        + [_meter(fleet.new_meters[r], f"X{r}", at, is_net=bool(customers.is_net[r])) for r in exchanged]
    )
    ends = {r: energy.event_at(r) for r in exchanged}
    installed = [
        Installation(UUID(int=m.int ^ 1), fleet.places[r], m, at, ends.get(r), out_reads=taken_down.get(r, {}))
        for r, m in hung.items()
    ]
    zero = {Channel.DELIVERED: 0}
    installed += [
        Installation(
            UUID(int=fleet.new_meters[r].int ^ 1), fleet.places[r], fleet.new_meters[r], ends[r],
            in_reads=zero | ({Channel.RECEIVED: 0} if customers.is_net[r] else {}),
        )
        for r in exchanged
    ]  # fmt: skip
    await registry.install(installed, at=at)
    await registry.facts.enter(list(_facts(fleet)), at=at, by="bench", reason="first load")


def _facts(fleet: Fleet) -> Iterator[FactEntry]:
    customers = fleet.energy.customers
    for row, place in enumerate(fleet.places):
        begin = local_midnight(fleet.begin_day(row), fleet.energy.zone)
        moved = fleet.energy.event_at(row) if customers.fate[row] == Fate.MOVE else None
        yield FactEntry(place, FactKind.ACCOUNT, str(fleet.accounts[row]), begin, moved)
        if moved is not None:
            yield FactEntry(place, FactKind.ACCOUNT, str(fleet.next_accounts[row]), moved)
        if customers.is_net[row]:
            yield FactEntry(place, FactKind.INTERCONNECTION, str(APPROVED_W), fleet.midnight)


def _meter(meter: UUID, serial: str, at: datetime, *, is_net: bool) -> Meter:
    channels = (Channel.DELIVERED, Channel.RECEIVED) if is_net else (Channel.DELIVERED,)
    return Meter(meter, serial, at, channels=channels, capacity_wh=100_000_000)


def taken_down_at(fleet: Fleet, block: Block) -> Iterator[tuple[int, dict[Channel, int]]]:
    """Yield what the old meters of a block's exchanges showed when they were taken down, by customer."""
    customers, grid = fleet.energy.customers, fleet.energy.grid
    for k in np.flatnonzero(customers.fate[block.rows] == Fate.EXCHANGE).tolist():
        row = int(block.rows[k])
        column = int(np.searchsorted(grid.start_s, int(fleet.energy.event_at(row).timestamp())))
        shown = {Channel.DELIVERED: int(block.register_wh[k, 0] + block.used_wh[k, :column].sum())}
        if customers.is_net[row]:
            shown[Channel.RECEIVED] = int(block.sent_wh[k, :column].sum())
        yield row, shown


async def assign_rates(fleet: Fleet, billing: Billing, rows: Sequence[int], *, at: datetime) -> None:
    """Put customers on their rates, and those who switch on the next one from their day."""
    customers = fleet.energy.customers
    groups: dict[tuple[str, date], list[UUID]] = {}
    for row in rows:
        groups.setdefault((fleet.rate_code(row), fleet.begin_day(row)), []).append(fleet.places[row])
    switched: dict[tuple[str, date], list[UUID]] = {}
    for row in rows:
        if customers.fate[row] == Fate.RATE_SWITCH:
            key = fleet.next_rate_code(row), customers.event_day[row]
            switched.setdefault(key, []).append(fleet.places[row])
    for (code, first), places in [*sorted(groups.items()), *sorted(switched.items())]:
        await billing.assign_rate(places, code, first_day=first, at=at)


async def blocks_ahead(energy: Energy) -> AsyncIterator[Block]:
    """Yield all customers, some at a time; the next are made while these are written or looked at."""
    numbers = range(-(-energy.customers.count // BLOCK))
    coming = asyncio.create_task(asyncio.to_thread(energy.block, 0))
    for number in numbers:
        block = await coming
        if number + 1 in numbers:
            coming = asyncio.create_task(asyncio.to_thread(energy.block, number + 1))
        yield block


async def fill_store(fleet: Fleet, store: SocketStore, progress: Progress) -> Filled:
    """Write every day and every read as they stand while late readings are away, in one pass over the energy."""
    found, number = Filled(), 0
    async for block in blocks_ahead(fleet.energy):
        for channel, values in ((Channel.DELIVERED, block.told_wh), (Channel.RECEIVED, block.sent_wh)):
            mine = np.arange(len(block.rows))
            if channel is Channel.RECEIVED:
                mine = np.flatnonzero(fleet.energy.customers.is_net[block.rows])
            if not len(mine):
                continue
            table = day_table(fleet, block, mine, channel, values, version=1)
            await store.write_days(table, token=f"days-{number}-{channel}")
            found.values += len(table.values)
        await store.write_registers(registers(fleet, block), token=f"registers-{number}")
        found.taken_down |= dict(taken_down_at(fleet, block))
        for day, late in late_of(fleet, block, number):
            found.late[day].append(late)
        number += 1
        progress.part("filling", int(block.rows[-1]) + 1, fleet.energy.customers.count)
    return found


def late_of(fleet: Fleet, block: Block, number: int) -> Iterator[tuple[date, Late]]:
    """Yield what arrives late of a block's customers, by the day on which it does."""
    customers = fleet.energy.customers
    due: dict[date, list[int]] = defaultdict(list)
    for k in np.flatnonzero(customers.fate[block.rows] == Fate.LATE_READ).tolist():
        _, end = customers.read_days[int(customers.bill_group[block.rows[k]])]
        due[end + timedelta(days=2)].append(k)
    for day, rows in due.items():
        mine = np.array(rows, np.int64)
        table = day_table(fleet, block, mine, Channel.DELIVERED, block.used_wh, version=2, only_estimated=True)
        yield day, Late(f"{day}-{number}", table, registers(fleet, block, mine, missed=True), len(mine))


async def late_arrivals(store: SocketStore, late: Sequence[Late]) -> int:
    """Write what came late; returns of how many customers."""
    for one in late:
        await store.write_days(one.days, token=f"late-days-{one.name}")
        await store.write_registers(one.reads, token=f"late-{one.name}")
    return sum(one.customers for one in late)


def day_table(
    fleet: Fleet, block: Block, mine: np.ndarray, channel: Channel, values: np.ndarray, *, version: int,
    only_estimated: bool = False,
) -> DayTable:  # fmt: skip
    """Return the versions of some customers' days; of those alone that were estimated, where only they changed."""
    grid = fleet.energy.grid
    days, per_day = len(grid.day_at) - 1, np.diff(grid.day_at)
    estimated = np.add.reduceat(block.quality[mine], grid.day_at[:-1], axis=1) > 0
    keep = estimated if only_estimated else np.ones((len(mine), days), bool)
    of, day = np.nonzero(keep)
    is_first = version == 1 and channel is Channel.DELIVERED
    columns = np.repeat(keep, per_day, axis=1)
    flat = values[mine][columns]
    zeros = np.zeros(len(flat), np.uint8)
    number = day_number(fleet.energy.customers.first_day) + day
    start = grid.start_s[grid.day_at[:-1]][day]
    return DayTable(
        service_point_id=uuid_column([fleet.places[r] for r in block.rows[mine].tolist()])[of],
        channel=np.full(len(of), channel, np.uint8),
        local_day=number.astype(np.int32),
        interval_s=np.full(len(of), 900, np.uint32),
        start_utc=start,
        version=np.full(len(of), version, np.uint64),
        known_at=start + 86_400 + 1_800,
        run_id=np.repeat(uuid_column([UUID(int=version)]), len(of)),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(per_day[day])]),
        values=flat,
        quality=block.quality[mine][columns] if is_first else zeros,
        method=block.method[mine][columns] if is_first else zeros,
        band_low=flat,
        band_high=flat,
    )


def registers(fleet: Fleet, block: Block, mine: np.ndarray | None = None, *, missed: bool = False) -> RegisterBatch:
    """Return the midnight reads that came; with ``missed`` those that had not."""
    energy, customers = fleet.energy, fleet.energy.customers
    at_s, first = midnights_s(energy), fleet.energy.grid.day_at
    meter: list[UUID] = []
    channel: list[int] = []
    at: list[np.ndarray] = []
    value: list[np.ndarray] = []
    for k in range(len(block.rows)) if mine is None else mine.tolist():
        row = int(block.rows[k])
        came = block.is_read[k] != missed
        sent = np.concatenate([np.zeros(1, np.int64), np.cumsum(block.sent_wh[k])])[first]
        for which, shown in ((Channel.DELIVERED, block.register_wh[k]), (Channel.RECEIVED, sent)):
            if which is Channel.RECEIVED and not customers.is_net[row]:
                continue
            for owner, hung, total in _hung(fleet, row, at_s, shown, block.used_wh[k], block.sent_wh[k], which):
                here = came & hung
                meter += [owner] * int(here.sum())
                channel += [int(which)] * int(here.sum())
                at.append(at_s[here])
                value.append(total[here])
    n = len(meter)
    ends = np.concatenate(at) if at else np.zeros(0, np.int64)
    counts = np.concatenate(value) if value else np.zeros(0, np.int64)
    return RegisterBatch(
        uuid_column(meter), np.array(channel, np.uint8), ends, counts % 100_000_000,
        np.full(n, Source.PUSH, np.uint8), (ends // 3600).astype(np.uint64),
    )  # fmt: skip


def _hung(
    fleet: Fleet, row: int, at_s: np.ndarray, shown: np.ndarray, used: np.ndarray, sent: np.ndarray, which: Channel
) -> Iterator[tuple[UUID, np.ndarray, np.ndarray]]:
    """Yield each meter of a place with the midnights at which it hung and what it showed at all of them."""
    if fleet.energy.customers.fate[row] != Fate.EXCHANGE:
        yield fleet.meters[row], np.ones(len(at_s), bool), shown
        return
    event_s = int(fleet.energy.event_at(row).timestamp())
    column = int(np.searchsorted(fleet.energy.grid.start_s, event_s))
    before = int((used if which is Channel.DELIVERED else sent)[:column].sum())
    yield fleet.meters[row], at_s <= event_s, shown
    yield fleet.new_meters[row], at_s > event_s, shown - int(shown[0]) - before
