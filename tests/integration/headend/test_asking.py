"""A head-end on real engines asks meters for what did not come, and a killed one's successor goes on where it stood."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from tests.integration.headend.conftest import GROUPS, Rig

from openami.app.bench.pushes import FIRST_END
from openami.app.settings import real_now
from openami.contracts.channel import Channel
from openami.contracts.frame import SealedFrame
from openami.headend.adapters.books_postgres import PostgresFleetBooks
from openami.headend.adapters.columns_postgres import PostgresColumnSheets
from openami.headend.adapters.jetstream import JetStreamFrames, JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.adapters.requests_postgres import PostgresRequests
from openami.headend.group import Engines
from openami.headend.keeping.missing import IntervalState
from openami.headend.keeping.request import DONE_KEPT_S, Lane, Request, RequestKind, RequestState
from openami.headend.keeping.roster import Hung, Roster
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.profiles import profile_of
from openami.headend.profiles.columns import disagreements
from openami.headend.profiles.model import Scale
from openami.headend.service import Headend
from openami.headend.session.group_work import AskingEngines
from openami.headend.session.session import Sessions
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, instant_from_epoch_s
from openami.security.keys.shipment import parse_shipment
from openami.security.keys.table import KeyTable
from openami.sim.factory import shipment_document
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

pytestmark = pytest.mark.engines
ZONE = "America/Chicago"
START_S = epoch_s(FIRST_END) - 900
HOURS = 5
END_S = START_S + HOURS * 3600
METERS = 3
LOST = (4, 5, 9)
"""Quarter-hours whose pushes never arrive."""
WAIT_S = 20.0


@dataclass
class Fleet:
    """Roster source and road down of a few simulated meters."""

    world: WeekWorld
    downlink: WeekDownlink = field(init=False)
    is_stuck: bool = False

    def __post_init__(self) -> None:
        self.downlink = WeekDownlink(self.world, at_s=END_S + 60.0)

    async def roster(self) -> Roster:
        return Roster(
            [Hung(m.made.meter_id, m.made.identity.title, START_S, None, ZONE, "C1") for m in self.world.meters]
        )

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        while self.is_stuck:
            await asyncio.sleep(0.05)
        return await self.downlink.exchange(title, octets, timeout_s=timeout_s)

    def asking(self, rig: Rig) -> AskingEngines:
        sessions = Sessions(
            sealing=WeekSealing(self.world),
            downlink=self,
            own_title=HEADEND_TITLE,
            secret=lambda n: uuid4().bytes[:n],
            monotonic=time.monotonic,
        )
        return AskingEngines(
            PostgresRequests(rig.state),
            self,
            sessions,
            JetStreamOutbox(rig.core),
            lambda: 0.5,
            columns=PostgresColumnSheets(rig.state),
        )

    def headend(self, rig: Rig, owner: str = "one") -> Headend:
        table = KeyTable()
        engines = Engines(
            source=JetStreamFrames(rig.dmz),
            outbox=JetStreamOutbox(rig.core),
            store=PostgresGroupStore(rig.state),
            keys=KeyFeed(rig.vault, table),
            clock=rig.clock,
            real_now=real_now,
            monotonic=time.monotonic,
            asking=self.asking(rig),
        )
        return Headend(owner=owner, groups=GROUPS, zone=ZONE, table=table, engines=engines)


@pytest.fixture
async def fleet(rig: Rig) -> Fleet:
    air = Air(push_loss=0.0, exchange_loss=0.0, spread_s=5, way_s=0.1)
    world = WeekWorld(meters=METERS, cells=1, seed=2, start_s=START_S, zone=ZoneInfo(ZONE), air=air)
    document = shipment_document([m.made for m in world.meters], shipment_id="week", made_at=FIRST_END)
    await rig.vault.import_shipment(parse_shipment(json.dumps(json.loads(document)).encode()), at=FIRST_END)
    frames: list[SealedFrame] = []
    for slot in range(HOURS * 4):
        heard = [frame for _, frame in world.advance(START_S + (slot + 1) * 900)]
        frames += heard if slot not in LOST else []
    await rig.send(frames)
    rig.clock.instant = instant_from_epoch_s(START_S)
    return Fleet(world)


async def until(happened: Callable[[], object]) -> None:
    """Wait until an awaitable function gives something true."""
    async with asyncio.timeout(WAIT_S):
        while not await happened():  # type: ignore[misc]
            await asyncio.sleep(0.1)


def missing_rows(fleet: Fleet) -> set[tuple[str, int]]:
    return {(str(m.made.meter_id), START_S + slot * 900) for m in fleet.world.meters for slot in LOST}


async def delivered(rig: Rig) -> list[tuple[str, int]]:
    return [(meter, start) for meter, channel, start, _, _ in await rig.emitted() if channel == Channel.DELIVERED]


async def states(rig: Rig) -> dict[str, int]:
    async with rig.state.begin() as connection:
        rows = await connection.execute(text("select state, count(*) from headend.request group by state"))
        return {state: int(n) for state, n in rows.all()}


async def test_lost_pushes_are_read_from_the_meters_once(rig: Rig, fleet: Fleet) -> None:
    async with rig.running(fleet.headend(rig)):
        # Coverage begins with the group; then the hours pass.
        await asyncio.sleep(1.0)
        rig.clock.instant = instant_from_epoch_s(END_S + 60)

        async def recovered() -> bool:
            return missing_rows(fleet) <= set(await delivered(rig)) and set(await states(rig)) == {"done"}

        await until(recovered)
    assert len(await delivered(rig)) >= METERS * (HOURS * 4 - 2)
    books = PostgresFleetBooks(rig.state)
    memory = await books.memory_of(fleet.world.meters[0].made.identity.title, START_S // 900, HOURS * 4 - 3)
    assert memory is not None
    assert set(memory.states) == {IntervalState.RECEIVED}
    assert sum(r.counts[-1] for r in await books.levels(FIRST_END.date())) > 0


async def test_what_a_killed_owner_was_asking_for_is_asked_by_the_next(rig: Rig, fleet: Fleet) -> None:
    fleet.is_stuck = True
    first = asyncio.create_task(fleet.headend(rig).run(asyncio.Event()))
    await asyncio.sleep(1.0)
    rig.clock.instant = instant_from_epoch_s(END_S + 60)

    async def is_running() -> bool:
        return (await states(rig)).get("running", 0) == METERS

    await until(is_running)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await states(rig)).get("running") == METERS
    fleet.is_stuck = False
    async with rig.running(fleet.headend(rig)):

        async def recovered() -> bool:
            return missing_rows(fleet) <= set(await delivered(rig)) and set(await states(rig)) == {"done"}

        await until(recovered)


async def test_a_person_gets_register_and_voltage_in_seconds(rig: Rig, fleet: Fleet) -> None:
    books, meter = PostgresFleetBooks(rig.state), fleet.world.meters[1]
    rig.clock.instant = instant_from_epoch_s(END_S + 60)
    asked = []
    async with rig.running(fleet.headend(rig)):
        for kind in (RequestKind.READ_NOW, RequestKind.PING):
            now = real_now()
            request = Request(
                uuid4(), meter.made.meter_id, meter.made.identity.title, kind, Lane.PERSON, END_S, END_S,
                epoch_s(now), expires_s=now.timestamp() + 30,
            )  # fmt: skip
            await books.ask(request, asked_by="test")
            asked.append(request.request_id)

        async def answered() -> bool:
            return {a.request.state for a in await books.asked(meter.made.meter_id, limit=10)} == {RequestState.DONE}

        await until(answered)
    found = {a.request.request_id: a for a in await books.asked(meter.made.meter_id, limit=10)}
    registers, ping = (found[i] for i in asked)
    shown = int(meter.meter.registers.shown_wh()[0][0])
    assert {f.name: f.value for f in registers.figures}["delivered"] == shown
    assert [(f.name, f.unit) for f in ping.figures] == [("voltage", "V")]
    assert ping.request.words == "the meter answers and has 240.0 V"
    # No head-end runs that would clear the table; what is a day old is shown no more.
    async with rig.state.begin() as connection:
        older = text("update headend.request set ended_at_s = ended_at_s - :age where request_id = :id")
        await connection.execute(older, {"age": DONE_KEPT_S - 60, "id": asked[0]})
        await connection.execute(older, {"age": DONE_KEPT_S + 60, "id": asked[1]})
    assert [a.request.request_id for a in await books.asked(meter.made.meter_id, limit=10)] == [asked[0]]


async def test_what_a_meter_says_of_its_columns_is_kept(rig: Rig, fleet: Fleet) -> None:
    books, meter = PostgresFleetBooks(rig.state), fleet.world.meters[2].made
    rig.clock.instant = instant_from_epoch_s(END_S + 60)
    request = Request(
        uuid4(), meter.meter_id, meter.identity.title, RequestKind.COLUMNS, Lane.PERSON, END_S, END_S,
        epoch_s(real_now()), expires_s=real_now().timestamp() + 30,
    )  # fmt: skip
    sheets = PostgresColumnSheets(rig.state)
    async with rig.running(fleet.headend(rig)):
        await books.ask(request, asked_by="test")

        async def kept() -> bool:
            return bool(await sheets.sheets_of([meter.meter_id]))

        await until(kept)
    found = {sheet.subject: sheet for sheet in await sheets.sheets_of([meter.meter_id])}
    profile = profile_of("oam-1")
    load_profile = found[profile.reads["load_profile"].obis]
    assert [c.scale for c in load_profile.columns] == [None, None, Scale(0, 30), Scale(0, 30), Scale(-1, 35)]
    assert load_profile.request_id == request.request_id
    assert disagreements(profile, found.values()) == {}
