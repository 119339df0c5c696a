"""Frames leave the quarantine once each: when their device becomes known, or when two people have said so."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive import Directive, DirectiveKind
from openami.contracts.directive_body import Released, encode_known_titles
from openami.contracts.frame import SealedFrame, decode_frame_batch
from openami.contracts.stream import partition_of_octets
from openami.kernel.clock import FixedClock
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.publisher import Publisher
from openami.network.gateway.quarantine import QUARANTINE, Quarantine
from openami.network.gateway.refused import newest_refused
from openami.network.gateway.releaselog import ReleaseLog, released_ids
from openami.network.gateway.releases import Releases
from openami.network.gateway.segment import SegmentWriter
from openami.network.gateway.thinning import OCTETS_AN_HOUR, SAMPLE_AN_HOUR, Thinning
from openami.network.gateway.titles import DirectedTitles
from openami.network.link import LinkMessage, MessageType
from openami.network.ports import NO_MARK, FrameStreamConflictError, FrameStreamError, Mark, StreamMessage

TITLE = b"OAM\0\0\0\0\1"
OTHER = b"OAM\0\0\0\0\2"


@dataclass
class MemoryStream:
    """A stream with fences, that may lose a batch or the answer to it."""

    dice: random.Random | None = None
    messages: list[StreamMessage] = field(default_factory=list)

    async def read_mark(self, collector_id: int) -> Mark:
        for place in range(len(self.messages), 0, -1):
            message = self.messages[place - 1]
            if message.subject == f"dmz.mark.v1.{collector_id}":
                return Mark(json.loads(message.payload)["seq"], place)
        return NO_MARK

    async def commit(self, messages: Sequence[StreamMessage], *, batch_id: str) -> int:
        fate = self.dice.choice(["kept", "kept", "lost", "answer lost"]) if self.dice else "kept"
        await asyncio.sleep(0)
        if fate == "lost":
            raise FrameStreamError(fate)
        for message in messages:
            if message.expected_sequence is not None and message.expected_sequence != self._last(message.subject):
                raise FrameStreamConflictError("another was faster")
        self.messages += messages
        if fate == "answer lost":
            raise FrameStreamError(fate)
        return len(self.messages)

    def _last(self, subject: str) -> int:
        places = [place for place, message in enumerate(self.messages, 1) if message.subject == subject]
        return places[-1] if places else 0

    def frames(self) -> list[SealedFrame]:
        batches = [m.payload for m in self.messages if m.subject.startswith("dmz.frame.")]
        return [frame for octets in batches for frame in decode_frame_batch(octets).frames]


@dataclass
class Run:
    """One run of a gateway's inside."""

    publisher: Publisher
    releases: Releases
    titles: DirectedTitles

    def knows(self, *titles: bytes, number: int = 1) -> None:
        part = partition_of_octets(titles[0])
        body = encode_known_titles(dict.fromkeys(titles, 0))
        self.titles.take(Directive(DirectiveKind.KNOWN_TITLES, part, number, 1, body))
        self.releases.titles_changed()

    def released(self, *ids: bytes) -> None:
        self.releases.take_released(Directive(DirectiveKind.RELEASE, 0, 1, 1, Released(frozenset(ids)).encode()))

    def live(self, seq: int, title: bytes) -> bool:
        """A frame comes from a collector now; tell whether it passed."""
        message = LinkMessage(int(MessageType.FRAME), 2, seq, title, 1_000 + seq, b"live " + title)
        if self.titles.least_suite(title) is None:
            self.publisher.refuse(9, message, RefusalReason.UNKNOWN_TITLE)
            return False
        self.publisher.add(9, message)
        return True


