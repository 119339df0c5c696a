"""Laws of link v1: the same messages however the octets are cut; any octets give messages or LinkError."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.frame import MAX_FRAME_OCTETS, FrameClass
from openami.network.link import (
    HEADER_OCTETS,
    MAX_MESSAGE_OCTETS,
    CollectorLink,
    GatewayLink,
    Hello,
    LinkError,
    LinkMessage,
    MessageType,
    encode_message,
    skip_messages,
    stamp_sequences,
)

bodies = st.lists(
    st.tuples(st.sampled_from(list(FrameClass)), st.binary(min_size=8, max_size=8), st.binary(max_size=300)),
    max_size=12,
)


def hello_octets(highest: int = 0, lowest: int = 1) -> bytes:
    return CollectorLink().hello(Hello(7, highest, lowest))


def cut(octets: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(octets) + 1) for p in places), len(octets)]
    return [octets[a:b] for a, b in pairwise(edges)]


def fed(link: GatewayLink | CollectorLink, pieces: Sequence[bytes]) -> LinkError | None:
    try:
        for piece in pieces:
            link.receive(piece)
    except LinkError as error:
        return error
    return None


def open_link(resume: int = 0) -> GatewayLink:
    link = GatewayLink()
    link.receive(hello_octets(resume, resume + 1))
    link.resume_at(resume)
    return link


@given(bodies, st.lists(st.integers(min_value=0), max_size=20))
def test_frames_come_out_as_they_went_in_wherever_the_octets_are_cut(
    rows: list[tuple[FrameClass, bytes, bytes]], places: list[int]
) -> None:
    octets = bytearray().join(
        encode_message(MessageType.FRAME, frame_class=c, title=t, collected_at_ms=9, body=b) for c, t, b in rows
    )
    assert stamp_sequences(octets, first_seq=1) == len(rows)
    link = open_link()
    got: list[LinkMessage] = []
    for piece in cut(bytes(octets), places):
        got += link.receive(piece)
    assert got == [LinkMessage(2, c, n, t, 9, b) for n, (c, t, b) in enumerate(rows, 1)]
    assert link.received_seq == len(rows)
    assert link.partial_octets == 0


@pytest.mark.attack("A21")
@given(st.binary(max_size=400), st.lists(st.integers(min_value=0), max_size=10))
def test_any_octets_give_messages_or_a_link_error_and_never_a_large_buffer(data: bytes, places: list[int]) -> None:
    for link in (GatewayLink(), open_link(), CollectorLink()):
        error = fed(link, cut(data, places))
        assert error is None or 0 <= error.offset <= len(data) + len(hello_octets())


@given(bodies, st.binary(min_size=30, max_size=60), st.lists(st.integers(min_value=0), max_size=10))
def test_the_offset_of_an_error_does_not_depend_on_the_cuts(
    rows: list[tuple[FrameClass, bytes, bytes]], noise: bytes, places: list[int]
) -> None:
    octets = bytearray().join(encode_message(MessageType.FRAME, frame_class=c, title=t, body=b) for c, t, b in rows)
    stamp_sequences(octets, first_seq=1)
    whole = bytes(octets) + b"\xff\xff" + noise
    seen = set()
    for pieces in ([whole], cut(whole, places), [whole[i : i + 1] for i in range(len(whole))]):
        link = open_link()
        error = fed(link, pieces)
        assert error is not None
        seen.add((error.code, error.offset))
    assert seen == {("length", len(octets) + len(hello_octets()))}


@given(st.integers(min_value=0, max_value=50), st.integers(min_value=1, max_value=50))
def test_skipping_messages_lands_on_the_next_one(skipped: int, kept: int) -> None:
    messages = bytearray(b"".join(encode_message(MessageType.FRAME, body=bytes(n % 7)) for n in range(skipped + kept)))
    stamp_sequences(messages, first_seq=1)
    rest = bytes(messages[skip_messages(messages, count=skipped) :])
    assert open_link(skipped).receive(rest)[0].seq == skipped + 1


def test_a_message_one_octet_too_long_is_refused_at_its_length() -> None:
    largest = bytearray(encode_message(MessageType.FRAME, body=bytes(MAX_FRAME_OCTETS)))
    stamp_sequences(largest, first_seq=1)
    assert len(largest) == MAX_MESSAGE_OCTETS
    assert len(open_link().receive(bytes(largest))) == 1
    too_long = (HEADER_OCTETS - 4 + MAX_FRAME_OCTETS + 1).to_bytes(4)
    with pytest.raises(LinkError, match="65563"):
        open_link().receive(too_long)
