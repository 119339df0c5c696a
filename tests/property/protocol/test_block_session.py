"""General blocks as a conversation: whatever is lost, repeated or late, a message comes once and whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.protocol.envelope.block_session import BlockSession
from openami.protocol.envelope.blocks import Block, build_block, parse_block
from openami.protocol.errors import PeerError, UsageError

windows = st.integers(1, 8)
texts = st.binary(min_size=1, max_size=400)
FATES = st.sampled_from(["pass", "pass", "pass", "lose", "repeat", "late"])


class Line:
    """Two ends; each message meets its fate, and a silence makes both say again what they wait with."""

    def __init__(self, one: BlockSession, two: BlockSession, fates: list[str]) -> None:
        self.ends = (one, two)
        self.got: tuple[list[bytes], list[bytes]] = ([], [])
        self._fates = iter(fates)
        self._late: list[tuple[int, bytes]] = []

    def carry(self, to: int, blocks: list[bytes]) -> None:
        queue = [(to, b) for b in blocks]
        while queue:
            end, octets = queue.pop(0)
            fate = next(self._fates, "pass")
            if fate == "lose":
                continue
            if fate == "late":
                self._late.append((end, octets))
                continue
            for _ in range(2 if fate == "repeat" else 1):
                out, message = self.ends[end].receive(octets)
                queue.extend((1 - end, b) for b in out)
                if message is not None:
                    self.got[end].append(message)
            queue.extend(self._late)
            self._late = []

    def settle(self, to: int, count: int) -> None:
        """Until so many messages came at an end: silence, and everybody says again."""
        for _ in range(40):
            if len(self.got[to]) >= count:
                return
            for end in (1 - to, to):
                self.carry(1 - end, self.ends[end].resend())
        pytest.fail("the message never came")


@settings(max_examples=120, deadline=None)
@given(
    st.binary(min_size=1, max_size=400),
    st.binary(min_size=1, max_size=400),
    windows,
    windows,
    st.lists(FATES, max_size=40),
)
def test_a_request_and_its_answer_come_once_and_whole(
    request_octets: bytes, answer: bytes, one: int, two: int, fates: list[str]
) -> None:
    line = Line(BlockSession(block_octets=20, window=one), BlockSession(block_octets=30, window=two), fates)
    line.carry(1, line.ends[0].send(request_octets))
    line.settle(1, 1)
    assert set(line.got[1]) == {request_octets}
    line.carry(0, line.ends[1].send(answer))
    line.settle(0, 1)
    assert set(line.got[0]) == {answer}


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5, unique=True), windows, windows)
def test_messages_follow_each_other_on_a_good_line(messages: list[bytes], one: int, two: int) -> None:
    line = Line(BlockSession(block_octets=16, window=one), BlockSession(block_octets=16, window=two), [])
    for message in messages:
        line.carry(1, line.ends[0].send(message))
        line.carry(0, line.ends[1].send(message[::-1]))
    assert line.got == ([m[::-1] for m in messages], messages)


def test_block_1_begins_anew_after_a_message_was_given_up() -> None:
    session = BlockSession(block_octets=4)
    assert session.receive(build_block(Block(1, 0, b"old.", is_last=False)))[1] is None
    assert session.is_busy
    _, message = session.receive(build_block(Block(1, 0, b"new", is_last=True)))
    assert message == b"new"


def test_the_window_of_the_peer_is_kept() -> None:
    session = BlockSession(block_octets=1, window=3)
    assert len(session.send(b"abcdef")) == 1
    out, _ = session.receive(build_block(Block(1, 1, b"", is_last=True, window=3)))
    assert [parse_block(b).data for b in out] == [b"b", b"c", b"d"]
    assert [parse_block(b).is_streaming for b in out] == [True, True, False]
    # The middle one was lost: it and what follows come again.
    out, _ = session.receive(build_block(Block(2, 2, b"", is_last=True, window=2)))
    assert [parse_block(b).data for b in out] == [b"c", b"d"]


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([Block(0, 0, b"x", is_last=True)], id="number-0"),
        pytest.param([Block(2, 0, b"x", is_last=True), Block(3, 0, b"x", is_last=True)], id="after-the-last"),
        pytest.param([Block(1025, 0, b"x", is_last=False)], id="too-many"),
        pytest.param([Block(2, 0, b"x", is_last=False), Block(2, 0, b"y", is_last=False)], id="two-of-a-number"),
    ],
)
def test_blocks_that_cannot_belong_are_refused_and_the_session_goes_on(blocks: list[Block]) -> None:
    session = BlockSession(block_octets=10)
    for block in blocks[:-1]:
        session.receive(build_block(block))
    with pytest.raises(PeerError):
        session.receive(build_block(blocks[-1]))
    assert session.receive(build_block(Block(1, 0, b"fresh", is_last=True)))[1] == b"fresh"


@given(st.lists(st.binary(max_size=30).map(lambda b: b"\xe0" + b), max_size=8))
def test_any_octets_give_a_message_or_one_error(blocks: list[bytes]) -> None:
    session = BlockSession(block_octets=10)
    session.send(b"something to say that is long")
    for octets in blocks:
        try:
            out, message = session.receive(octets)
        except PeerError:
            continue
        assert message is None or isinstance(message, bytes)
        assert len(out) <= 63


@pytest.mark.parametrize(("octets", "window"), [(0, 1), (1, 0), (1, 64)])
def test_a_session_needs_blocks_and_a_window(octets: int, window: int) -> None:
    with pytest.raises(UsageError):
        BlockSession(block_octets=octets, window=window)
