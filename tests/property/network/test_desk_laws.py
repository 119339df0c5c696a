"""Whatever happens at the desk, each command goes down at most once, in time, and gets exactly one last word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.network.test_desk import NOW_MS, OneKey, command, signed

from openami.contracts.command import CommandClass, CommandOutcome, OutcomeKind, Refusal
from openami.kernel.ids import SystemTitle
from openami.network.downlink import Result, decode_down, encode_result
from openami.network.gateway.desk import CommandDesk
from openami.network.gateway.rate import CommandRate, CommandRates
from openami.network.link import LinkMessage, MessageType

TITLES = [SystemTitle(b"OAM\0\0\0\0" + bytes([n])) for n in range(3)]
COLLECTORS = [1, 2]
LIFE_MS = 10_000
SIGNED: dict[tuple[int, int, int], bytes] = {}
"""Signing is the slow part of this test, and the same commands come again."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.integers(0, 2), st.sampled_from(COLLECTORS)),
        st.tuples(st.just("take"), st.integers(1, 4), st.integers(0, 2)),
        st.tuples(st.just("take"), st.integers(1, 2), st.just(0)),
        st.tuples(st.just("result"), st.integers(0, 9), st.sampled_from(COLLECTORS)),
        st.tuples(st.just("leave"), st.just(0), st.sampled_from(COLLECTORS)),
        st.tuples(st.just("wait"), st.integers(1, 9_000), st.just(0)),
        st.tuples(st.just("deaf"), st.booleans(), st.just(0)),
    ),
    max_size=30,
)


@dataclass
class Play:
    """A desk, and what it did."""

    now_ms: int = NOW_MS
    deaf: bool = False
    down: list[tuple[int, LinkMessage]] = field(default_factory=list)
    said: list[CommandOutcome] = field(default_factory=list)
    taken: Counter[UUID] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        rates = CommandRates({CommandClass.READ: CommandRate(1.0, 5)})
        self.desk = CommandDesk(keys=OneKey(), send=self.send, tell=self.said.append, rates=rates)
        for title in TITLES[:2]:
            self.desk.book.heard(title.octets, 1)

    def send(self, collector_id: int, octets: bytes) -> bool:
        message = LinkMessage(octets[4], 0, int.from_bytes(octets[6:14]), octets[14:22], 0, octets[30:])
        time_left_ms, _ = decode_down(message.body)
        assert 0 < time_left_ms <= LIFE_MS
        if not self.deaf:
            self.down.append((collector_id, message))
        return not self.deaf

    def take(self, number: int, title: int) -> None:
        expires = NOW_MS + LIFE_MS
        key = (number, title, expires)
        if key not in SIGNED:
            SIGNED[key] = signed(command(number, title=TITLES[title], expires_at_ms=expires))
        self.taken[UUID(int=number)] += 1
        self.desk.take(SIGNED[key], now_ms=self.now_ms)

    def result(self, which: int, collector_id: int) -> None:
        if which < len(self.down):
            message = self.down[which][1]
            octets = encode_result(message.seq, message.title, Result(OutcomeKind.DELIVERED))
            answer = LinkMessage(MessageType.RESULT, 0, message.seq, message.title, 0, octets[30:])
            self.desk.result(collector_id, answer, now_ms=self.now_ms)

    def step(self, what: str, first: int, second: int) -> None:
        if what == "hear":
            self.desk.book.heard(TITLES[first].octets, second)
        elif what == "take":
            self.take(first, second)
        elif what == "result":
            self.result(first, second)
        elif what == "leave":
            self.desk.collector_left(second, now_ms=self.now_ms)
        elif what == "wait":
            self.now_ms += first
            self.desk.end_overdue(now_ms=self.now_ms)
        else:
            self.deaf = bool(first)


@pytest.mark.attack("A1")
@settings(max_examples=150, deadline=None)
@given(steps)
def test_each_command_goes_down_at_most_once_and_each_time_it_is_said_it_gets_one_word(
    script: list[tuple[str, int, int]],
) -> None:
    play = Play()
    for what, first, second in script:
        play.step(what, first, second)
    play.now_ms += LIFE_MS
    play.desk.end_overdue(now_ms=play.now_ms)
    assert Counter(o.request_id for o in play.said) == play.taken
    last = [o for o in play.said if o.kind in {OutcomeKind.DELIVERED, OutcomeKind.NO_ANSWER}]
    assert len(last) == len(play.down) == len({m.seq for _, m in play.down})
    assert max(Counter(o.request_id for o in last).values(), default=0) <= 1
    for outcome in play.said:
        assert (outcome.kind is OutcomeKind.REFUSED) == (outcome.refusal is not Refusal.NONE)
