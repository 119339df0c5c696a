"""Sessions with a simulated meter: what comes home, what is reused, and what each failure is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.headend.keeping.answer import PULLED, Answer, pulled_id
from openami.headend.keeping.clock_watch import ClockPolicy
from openami.headend.keeping.request import Lane, Request, RequestKind, derived_id
from openami.headend.ports import DownlinkUnavailableError
from openami.headend.profiles import profile_of
from openami.headend.session.operations import REGISTER_CLASS, VALUE, VOLTAGE, Circumstance, crosses_quarter
from openami.headend.session.session import SessionFailedError, SessionPolicy, Sessions
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, instant_from_epoch_s
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.protocol.cosem.reference import AttributeRef
from openami.protocol.push import PROFILE
from openami.sim.week import at_once
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

ZONE = ZoneInfo("America/Chicago")
START_S = 1_772_496_000
"""2026-03-03T00:00Z."""
Spoil = Callable[[bytes], bytes]


@dataclass
class Road:
    """The way to the meters, spoiled on purpose."""

    downlink: WeekDownlink
    spoil: Spoil = bytes
    is_closed: bool = False
    sent: int = 0

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        if self.is_closed:
            raise DownlinkUnavailableError("the gateway is away")
        self.sent += 1
        return self.spoil(await self.downlink.exchange(title, octets, timeout_s=timeout_s))


class Lab:
    """A meter that has lived for ten hours, and sessions with it."""

    def __init__(self, *, loss: float = 0.0) -> None:
        air = Air(push_loss=0.0, exchange_loss=loss)
        self.world = WeekWorld(meters=1, cells=1, seed=6, start_s=START_S, zone=ZONE, air=air)
        self.field = self.world.meters[0]
        for hour in range(1, 11):
            list(self.world.advance(START_S + hour * 3600))
        self.now_s = START_S + 36_000
        self.road = Road(WeekDownlink(self.world, at_s=self.now_s))
        self.sessions = Sessions(
            sealing=WeekSealing(self.world),
            downlink=self.road,
            own_title=HEADEND_TITLE,
            secret=np.random.Generator(np.random.SFC64(3)).bytes,
            monotonic=lambda: self.road.downlink.at_s,
            policy=SessionPolicy(idle_s=60.0),
        )

    def request(self, kind: RequestKind, from_s: int = 0, to_s: int = 0) -> Request:
        meter_id, title = self.field.made.meter_id, self.field.made.identity.title
        return Request(
            derived_id(meter_id, kind, from_s, to_s), meter_id, title, kind, Lane.BACKGROUND, from_s, to_s, self.now_s
        )

    def ask(self, kind: RequestKind, from_s: int = 0, to_s: int = 0, *, profile: str = PROFILE) -> Answer:
        downlink = self.road.downlink
        around = Circumstance(profile_of(profile), ZONE, lambda: downlink.at_s, ClockPolicy())
        return at_once(self.sessions.perform(self.request(kind, from_s, to_s), around))


def test_intervals_come_home_as_a_push_would_bring_them() -> None:
    lab = Lab()
    from_s, to_s = START_S + 3600, START_S + 7200
    batch = lab.ask(RequestKind.INTERVALS, from_s, to_s).readings
    rows = {epoch_s(r.end) - 900: r for r in lab.field.meter.profile}
    assert len(batch) == 4 * 3
    assert set(batch.source.tolist()) == {Source.PULL}
    assert set(batch.start.tolist()) == {from_s + 900 * k for k in range(4)}
    for channel, start, value in zip(batch.channel, batch.start, batch.value, strict=True):
        row = rows[int(start)]
        wanted = {
            Channel.DELIVERED: row.delivered_wh, Channel.RECEIVED: row.received_wh, Channel.VOLTAGE: row.voltage_dv,
        }  # fmt: skip
        assert int(value) == wanted[Channel(channel)]


def test_a_row_read_twice_has_one_number_whoever_asked_and_another_value_another_number() -> None:
    lab = Lab()
    wide = lab.ask(RequestKind.INTERVALS, START_S, START_S + 7200).readings
    narrow = lab.ask(RequestKind.INTERVALS, START_S + 3600, START_S + 5400).readings
    numbers = {(int(c), int(s)): int(i) for c, s, i in zip(wide.channel, wide.start, wide.message_id, strict=True)}
    for channel, start, number in zip(narrow.channel, narrow.start, narrow.message_id, strict=True):
        assert numbers[int(channel), int(start)] == int(number)
    assert pulled_id(START_S, [1, 2]) != pulled_id(START_S, [1, 3])
    assert all(n & PULLED for n in numbers.values())


def test_an_association_is_used_again_and_released_when_nobody_uses_it() -> None:
    lab = Lab()
    assert lab.ask(RequestKind.PING).exchanges == 3
    assert lab.ask(RequestKind.READ_NOW).exchanges == 1
    lab.road.downlink.at_s += 61
    sent = lab.road.sent
    assert lab.sessions.resting() == [lab.field.made.identity.title]
    at_once(lab.sessions.release(lab.field.made.identity.title))
    assert (lab.road.sent, lab.sessions.resting()) == (sent + 1, [])
    assert lab.ask(RequestKind.PING).exchanges == 3


def test_an_association_that_rested_for_long_is_not_used_again_released_or_not() -> None:
    lab = Lab()
    assert lab.ask(RequestKind.PING).exchanges == 3
    lab.road.downlink.at_s += 59
    assert lab.ask(RequestKind.PING).exchanges == 1
    lab.road.downlink.at_s += 61
    assert lab.ask(RequestKind.PING).exchanges == 3


def test_a_release_that_nobody_hears_closes_the_association_at_our_end() -> None:
    lab = Lab()
    lab.ask(RequestKind.PING)
    lab.road.is_closed = True
    at_once(lab.sessions.release(lab.field.made.identity.title))
    assert lab.sessions.resting(idle_s=0.0) == []
    lab.road.is_closed = False
    assert lab.ask(RequestKind.PING).exchanges == 3


def test_every_exchange_is_told_of_however_the_session_ends() -> None:
    lab, spent = Lab(), list[int]()
    around = Circumstance(profile_of(PROFILE), ZONE, lambda: float(lab.now_s), ClockPolicy(), spent.append)
    at_once(lab.sessions.perform(lab.request(RequestKind.PING), around))
    lab.road.spoil = flipped
    with pytest.raises(SessionFailedError):
        at_once(lab.sessions.perform(lab.request(RequestKind.PING), around))
    assert spent == [3, 1]


async def test_whoever_waits_for_a_meter_is_alone_with_it_when_the_one_before_failed() -> None:
    lab, open_now, most = Lab(), 0, 0
    lab.road.is_closed = True
    gate = asyncio.Event()

    async def exchange(title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        nonlocal open_now, most
        del title, octets, timeout_s
        open_now += 1
        most = max(most, open_now)
        try:
            await gate.wait()
            await asyncio.sleep(0)
            raise DownlinkUnavailableError("the gateway is away")
        finally:
            open_now -= 1

    lab.road.exchange = exchange  # type: ignore[method-assign]
    around = Circumstance(profile_of(PROFILE), ZONE, lambda: float(lab.now_s), ClockPolicy())
    request = lab.request(RequestKind.PING)

    async def ask() -> None:
        with pytest.raises(DownlinkUnavailableError):
            await lab.sessions.perform(request, around)

    async def close() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            for title in lab.sessions.resting(idle_s=0.0):
                await lab.sessions.release(title)
            late.append(asyncio.create_task(ask()))

    late: list[asyncio.Task[None]] = []
    early = [asyncio.create_task(ask()) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(close())
    gate.set()
    await asyncio.gather(*early, closing)
    await asyncio.gather(*late)
    assert most == 1


def test_a_meter_that_never_comes_to_an_end_holds_its_place_for_minutes() -> None:
    lab = Lab()
    lab.ask(RequestKind.PING)
    began_s = lab.road.downlink.at_s

    def endless(client: ClientAssociation) -> Steps[None]:
        for _ in range(500):
            yield from client.read(AttributeRef(REGISTER_CLASS, VOLTAGE, VALUE))

    def slowly(octets: bytes) -> bytes:
        lab.road.downlink.at_s += 15.0
        return octets

    lab.road.spoil = slowly
    with pytest.raises(SessionFailedError, match="not said all after 600 s"):
        at_once(lab.sessions.run(lab.field.made.identity.title, endless, port=1))
    assert lab.road.downlink.at_s - began_s < 600 + 20


def test_midnight_registers_and_events_come_home() -> None:
    lab = Lab()
    # Chicago's midnight is 06:00 UTC.
    midnight_s = START_S + 6 * 3600
    registers = lab.ask(RequestKind.MIDNIGHT_REGISTERS, midnight_s, midnight_s + 1).registers
    (read,) = lab.field.meter.daily
    assert sorted(zip(registers.channel.tolist(), registers.value.tolist(), strict=True)) == [
        (Channel.DELIVERED, read.delivered_wh),
        (Channel.RECEIVED, read.received_wh),
    ]
    lab.field.meter.adjust_clock()
    events = lab.ask(RequestKind.EVENTS, START_S, lab.now_s + 3600).events
    assert [(e.log, e.code) for e in events] == [(0, 4), (0, 5)]


def test_a_clock_within_the_band_is_set_and_one_far_off_is_left_to_a_person() -> None:
    lab = Lab()
    lab.field.meter.set_clock(instant_from_epoch_s(lab.now_s + 120))
    with pytest.raises(SessionFailedError, match="too near a quarter-hour"):
        lab.ask(RequestKind.CLOCK)
    lab.road.downlink.at_s += 300
    answer = lab.ask(RequestKind.CLOCK)
    assert answer.clock is not None
    assert abs(answer.clock.error_s) < 3
    assert "was set" in answer.words
    lab.field.meter.set_clock(lab.field.meter.now.replace(hour=12))
    answer = lab.ask(RequestKind.CLOCK)
    assert "a person decides" in answer.words
    assert answer.clock is not None
    assert answer.clock.error_s > 300


@pytest.mark.parametrize(
    ("shown_s", "right_s", "crosses"),
    [(900, 1000, True), (1000, 1100, False), (880, 890, True), (1785, 1700, True), (1750, 1300, False)],
)
def test_no_clock_is_set_over_a_quarter_hour_or_too_near_to_one(shown_s: int, right_s: int, crosses: bool) -> None:
    assert crosses_quarter(shown_s, right_s) is crosses


def flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(flipped, "does not verify", id="an altered answer"),
        pytest.param(lambda o: o[:8] + b"\xff" * (len(o) - 8), "cannot be read", id="noise"),
        pytest.param(lambda o: o[:2] + b"\x00\x09" + o[4:], "wrong_port", id="another server's answer"),
        pytest.param(lambda o: o[:-5], "cut", id="half an answer"),
        pytest.param(lambda _: b"", "cut", id="an empty answer"),
    ],
)
def test_a_spoiled_answer_is_a_failure_in_words_and_the_next_session_begins_anew(spoil: Spoil, words: str) -> None:
    lab = Lab()
    lab.ask(RequestKind.PING)
    lab.road.spoil = spoil
    with pytest.raises(SessionFailedError, match=words):
        lab.ask(RequestKind.PING)
    lab.road.spoil = bytes
    assert lab.ask(RequestKind.PING).exchanges == 3


def test_no_answer_and_a_closed_way_are_told_apart() -> None:
    lab = Lab(loss=1.0)
    with pytest.raises(SessionFailedError, match="no answer from the meter"):
        lab.ask(RequestKind.PING)
    lab.road.is_closed = True
    with pytest.raises(DownlinkUnavailableError):
        lab.ask(RequestKind.PING)


def test_an_answer_that_was_recorded_is_not_taken_again() -> None:
    lab = Lab()
    taken: list[bytes] = []

    def record(octets: bytes) -> bytes:
        taken.append(octets)
        return octets

    lab.road.spoil = record
    lab.ask(RequestKind.PING)
    lab.road.spoil = lambda _: taken[-1]
    with pytest.raises(SessionFailedError, match="does not verify"):
        lab.ask(RequestKind.PING)
