"""A head-end on real engines turns sealed frames into readings, and loses or repeats nothing through any crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.app.settings import real_now
from openami.contracts.channel import Channel
from openami.contracts.deadletter import RefusalReason
from openami.contracts.event import EventKind
from openami.contracts.frame import FrameClass, SealedFrame
from openami.contracts.stream import CORE_READING, PARTITIONS
from openami.headend.adapters.jetstream import JetStreamOutbox
from openami.headend.adapters.postgres import PostgresGroupStore
from openami.headend.group import GroupWorker
from openami.headend.listening.intake import Outcome
from openami.headend.listening.progress import Progress
from openami.headend.listening.window import CounterWindows
from openami.headend.ports import BusUnavailableError, HeadendError, LostLeaseError
from openami.headend.service import group_partitions
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s
from openami.protocol.envelope import wrap
from openami.protocol.envelope.stream import HdlcReader
from openami.protocol.push import EventRow, RegisterRow, event_body, load_profile_body, register_body
from openami.security.keys.shipment import parse_shipment
from openami.security.keys.table import KeyTable

pytestmark = pytest.mark.engines


def expected_rows(factory: PushFactory, frames: int) -> set[tuple[str, int, int, int, int]]:
    """Rows that ``factory.profile_frames(frames)`` stands for, made from the values before they were sealed."""
    rows = set()
    for i in range(frames):
        turn, number = divmod(i, len(factory.meters))
        meter, message = str(factory.meters[number].meter_id), (1 << 32) | (1 + turn)
        end = datetime.fromtimestamp(epoch_s(FIRST_END) + 3600 * turn, UTC)
        for row in factory.rows(number, end=end):
            start = epoch_s(row.end) - 900
            rows |= {
                (meter, Channel.DELIVERED.value, start, row.delivered_wh, message),
                (meter, Channel.RECEIVED.value, start, row.received_wh, message),
                (meter, Channel.VOLTAGE.value, start, row.voltage_dv, message),
            }
    return rows


async def test_frames_of_all_partitions_become_readings(rig: Any) -> None:
    frames = rig.factory.profile_frames(200)
    async with rig.running(rig.headend()):
        await rig.send(frames[:100])
        await rig.send(frames[100:])
        await rig.until_counted(200)
    rows = await rig.emitted()
    assert (len(rows), set(rows)) == (2400, expected_rows(rig.factory, 200))
    counts = await rig.status.counts(now=real_now())
    assert (counts.frames, counts.accepted, counts.refused, counts.groups) == (200, 200, {}, 4)
    last = await rig.status.last_frames(limit=10)
    assert (len(last), {x.invocation_counter for x in last}, {x.frames for x in last}) == (10, {5}, {5})
    assert await rig.status.last_frame_of(rig.factory.meters[0].meter_id) is not None


async def test_registers_events_and_unassigned_meters_need_no_registry(rig: Any) -> None:
    factory, at = rig.factory, datetime(2026, 1, 5, 6, tzinfo=UTC)
    bodies = [register_body([RegisterRow(at, 5_000, 7)]), event_body([EventRow(at, 0, 1)])]
    async with rig.running(rig.headend()):
        await rig.send([factory.frame(n, factory.octets(n, 1, body)) for n, body in enumerate(bodies)])
        await rig.until_counted(2)
    (batch,) = await rig.registers()
    assert batch.value.tolist() == [5_000, 7]
    (event,) = await rig.events()
    assert (event.kind, event.meter_id) == (EventKind.POWER_DOWN, factory.meters[1].meter_id)


async def test_bad_frames_become_letters_and_disturb_nothing(rig: Any) -> None:
    factory, stranger = rig.factory, PushFactory(meters=1, seed=9)
    good = factory.profile_frames(40)
    body = load_profile_body(factory.rows(0))
    altered = factory.profile_push(0, 50)
    bad = {
        RefusalReason.BAD_TAG: altered[:-1] + bytes([altered[-1] ^ 1]),
        RefusalReason.DOWNGRADE: factory.octets(0, 51, body, control=0x20),
        RefusalReason.COUNTER_JUMP: factory.profile_push(0, 2_000_002),
        RefusalReason.REPLAY: factory.profile_push(0, 1),
    }
    forged = factory.octets(0, 2**32 - 1, body, key=bytes(range(16)))
    async with rig.running(rig.headend()):
        await rig.send(good)
        for octets in [*bad.values(), forged]:
            await rig.send([factory.frame(0, octets)])
        await rig.send([stranger.frame(0, stranger.profile_push(0, 1))])
        await rig.send([factory.frame(0, factory.profile_push(0, 2))])
        await rig.until_counted(47)
    letters = await rig.letters()
    assert sorted(x.reason for x in letters) == sorted([*bad, RefusalReason.BAD_TAG, RefusalReason.UNKNOWN_TITLE])
    assert len(await rig.emitted()) == 41 * 12
    shown = await rig.status.dead_letters()
    assert {x.letter_id for x in shown} == {x.letter_id for x in letters}
    older = await rig.status.dead_letters(before=shown[2].letter_id)
    assert [x.letter_id for x in older] == [x.letter_id for x in shown[3:]]
    counts = await rig.status.counts(now=real_now())
    assert (counts.accepted, counts.refused[RefusalReason.BAD_TAG]) == (41, 2)


async def test_a_held_counter_is_released_by_a_person_once_and_stays_so_through_a_restart(rig: Any) -> None:
    factory = rig.factory
    held = [factory.frame(0, factory.profile_push(0, counter)) for counter in (2_000_002, 2_000_003)]
    async with rig.running(rig.headend()):
        await rig.send(factory.profile_frames(40))
        await rig.send(held[:1])
        await rig.until_counted(41)
        (letter,) = await rig.status.dead_letters()
        assert (letter.reason, letter.released_at) == (RefusalReason.COUNTER_JUMP, None)
        by = {"by": uuid4(), "at": FIRST_END, "reason": "meter replaced its memory"}
        assert [await rig.status.release_counter(letter.letter_id, **by) for _ in range(2)] == [True, False]
        assert not await rig.status.release_counter("1-7", **by)
    # Nothing came in between, so the snapshot is older than the release: the next owner must not forget it.
    async with rig.running(rig.headend("two")):
        await rig.send(held[1:])
        await rig.until_counted(42)
    assert (await rig.status.counts(now=real_now())).accepted == 41
    assert [x.released_at for x in await rig.status.dead_letters()] == [FIRST_END]


async def test_a_shipment_taken_while_it_runs_is_used_without_restart(rig: Any) -> None:
    late = PushFactory(meters=3, seed=5)
    async with rig.running(rig.headend()):
        await rig.send(rig.factory.profile_frames(40))
        await rig.until_counted(40)
        await asyncio.sleep(0.6)
        await rig.ship(late, "late")
        await rig.send(late.profile_frames(3))
        await rig.until_counted(43)
    assert await rig.letters() == []


class CrashingOutbox:
    """Publishes, then kills its head-end as the answer comes: the worst moment of all."""

    def __init__(self, inner: JetStreamOutbox, crash_at: int) -> None:
        self._inner = inner
        self._left = crash_at
        self.crashed = asyncio.Event()

    async def publish(self, outcome: Outcome, *, group: int, subject_partition: int) -> None:
        """Publish, or publish and die."""
        await self._inner.publish(outcome, group=group, subject_partition=subject_partition)
        self._left -= 1
        if self._left <= 0:
            self.crashed.set()
            await asyncio.Event().wait()


@pytest.mark.attack("A2")
@pytest.mark.parametrize("crash_at", [1, 2, 5])
async def test_a_crash_after_publishing_re_emits_the_same_rows_under_the_same_ids(rig: Any, crash_at: int) -> None:
    outbox = CrashingOutbox(JetStreamOutbox(rig.core), crash_at)
    task = asyncio.create_task(rig.headend(outbox=outbox).run(asyncio.Event()))
    for start in range(0, 160, 20):
        await rig.send(rig.factory.profile_frames(160)[start : start + 20])
    await asyncio.wait_for(outbox.crashed.wait(), 10)
    # Every worker goes at once, without a snapshot and without giving its lease back.
    for other in asyncio.all_tasks():
        if GroupWorker.__name__ in repr(other):
            other.cancel()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with rig.running(rig.headend()):
        await rig.until_counted(160)
    rows = await rig.emitted()
    assert set(rows) == expected_rows(rig.factory, 160)
    assert len(rows) > len(set(rows))
    counts = await rig.status.counts(now=real_now())
    assert (counts.frames, counts.accepted, await rig.letters()) == (160, 160, [])


@pytest.mark.attack("A1")
async def test_a_replay_is_still_known_after_restart(rig: Any) -> None:
    frames = rig.factory.profile_frames(40)
    async with rig.running(rig.headend()):
        await rig.send(frames)
        await rig.until_counted(40)
    await rig.purge(CORE_READING)
    async with rig.running(rig.headend()):
        await rig.send(frames)
        await rig.until_counted(80)
    assert await rig.emitted() == []
    assert {x.reason for x in await rig.letters()} == {RefusalReason.REPLAY}


async def test_windows_survive_as_a_base_and_many_changes(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.headend.listening.progress.MIN_BASE_OCTETS", 900)
    monkeypatch.setattr("openami.headend.group.SNAPSHOT_S", 0.05)
    async with rig.running(rig.headend()):
        for turn in range(6):
            await rig.send(rig.factory.profile_frames(240)[40 * turn : 40 * turn + 40])
            await rig.until_counted(40 * (turn + 1))
    async with rig.running(rig.headend()):
        await rig.send(rig.factory.profile_frames(240))
        await rig.until_counted(480)
    counts = await rig.status.counts(now=real_now())
    assert (counts.accepted, counts.refused) == (240, {RefusalReason.REPLAY: 240})


async def test_two_head_ends_share_the_groups_and_one_takes_over(rig: Any) -> None:
    one, two = rig.headend("one"), rig.headend("two")

    async def shared() -> bool:
        return (len(one.groups_owned), len(two.groups_owned)) == (2, 2)

    async def taken_over() -> bool:
        return len(two.groups_owned) == 4

    async with rig.running(two):
        async with rig.running(one):
            await rig.until(shared)
            assert one.groups_owned | two.groups_owned == frozenset(range(4))
            await rig.send(rig.factory.profile_frames(80)[:40])
            await rig.until_counted(40)
        await rig.until(taken_over)
        await rig.send(rig.factory.profile_frames(80)[40:])
        await rig.until_counted(80)
    assert sorted(await rig.emitted()) == sorted(expected_rows(rig.factory, 80))


def progress_at(position: int, *, since: int = 0) -> Progress:
    progress = Progress(group_partitions(0, 4), position, since)
    progress.frames = 1
    return progress


async def test_an_owner_whose_fence_has_passed_can_write_nothing(rig: Any) -> None:
    store, now = PostgresGroupStore(rig.state), real_now()
    await store.prepare(4)
    (old,) = await store.acquire("one", limit=1, working=[], now=now, until=now)
    (new,) = await store.acquire("two", limit=1, working=[], now=real_now(), until=real_now())
    assert (new.group, new.fence) == (old.group, old.fence + 1)
    snapshot = progress_at(7).snapshot(CounterWindows(), KeyTable(), now_ms=0)
    with pytest.raises(LostLeaseError):
        await store.write(old, snapshot)
    assert await store.pages(old.group) == []
    assert await store.renew([old], until=real_now()) == set()
    await store.release(old)
    await store.write(new, snapshot)
    assert await store.renew([new], until=real_now()) == {new.group}
    assert (await rig.status.counts(now=real_now())).frames == 1


async def test_a_write_whose_answer_was_lost_is_not_counted_twice(rig: Any) -> None:
    store, now = PostgresGroupStore(rig.state), real_now()
    await store.prepare(4)
    (lease,) = await store.acquire("one", limit=1, working=[], now=now, until=now)
    await store.write(lease, progress_at(7).snapshot(CounterWindows(), KeyTable(), now_ms=0))
    with pytest.raises(LostLeaseError):
        await store.write(lease, progress_at(9).snapshot(CounterWindows(), KeyTable(), now_ms=0))
    assert (await rig.status.counts(now=real_now())).frames == 1
    assert (await store.acquire("one", limit=1, working=[], now=now, until=now))[0].position == 7


async def test_another_number_of_groups_is_refused_with_the_mend(rig: Any) -> None:
    store = PostgresGroupStore(rig.state)
    await store.prepare(4)
    await store.prepare(4)
    with pytest.raises(HeadendError, match="another number of groups"):
        await store.prepare(8)


def test_groups_hold_every_partition_once() -> None:
    held = sorted(p for g in range(8) for p in group_partitions(g, 8))
    assert held == list(range(PARTITIONS))


class StutteringOutbox:
    """Fails a few times before it publishes."""

    def __init__(self, inner: JetStreamOutbox, failures: int) -> None:
        self._inner = inner
        self._failures = failures

    async def publish(self, outcome: Outcome, *, group: int, subject_partition: int) -> None:
        """Fail or publish."""
        if self._failures > 0:
            self._failures -= 1
            raise BusUnavailableError("made up")
        await self._inner.publish(outcome, group=group, subject_partition=subject_partition)


async def test_a_bus_that_is_away_for_a_while_costs_nothing(rig: Any) -> None:
    async with rig.running(rig.headend(outbox=StutteringOutbox(JetStreamOutbox(rig.core), 3))):
        await rig.send(rig.factory.profile_frames(40))
        await rig.until_counted(40)
    assert sorted(await rig.emitted()) == sorted(expected_rows(rig.factory, 40))


async def test_a_drained_head_end_leaves_no_consumer_behind(rig: Any) -> None:
    async with rig.running(rig.headend()):
        await rig.send(rig.factory.profile_frames(40))
        await rig.until_counted(40)
    assert await rig.consumers() == []


def carried(telegram: bytes) -> bytes:
    """Return a captured HDLC telegram as a collector passes it on: the whole sealed APDU in a wrapper."""
    (sealed,) = HdlcReader().receive(telegram)
    assert isinstance(sealed, bytes)
    return wrap(1, 103, sealed)


async def test_the_captured_e450_push_becomes_register_reads_in_its_zone(rig: Any, shared_data: Path) -> None:
    telegrams: Sequence[dict[str, Any]] = json.loads((shared_data / "telegrams/telegrams.json").read_text())[
        "telegrams"
    ]
    told = next(t for t in telegrams if t["name"] == "dlms_parser/hdlc_landis_gyr_e450")
    title = told["security"]["system_title"]
    shipment = {
        "shipment_id": "E450", "made_at": "2022-01-01T00:00:00Z", "maker": "LGZ", "profile": "lg-e450",
        "meters": [{
            "system_title": title, "serial": "E450", "zone": "Europe/Zurich",
            "encryption_key": told["keys"]["encryption"], "authentication_key": told["keys"]["authentication"],
        }],
    }  # fmt: skip
    await rig.vault.import_shipment(parse_shipment(json.dumps(shipment).encode()), at=FIRST_END)
    octets = carried(bytes.fromhex(told["hex"]))
    frame = SealedFrame(1, 1, FrameClass.PROFILE, SystemTitle.from_hex(title), 0, octets)
    async with rig.running(rig.headend()):
        await rig.send([frame])
        await rig.until_counted(1)
    assert await rig.letters() == []
    (batch,) = await rig.registers()
    got = dict(zip(batch.channel.tolist(), batch.value.tolist(), strict=True))
    numbers = told["expected"]["numbers"]
    assert got[Channel.DELIVERED] == numbers["1.0.1.8.0.255"]
    assert got[Channel.RECEIVED] == numbers["1.0.2.8.0.255"]
    assert got[Channel.DELIVERED_RATE_1] == numbers["1.0.1.8.1.255"]
    assert got[Channel.DELIVERED_RATE_2] == numbers["1.0.1.8.2.255"]
    # 17:37:30 in Zurich in February is 16:37:30 UTC.
    assert set(batch.at.tolist()) == {epoch_s(datetime(2022, 2, 21, 16, 37, 30, tzinfo=UTC))}
