"""Billing reads by cycle and by request from a real registry and a real book of bills: sent, answered, sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.contract.store.fake_store import FakeStore

from openami.app.engines.postgres import PostgresEngine
from openami.app.exchange.exchange_desk import Rooms
from openami.app.exchange.exchange_out import keep
from openami.app.exchange.exchange_reads import Wanted, billing_reads, of_cycle
from openami.app.settings import Home, Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Billing
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import Method, QualityState, Source
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import local_day, local_midnight, zone_named
from openami.mdm.adapters.exchange_postgres import PostgresExchangeBook
from openami.mdm.adapters.exchange_sent_postgres import PostgresSentBook
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.api import Installation, Meter, MeterData, ServicePoint
from openami.mdm.exchange.acknowledgement import Answer, Result
from openami.mdm.exchange.billing_reads import ReadState, record_id
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.usage.end_reads import ReadKind

pytestmark = pytest.mark.engines
ZONE = zone_named("America/Chicago")
FIRST, END = date(2026, 11, 1), date(2026, 12, 1)
BEGIN, OVER = local_midnight(FIRST, ZONE), local_midnight(END, ZONE)
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PER_DAY_WH = 9600


class World:
    """One place with whole days in November, a meter since January, and reads at both midnights."""

    def __init__(self, rooms: Rooms, store: FakeStore) -> None:
        self.rooms, self.store = rooms, store
        self.point, self.meter = uuid4(), uuid4()

    async def build(self, *, days: int = 30, estimated: int = 0, exchanged: bool = False) -> None:
        registry = self.rooms.data.registry
        await registry.add_service_points([ServicePoint(self.point, ZONE.key, LONG_AGO, bill_group=3)])
        await self.hang(self.meter, LONG_AGO, BEGIN + timedelta(days=10) if exchanged else None)
        await self.read(self.meter, BEGIN, 1_000_000)
        after = self.meter
        if exchanged:
            after = uuid4()
            await self.hang(after, BEGIN + timedelta(days=10), None, reads={Channel.DELIVERED: 5, Channel.RECEIVED: 0})
        await self.read(after, OVER, 1_000_000 + 30 * PER_DAY_WH)
        await self.store.write_days(DayTable.from_rows([self.day(n, estimated) for n in range(days)]), token="t")
        await self.rooms.billing.assign_rate([self.point], "ameren-mo-anytime", first_day=date(2026, 10, 1), at=NOW)

    async def hang(
        self, meter: UUID, start: datetime, end: datetime | None, reads: dict[Channel, int] | None = None
    ) -> None:
        await self.rooms.data.registry.add_meters([Meter(meter, f"SN-{meter.hex[:8]}", LONG_AGO)])
        out = {Channel.DELIVERED: 1_096_000, Channel.RECEIVED: 0} if end else {}
        row = Installation(uuid4(), self.point, meter, start, end, 1, reads or {}, out)
        await self.rooms.data.registry.install([row], at=NOW)

    async def read(self, meter: UUID, at: datetime, value: int) -> None:
        batch = RegisterBatch(
            uuid_column([meter] * 2), np.array([1, 2], np.uint8), np.array([at.timestamp()] * 2, np.int64),
            np.array([value, 0], np.int64), np.full(2, Source.PUSH, np.uint8), np.array([1, 2], np.uint64),
        )  # fmt: skip
        await self.store.write_registers(batch, token=f"{meter}{at}")

    def day(self, number: int, estimated: int) -> DayVersion:
        day = FIRST + timedelta(days=number)
        period = local_day(day, ZONE)
        count = period.duration_s // 900
        value = np.full(count, PER_DAY_WH // count, np.int64)
        value[0] += PER_DAY_WH - int(value.sum())
        quality = np.full(count, QualityState.ACTUAL, np.uint8)
        quality[: estimated if number == 0 else 0] = QualityState.ESTIMATED
        method = np.where(quality == QualityState.ESTIMATED, Method.WEIGHTED, Method.MEASURED).astype(np.uint8)
        return DayVersion(
            self.point, Channel.DELIVERED, day, 900, period.start, 1, NOW, uuid4(), value, quality, method, value, value
        )


@pytest.fixture
async def world(postgres: PostgresEngine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mdm = create_async_engine(postgres.url("openami_mdm"))
    own = create_async_engine(postgres.url("openami_billing"))
    store = FakeStore(FixedClock(NOW))
    data = MeterData(registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm))
    settings = Settings(Home(tmp_path_factory.mktemp("home")))
    billing = Billing(meters=data, book=PostgresBillBook(own), rates=base_rates())
    yield World(Rooms(data, billing, PostgresExchangeBook(mdm), PostgresSentBook(mdm), settings), store)
    await mdm.dispose()
    await own.dispose()


async def test_a_cycle_gives_reads_at_both_midnights_and_quantities_that_add_up(world: World) -> None:
    await world.build(estimated=4)
    (wanted,) = await of_cycle(world.rooms, "CIS", 3, FIRST, END)
    assert wanted == Wanted(world.point, str(world.point), FIRST, END)
    (read,) = await billing_reads(world.rooms, [wanted])
    assert read.state is ReadState.ESTIMATED_INTERVALS
    delivered = [p for p in read.pieces if p.channel is Channel.DELIVERED]
    assert [(p.begin.at, p.end.at, p.begin.kind, p.usage_wh) for p in delivered] == [
        (BEGIN, OVER, ReadKind.SCHEDULED, 30 * PER_DAY_WH)
    ]
    by_name = {(d.name, d.period): d.quantity for d in read.determinants}
    assert by_name["delivered", ""] == 30 * PER_DAY_WH == delivered[0].usage_wh
    periods = [q for (name, period), q in by_name.items() if name == "delivered" and period]
    assert sum(periods) == 30 * PER_DAY_WH
    assert read.versions == (1, 1)


async def test_a_bill_group_is_the_one_that_holds_on_the_first_day(world: World) -> None:
    await world.build()
    move = FactEntry(world.point, FactKind.BILL_GROUP, "8", BEGIN + timedelta(days=5))
    await world.rooms.data.registry.facts.enter([move], at=NOW)
    assert await of_cycle(world.rooms, "CIS", 8, FIRST, END) == []
    assert len(await of_cycle(world.rooms, "CIS", 8, END, date(2027, 1, 1))) == 1
    assert len(await of_cycle(world.rooms, "CIS", 3, FIRST, END)) == 1


async def test_an_exchange_within_the_bill_gives_a_piece_for_each_meter(world: World) -> None:
    await world.build(exchanged=True)
    (read,) = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    delivered = [p for p in read.pieces if p.channel is Channel.DELIVERED]
    at = BEGIN + timedelta(days=10)
    assert [(p.begin.at, p.begin.kind, p.end.at, p.end.kind) for p in delivered] == [
        (BEGIN, ReadKind.SCHEDULED, at, ReadKind.INSTALLER), (at, ReadKind.INSTALLER, OVER, ReadKind.SCHEDULED),
    ]  # fmt: skip
    assert [p.usage_wh for p in delivered] == [96_000, 1_000_000 + 30 * PER_DAY_WH - 5]


async def test_a_read_near_the_boundary_keeps_its_own_instant(world: World) -> None:
    await world.build()
    world.store.reads = {k: replace(r, start=r.start + 3600) for k, r in world.store.reads.items()}
    (read,) = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    assert {p.begin.kind for p in read.pieces} == {ReadKind.NEAREST}
    assert read.pieces[0].begin.at == BEGIN + timedelta(hours=1)


async def test_a_received_register_that_nobody_reads_makes_no_estimated_bill_where_nothing_was_received(
    world: World,
) -> None:
    await world.build()
    world.store.reads = {k: r for k, r in world.store.reads.items() if r.channel == Channel.DELIVERED}
    (read,) = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    assert {p.channel for p in read.pieces} == {Channel.DELIVERED}
    assert read.state is ReadState.ACTUAL


async def test_a_span_with_a_day_that_was_not_validated_is_held_with_the_reason(world: World) -> None:
    await world.build(days=29)
    (read,) = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    assert read.state is ReadState.HELD
    assert "1 of 30 days" in read.reason
    assert read.determinants == ()


async def test_what_was_sent_is_kept_as_it_was_and_waits_until_it_is_taken(world: World) -> None:
    await world.build()
    reads = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    sent = await keep(world.rooms, "CIS", "cycle-3", reads, form="flat")
    assert sent.states == {"actual": 1, "estimated_intervals": 0, "estimated": 0, "held": 0}
    assert (await world.rooms.sent.file("CIS", sent.message)) == ("flat", sent.text)
    number = record_id(reads[0])
    assert [r.record for r in await world.rooms.sent.open("CIS", limit=10)] == [number]
    refused = [Answer("bill", number, 3, Result.REJECTED, "high", "twice last month")]
    assert await world.rooms.sent.answered("CIS", sent.message, refused, at=NOW) == []
    (waiting,) = await world.rooms.sent.open("CIS", limit=10)
    assert (waiting.result, waiting.reason) == (Result.REJECTED, "twice last month")
    taken = [Answer("bill", number, 3, Result.ACCEPTED), Answer("bill", "NOT-OURS", 4, Result.ACCEPTED)]
    assert await world.rooms.sent.answered("CIS", sent.message, taken, at=NOW) == ["NOT-OURS"]
    assert await world.rooms.sent.open("CIS", limit=10) == []
    counts = await world.rooms.sent.counts("CIS", FIRST, END)
    assert (counts.sent, counts.taken, counts.rejected, counts.unanswered) == (1, 1, 0, 0)


async def test_a_resend_replaces_what_was_not_answered(world: World) -> None:
    await world.build()
    reads = await billing_reads(world.rooms, [Wanted(world.point, "SP-1", FIRST, END)])
    for at in (NOW, NOW + timedelta(hours=1)):
        await world.rooms.sent.note("CIS", f"M-{at:%H}", reads, "text", form="flat", at=at)
    assert [r.message for r in await world.rooms.sent.open("CIS", limit=10)] == ["M-13"]
