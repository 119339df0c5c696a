"""The collector's part of the road down: one at a time, in time, once; a hostile gateway gets nowhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.command import OutcomeKind, Refusal
from openami.contracts.frame import MAX_FRAME_OCTETS, FrameClass
from openami.kernel.ids import SystemTitle
from openami.network.delivery import Deliveries
from openami.network.downlink import MAX_TIME_LEFT_MS, Result, decode_down, encode_down
from openami.network.intake import OfferedFrame
from openami.network.link import LinkError
from openami.network.ports import DeliveryError, UnknownMeterError
from openami.network.spool import SpoolFullError
from openami.protocol.envelope.wrapper import wrap

METER, OTHER = SystemTitle(b"OAM\0\0\0\0\1"), SystemTitle(b"OAM\0\0\0\0\2")
FRAME = wrap(2, 1, b"\xdb sealed")
ANSWER = wrap(1, 2, b"\xdb answer")


@dataclass
class Rig:
    """Meters that answer when they are let, a spool, and what was told."""

    answers: list[bytes] = field(default_factory=lambda: [ANSWER])
    raises: Exception | None = None
    spool_raises: Exception | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: list[tuple[SystemTitle, bytes]] = field(default_factory=list)
    offered: list[OfferedFrame] = field(default_factory=list)
    told: list[tuple[int, Result]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(deliver=self.deliver, offer=self.offer, tell=self.tell, stamp_ms=lambda: 77)

    async def deliver(self, title: SystemTitle, octets: bytes) -> list[bytes]:
        self.delivered.append((title, octets))
        await self.go.wait()
        if self.raises is not None:
            raise self.raises
        return self.answers

    async def offer(self, frames: Sequence[OfferedFrame]) -> int:
        if self.spool_raises is not None:
            raise self.spool_raises
        self.offered += frames
        return len(self.offered)

    def tell(self, number: int, _title: bytes, result: Result) -> None:
        self.told.append((number, result))

    def down(self, number: int, *, title: SystemTitle = METER, time_left_ms: int = 5_000, frame: bytes = FRAME) -> None:
        self.deliveries.take(
            number, title.octets, encode_down(number, title.octets, frame, time_left_ms=time_left_ms)[30:]
        )

    async def until_told(self, count: int) -> list[tuple[int, OutcomeKind, Refusal]]:
        async with asyncio.timeout(5):
            while len(self.told) < count:
                await asyncio.sleep(0.001)
        return [(number, r.kind, r.refusal) for number, r in self.told]


@contextlib.asynccontextmanager
async def rig(**how: object) -> AsyncIterator[Rig]:
    made = Rig(**how)  # type: ignore[arg-type]  # the test's own words
    yield made
    await made.deliveries.close()


async def test_an_answer_goes_to_the_spool_before_its_result_is_told() -> None:
    async with rig() as r:
        r.go.set()
        r.down(4)
        assert await r.until_told(1) == [(4, OutcomeKind.ANSWERED, Refusal.NONE)]
        assert r.offered == [(FrameClass.RESPONSE, METER, 77, ANSWER)]
        assert r.told[0][1].answer == sha256(ANSWER).digest()
        assert r.delivered == [(METER, FRAME)]


@pytest.mark.parametrize(
    ("how", "kind", "refusal"),
    [
        pytest.param({"answers": []}, OutcomeKind.DELIVERED, Refusal.NONE, id="a meter that has nothing to say"),
        pytest.param({"raises": DeliveryError("lost")}, OutcomeKind.NO_ANSWER, Refusal.NONE, id="lost on the air"),
        pytest.param({"raises": UnknownMeterError("?")}, OutcomeKind.REFUSED, Refusal.NO_ROUTE, id="never heard here"),
        pytest.param({"answers": [bytes(MAX_FRAME_OCTETS + 1)]}, OutcomeKind.NO_ANSWER, Refusal.NONE, id="too long"),
        pytest.param({"answers": [b""]}, OutcomeKind.NO_ANSWER, Refusal.NONE, id="an empty answer"),
        pytest.param({"spool_raises": SpoolFullError("full")}, OutcomeKind.NO_ANSWER, Refusal.NONE, id="a full spool"),
    ],
)
async def test_what_became_of_a_command_is_told(how: dict[str, object], kind: OutcomeKind, refusal: Refusal) -> None:
    async with rig(**how) as r:
        r.go.set()
        r.down(4)
        assert await r.until_told(1) == [(4, kind, refusal)]
        assert r.offered == []


async def test_a_meter_that_does_not_answer_in_time_is_no_answer() -> None:
    async with rig() as r:
        r.down(4, time_left_ms=20)
        assert await r.until_told(1) == [(4, OutcomeKind.NO_ANSWER, Refusal.NONE)]


async def test_one_waits_behind_another_and_a_third_is_sent_back() -> None:
    async with rig() as r:
        for number in (1, 2, 3):
            r.down(number)
        r.down(4, title=OTHER)
        assert await r.until_told(1) == [(3, OutcomeKind.REFUSED, Refusal.BUSY)]
        assert [t for t, _ in r.delivered] == [METER, OTHER] or await _later(r) == [METER, OTHER]
        r.go.set()
        told = await r.until_told(4)
        assert sorted(n for n, kind, _ in told if kind is OutcomeKind.ANSWERED) == [1, 2, 4]


async def _later(r: Rig) -> list[SystemTitle]:
    await asyncio.sleep(0.01)
    return [t for t, _ in r.delivered]


async def test_what_expires_while_it_waits_never_reaches_the_meter() -> None:
    async with rig() as r:
        r.down(1, time_left_ms=60)
        r.down(2, time_left_ms=20)
        told = await r.until_told(2)
        assert told == [(1, OutcomeKind.NO_ANSWER, Refusal.NONE), (2, OutcomeKind.EXPIRED, Refusal.NONE)]
        assert len(r.delivered) == 1


async def test_a_flood_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.delivery.MAX_DELIVERIES", 5)
    async with rig() as r:
        for number in range(50):
            r.down(number, title=SystemTitle(number.to_bytes(8)))
        await asyncio.sleep(0.01)
        assert len(r.delivered) == 5
        assert all(result == Result(OutcomeKind.REFUSED, Refusal.BUSY) for _, result in r.told)
        r.go.set()
        await r.until_told(50)
        r.down(99)
        assert (await r.until_told(51))[-1] == (99, OutcomeKind.ANSWERED, Refusal.NONE)


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_any_octets_in_a_down_give_a_frame_in_time_or_a_link_error(body: bytes) -> None:
    try:
        time_left_ms, _ = decode_down(body)
    except LinkError:
        return
    assert 1 <= time_left_ms <= MAX_TIME_LEFT_MS


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\0", id="no time"),
        pytest.param(bytes(4) + FRAME, id="no time left"),
        pytest.param(b"\xff\xff\xff\xff" + FRAME, id="seven weeks left"),
        pytest.param(b"\0\0\0\x09", id="no frame"),
        pytest.param(b"\0\0\0\x09" + FRAME + b"\0", id="an octet after the frame"),
    ],
)
async def test_a_down_that_is_none_reaches_no_meter(body: bytes) -> None:
    async with rig() as r:
        with pytest.raises(LinkError):
            r.deliveries.take(1, METER.octets, body)
        await asyncio.sleep(0)
        assert r.delivered == []