@asynccontextmanager
async def running(folder: Path, stream: MemoryStream, *, known: bool = False) -> AsyncIterator[Run]:
    titles = DirectedTitles()
    if not known:
        for title in (TITLE, OTHER):
            part = partition_of_octets(title)
            titles.take(Directive(DirectiveKind.KNOWN_TITLES, part, 1, 1, b""))

    def committed(last_seq: dict[int, int], refused: Sequence[RefusedFrame]) -> None:
        releases.refused(refused)
        if -1 in last_seq:
            releases.committed(last_seq[-1])

    def failed() -> None:
        releases.failed()

    publisher = Publisher(
        gateway_id=1, stream=stream, segments=SegmentWriter(folder / "segments"),
        quarantine=Quarantine(folder / QUARANTINE), clock=FixedClock(datetime(2026, 7, 1, tzinfo=UTC)),
        real_today=lambda: date(2026, 7, 1), batch_prefix="t", gather_s=0.001, max_octets=100_000,
        on_committed=committed, on_failed=failed,
    )  # fmt: skip
    await publisher.read_mark(9)
    releases = Releases(gateway_id=1, folder=folder / QUARANTINE, titles=titles, publisher=publisher)
    tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(releases.run())]
    try:
        yield Run(publisher, releases, titles)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def quarantined(
    folder: Path, count: int, *, title: bytes = TITLE, reason: RefusalReason = RefusalReason.UNKNOWN_TITLE
) -> list[RefusedFrame]:
    # A collector of its own for each reason: a frame that came twice is listed once.
    by = 7 + list(RefusalReason).index(reason) if reason is not RefusalReason.UNKNOWN_TITLE else 7
    frames = [RefusedFrame(by, seq, reason, title, 100 + seq, b"frame %d" % seq, 1) for seq in range(count)]
    Quarantine(folder / QUARANTINE).append(frames, refused_at_ms=5)
    return frames


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.gateway.releases.LOOK_EVERY_S", 0.01)


async def test_a_device_that_becomes_known_is_heard_from_its_first_frame_on_and_in_order(tmp_path: Path) -> None:
    mine, others = quarantined(tmp_path, 60), quarantined(tmp_path, 3, title=OTHER)
    stream = MemoryStream()
    async with running(tmp_path, stream) as run:
        await asyncio.sleep(0.1)
        assert not stream.frames()
        run.knows(TITLE, number=2)
        # The live frame of that moment waits behind what came before it.
        first_live = run.live(1, TITLE)
        await until(lambda: len(stream.frames()) >= 60)
        await until(lambda: run.live(2, TITLE))
        await until(lambda: len(stream.frames()) >= 61 + (not first_live))
    got = stream.frames()
    assert [f.octets for f in got[:60]] == [f.octets for f in mine]
    assert (got[0].collector_id, got[0].seq, got[0].frame_class, got[0].collected_at_ms) == (7, 0, 1, 100)
    assert not first_live
    assert all(f.system_title.octets == TITLE for f in got)
    assert not any(f.frame_id in released_ids(tmp_path / QUARANTINE) for f in others)
    shown = {f.frame_id: f.is_released for f in newest_refused(tmp_path, limit=500)}
    assert shown[mine[59].frame_id.hex()]


async def test_people_release_what_says_nothing_against_the_frame_and_nothing_else(tmp_path: Path) -> None:
    late = quarantined(tmp_path, 5, reason=RefusalReason.STOLEN_COLLECTOR)
    weak = quarantined(tmp_path, 5, title=OTHER, reason=RefusalReason.DOWNGRADE)
    stream = MemoryStream()
    async with running(tmp_path, stream, known=True) as run:
        run.released(late[1].frame_id, late[3].frame_id, weak[2].frame_id, bytes(16))
        await until(lambda: len(stream.frames()) >= 2)
        run.released(late[1].frame_id, late[3].frame_id, late[4].frame_id)
        await until(lambda: len(stream.frames()) >= 3)
        await asyncio.sleep(0.1)
    assert [f.octets for f in stream.frames()] == [late[i].octets for i in (1, 3, 4)]
    assert run.releases.counts["releases_refused"] == 1
    listed = {f.seq: f for f in newest_refused(tmp_path, limit=50) if f.reason is RefusalReason.STOLEN_COLLECTOR}
    assert {seq for seq, f in listed.items() if f.is_released} == {1, 3, 4}
    assert {seq for seq, f in listed.items() if f.is_releasable} == {0, 2}


