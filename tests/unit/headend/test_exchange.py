"""Exchanges: the answer that the network names, and no other, comes back to who waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from uuid import UUID

import pytest

from openami.contracts.command import NO_DIGEST, CommandOutcome, OutcomeKind, Refusal
from openami.headend.listening.intake import Answer
from openami.headend.ports import DownlinkUnavailableError, NoAnswerError
from openami.headend.session.exchange import MAX_CANDIDATES, Exchanges
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

METER, OTHER = SystemTitle(b"OAM\0\0\0\0\1"), SystemTitle(b"OAM\0\0\0\0\2")


def answer(text: bytes = b"answer", *, title: SystemTitle = METER) -> Answer:
    return Answer(title.octets, b"frame " + text, b"sealed " + text, b"plain " + text)


@dataclass
class Sender:
    sent: list[tuple[SystemTitle, bytes, UUID, float]] = field(default_factory=list)
    raises: Exception | None = None

    async def send(self, title: SystemTitle, frame: bytes, *, request_id: UUID, time_left_s: float) -> None:
        if self.raises is not None:
            raise self.raises
        self.sent.append((title, frame, request_id, time_left_s))


@dataclass
class Rig:
    sender: Sender = field(default_factory=Sender)

    def __post_init__(self) -> None:
        numbers = count(1)
        self.exchanges = Exchanges(self.sender, new_id=lambda: UUID(int=next(numbers)))

    async def begin(self, title: SystemTitle = METER, *, timeout_s: float = 5.0) -> asyncio.Task[bytes]:
        task = asyncio.create_task(self.exchanges.exchange(title, b"request", timeout_s=timeout_s))
        await asyncio.sleep(0.005)
        return task

    def say(
        self, kind: OutcomeKind, number: int = 1, *, refusal: Refusal = Refusal.NONE, of: Answer | None = None
    ) -> None:
        digest = NO_DIGEST if of is None else sha256(of.frame).digest()
        self.exchanges.told(CommandOutcome(UUID(int=number), METER, kind, 0, refusal, digest))


@pytest.mark.parametrize("word_first", [True, False])
async def test_the_answer_that_the_network_names_comes_back_in_either_order(*, word_first: bool) -> None:
    rig = Rig()
    task = await rig.begin()
    if word_first:
        rig.say(OutcomeKind.ANSWERED, of=answer())
        rig.exchanges.answered([answer()])
    else:
        rig.exchanges.answered([answer()])
        rig.say(OutcomeKind.ANSWERED, of=answer())
    assert await task == b"frame answer"
    assert rig.sender.sent == [(METER, b"request", UUID(int=1), 5.0)]
    assert rig.exchanges.take_opened(METER, b"sealed answer") == b"plain answer"
    assert rig.exchanges.take_opened(METER, b"sealed answer") is None


async def test_a1_a_late_answer_to_an_earlier_request_is_never_returned() -> None:
    rig = Rig()
    with pytest.raises(NoAnswerError):
        await (await rig.begin(timeout_s=0.02))
    task = await rig.begin()
    rig.exchanges.answered([answer(b"late")])
    rig.say(OutcomeKind.ANSWERED, 1, of=answer(b"late"))
    await asyncio.sleep(0.005)
    assert not task.done()
    rig.exchanges.answered([answer(b"new"), answer(b"other", title=OTHER)])
    rig.say(OutcomeKind.ANSWERED, 2, of=answer(b"new"))
    assert await task == b"frame new"
    assert rig.exchanges.take_opened(METER, b"sealed late") is None


@pytest.mark.parametrize(
    ("kind", "refusal", "error", "words"),
    [
        pytest.param(OutcomeKind.NO_ANSWER, Refusal.NONE, NoAnswerError, "on the radio", id="no answer"),
        pytest.param(OutcomeKind.EXPIRED, Refusal.NONE, NoAnswerError, "time was over", id="expired"),
        pytest.param(OutcomeKind.DELIVERED, Refusal.NONE, NoAnswerError, "sent no answer", id="delivered in silence"),
        pytest.param(OutcomeKind.REFUSED, Refusal.NO_ROUTE, DownlinkUnavailableError, "no collector", id="no route"),
        pytest.param(OutcomeKind.REFUSED, Refusal.OVER_RATE, DownlinkUnavailableError, "as many", id="over rate"),
        pytest.param(OutcomeKind.REFUSED, Refusal.BAD_SIGNATURE, DownlinkUnavailableError, "refuses", id="refused"),
    ],
)
async def test_what_the_network_says_is_said_in_words(
    kind: OutcomeKind, refusal: Refusal, error: type[Exception], words: str
) -> None:
    rig = Rig()
    task = await rig.begin()
    rig.say(kind, refusal=refusal)
    with pytest.raises(error, match=words):
        await task


@pytest.mark.parametrize(
    ("said", "words"), [(False, "nothing was heard"), (True, "the answer has not arrived")], ids=["silence", "answered"]
)
async def test_a_time_out_says_how_far_the_message_came(*, said: bool, words: str) -> None:
    rig = Rig()
    task = await rig.begin(timeout_s=0.3)
    if said:
        rig.say(OutcomeKind.ANSWERED, of=answer())
    with pytest.raises(NoAnswerError, match=words):
        await task


async def test_one_exchange_a_meter_at_a_time_and_another_meter_beside_it() -> None:
    rig = Rig()
    task = await rig.begin()
    with pytest.raises(MisuseError):
        await rig.exchanges.exchange(METER, b"request", timeout_s=1)
    other = await rig.begin(OTHER, timeout_s=0.02)
    with pytest.raises(NoAnswerError):
        await other
    rig.say(OutcomeKind.NO_ANSWER)
    with pytest.raises(NoAnswerError):
        await task


async def test_a_flood_of_answers_is_bounded_and_nobody_waits_for_most() -> None:
    rig = Rig()
    task = await rig.begin()
    rig.exchanges.answered([answer(str(n).encode()) for n in range(100)])
    assert rig.exchanges.counts["unasked"] == 100 - MAX_CANDIDATES
    rig.exchanges.answered([answer(title=OTHER)])
    rig.say(OutcomeKind.ANSWERED, of=answer(b"2"))
    assert await task == b"frame 2"


async def test_a_command_that_cannot_be_sent_ends_at_once() -> None:
    rig = Rig(Sender(raises=DownlinkUnavailableError("the command process does not answer")))
    with pytest.raises(DownlinkUnavailableError, match="command process"):
        await rig.exchanges.exchange(METER, b"request", timeout_s=5)
    rig.sender.raises = None
    task = await rig.begin()
    rig.say(OutcomeKind.NO_ANSWER, 2)
    with pytest.raises(NoAnswerError):
        await task
