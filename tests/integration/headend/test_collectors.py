"""From the gateway's word to a finding that staff can read, over the real bus and database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from nats.aio.client import Client
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine
from openami.contracts.health import CollectorWord, HealthReport, LinkPresence
from openami.contracts.stream import health_subject
from openami.headend.adapters.collector_words import JetStreamWords
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.collectors.finding import CollectorRule
from openami.headend.collectors.watch import CollectorWatch
from openami.kernel.time import EPOCH
from openami.network.adapters.health import JetStreamHealth

pytestmark = pytest.mark.engines
T0 = 1_780_000_000_000
WELL = HealthReport(
    uptime_s=60,
    is_enclosure_open=False,
    is_on_backup_supply=False,
    latitude_e7=387_000_000,
    longitude_e7=-904_000_000,
    cell=4_101,
    certificate_days_left=400,
    spool_frames=0,
    clock_ms=T0,
)


def word(number: int, *, at_ms: int = T0, report: HealthReport = WELL) -> CollectorWord:
    return CollectorWord(number, 1, LinkPresence.OPEN, T0, at_ms, at_ms, T0, report=report)


@dataclass
class Rig:
    gateway: JetStreamHealth
    raw: Client
    book: PostgresCollectors
    watch: CollectorWatch
    now_ms: int = T0

    def now(self) -> datetime:
        return EPOCH + timedelta(milliseconds=self.now_ms)

    async def said(self, *words: CollectorWord, at_ms: int) -> set[tuple[int, str]]:
        """Let the gateway say this, look once, and return what is open then."""
        self.now_ms = at_ms
        await self.gateway.tell(words)
        await self.watch.look()
        return {(f.condition.collector_id, f.condition.rule) for f in await self.book.findings(open_only=True)}


@pytest.fixture
async def rig(nats_server: NatsEngine, postgres: PostgresEngine) -> AsyncIterator[Rig]:
    engine = create_async_engine(postgres.url("openami_headend"))
    gateway = await connect(nats_server.url("gateway"), name="test-gateway")
    core = await connect(nats_server.url("headend_dmz"), name="test-headend")
    book = PostgresCollectors(engine)
    made = Rig(JetStreamHealth(gateway), gateway, book, None)  # type: ignore[arg-type]
    made.watch = CollectorWatch(JetStreamWords(core), book, real_now=made.now)
    yield made
    for client in (gateway, core):
        await client.close()
    await engine.dispose()


async def test_a_door_opens_a_collector_moves_and_both_findings_end_when_all_is_as_it_was(rig: Rig) -> None:
    assert await rig.said(word(7), word(8), at_ms=T0 + 1_000) == set()
    away = replace(word(7, at_ms=T0 + 10_000), opened_at_ms=T0 + 9_000, report=replace(WELL, latitude_e7=388_000_000))
    both = {(7, CollectorRule.ENCLOSURE_OPEN), (7, CollectorRule.MOVED)}
    assert await rig.said(away, at_ms=T0 + 11_000) == both
    assert await rig.said(away, at_ms=T0 + 20_000) == both
    day_ms = 86_400_000
    assert (
        await rig.said(word(7, at_ms=T0 + 2 * day_ms), word(8, at_ms=T0 + 2 * day_ms), at_ms=T0 + 2 * day_ms) == set()
    )
    kept = await rig.book.findings(open_only=False)
    assert {(f.condition.rule, f.condition.since_ms) for f in kept if f.ended_ms} == {
        (CollectorRule.ENCLOSURE_OPEN, T0 + 9_000), (CollectorRule.MOVED, T0 + 10_000),
    }  # fmt: skip


async def test_three_missed_heartbeats_are_a_finding_without_another_word(rig: Rig) -> None:
    gone = replace(word(7), presence=LinkPresence.GONE, cause="closed")
    assert await rig.said(gone, at_ms=T0 + 60_000) == set()
    assert await rig.said(at_ms=T0 + 90_000) == {(7, CollectorRule.SILENT)}
    assert await rig.said(word(7, at_ms=T0 + 100_000), at_ms=T0 + 100_000) == set()


async def test_a_head_end_that_starts_anew_knows_the_last_word_of_each_collector(
    rig: Rig, nats_server: NatsEngine
) -> None:
    for second in range(30):
        await rig.gateway.tell([word(7, at_ms=T0 + 1_000 * second), word(9)])
    core = await connect(nats_server.url("headend_dmz"), name="test-second")
    source = JetStreamWords(core)
    assert {(w.collector_id, w.told_at_ms) for w in await source.read()} == {(7, T0 + 29_000), (9, T0)}
    await source.close()
    await core.close()


async def test_an_older_word_changes_nothing_and_what_is_no_word_is_left_out(rig: Rig) -> None:
    newer = replace(word(7, at_ms=T0 + 50_000), report=replace(WELL, cell=5))
    await rig.said(newer, at_ms=T0 + 50_000)
    await rig.raw.jetstream().publish(health_subject(7), b'{"presence":"open","collector_id":7}')
    await rig.said(word(7), at_ms=T0 + 51_000)
    fleet = await rig.book.fleet()
    assert fleet[7].word == newer
    assert fleet[7].home is not None
    assert fleet[7].home.cell == 5


async def test_a_person_says_that_a_collector_belongs_where_it_is_and_takes_another_off_the_watch(rig: Rig) -> None:
    moved = replace(WELL, longitude_e7=-903_000_000, cell=77)
    await rig.said(word(7), word(8), at_ms=T0)
    open_now = await rig.said(word(7, at_ms=T0 + 1, report=moved), at_ms=T0 + 1_000)
    assert open_now == {(7, CollectorRule.MOVED), (7, CollectorRule.OTHER_CELL)}
    assert await rig.book.accept_home(7)
    assert await rig.book.retire(8, is_retired=True)
    assert not await rig.book.accept_home(99)
    assert await rig.said(at_ms=T0 + 2_000) == set()
    assert set(await rig.book.fleet()) == {7}


async def test_staff_pages_read_findings_and_write_none(rig: Rig, postgres: PostgresEngine) -> None:
    await rig.said(replace(word(7), opened_at_ms=T0), at_ms=T0 + 1_000)
    engine = create_async_engine(postgres.url("openami_portal"))
    portal = PostgresCollectors(engine)
    assert len(await portal.findings(open_only=True)) == 1
    assert set(await portal.fleet()) == {7}
    with pytest.raises(ProgrammingError):
        await portal.retire(7, is_retired=True)
    await engine.dispose()