@pytest.mark.parametrize("seed", range(3))
async def test_each_frame_leaves_once_through_lost_batches_lost_answers_and_kills(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    frames = quarantined(tmp_path, 400)
    stream = MemoryStream(dice)
    for life in range(20):
        async with running(tmp_path, stream, known=True) as run:
            run.released(*(f.frame_id for f in frames[: 20 * (life + 1)]))
            await asyncio.sleep(dice.random() * 0.05)
    stream.dice = None
    async with running(tmp_path, stream, known=True) as run:
        run.released(*(f.frame_id for f in frames))
        await until(lambda: len(stream.frames()) >= 400)
        await asyncio.sleep(0.05)
    assert sorted(f.octets for f in stream.frames()) == sorted(f.octets for f in frames)


async def test_a_mark_that_aged_out_of_the_stream_releases_nothing_again(tmp_path: Path) -> None:
    frames = quarantined(tmp_path, 3)
    stream = MemoryStream()
    async with running(tmp_path, stream, known=True):
        await until(lambda: len(stream.frames()) >= 3)
        await asyncio.sleep(0.05)
    assert len(frames) == 3
    stream.messages = [m for m in stream.messages if "mark" not in m.subject]
    async with running(tmp_path, stream, known=True):
        await asyncio.sleep(0.2)
    assert len(stream.frames()) == 3


def test_the_log_of_releases_survives_torn_lines_and_junk(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path)
    ids = [bytes([n]) * 16 for n in range(5)]
    assert log.give_numbers(ids[:3]) == 1
    log.taken(2)
    file = tmp_path / "released"
    with file.open("ab") as out:
        out.write(b"zz\n4 nothex\n4 " + b"0" * 20)
    again = ReleaseLog(tmp_path)
    assert again.beyond(again.acked) == [(3, ids[2])]
    assert again.give_numbers(ids[3:]) == 4
    assert ReleaseLog(tmp_path).beyond(0) == list(enumerate(ids, 1))
    assert released_ids(tmp_path) == set(ids)


@pytest.mark.attack("A33")
def test_a_flood_of_junk_leaves_a_sample_and_pushes_out_nothing_that_may_pass_later(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / QUARANTINE, file_octets=100_000, max_files=4)
    held = RefusedFrame(8, 1, RefusalReason.UNKNOWN_TITLE, OTHER, 5, b"sealed by a meter whose keys come tomorrow")
    quarantine.append([held], refused_at_ms=5)
    flood = [RefusedFrame(7, n, RefusalReason.BAD_ENVELOPE, TITLE, 5, bytes(100)) for n in range(20_000)]
    thinned = sum(quarantine.append(flood[i : i + 500], refused_at_ms=5) for i in range(0, 20_000, 500))
    assert thinned == 20_000 - SAMPLE_AN_HOUR
    found = newest_refused(tmp_path, limit=1_000)
    assert {f.frame_id for f in found if f.reason is RefusalReason.UNKNOWN_TITLE} == {held.frame_id.hex()}
    assert sum(f.reason is RefusalReason.BAD_ENVELOPE for f in found) == SAMPLE_AN_HOUR


def test_large_frames_are_thinned_by_their_octets_and_the_next_hour_begins_anew() -> None:
    thinning = Thinning()
    large = RefusedFrame(7, 1, RefusalReason.UNKNOWN_TITLE, TITLE, 5, bytes(65_536))
    kept = sum(thinning.keeps(large, now_ms=5) for _ in range(2_000))
    assert kept == OCTETS_AN_HOUR // 65_536
    assert thinning.keeps(RefusedFrame(8, 1, RefusalReason.UNKNOWN_TITLE, TITLE, 5, b"x"), now_ms=5)
    assert thinning.keeps(large, now_ms=3_600_000)
