"""A hostile peer on an HDLC link: good checks, any content. No exception, bounded buffers and answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.protocol.envelope.hdlc import HdlcFrame, build_frame
from openami.protocol.envelope.link import HdlcAddress, HdlcClient, HdlcServer, LinkParameters, LinkState
from openami.protocol.envelope.link.station import MAX_WAITING_EVENTS
from openami.protocol.envelope.link.window import MAX_MESSAGE_OCTETS

CLIENT, METER = HdlcAddress(1), HdlcAddress(1, 17, 2)
# Frames between the two, most of them of the kinds that a link has.
contents = st.tuples(
    st.one_of(st.integers(0, 255), st.sampled_from([0x10, 0x32, 0x11, 0x31, 0x15, 0x93, 0x53, 0x73, 0x1F, 0x97, 0x03])),
    st.one_of(st.binary(max_size=40), st.builds(bytes, st.integers(0, 2_000))),
    st.booleans(),
)
ANSWER_OCTETS = 600
"""Longest answer of these parameters to one frame: a window of two fields of 128 octets, with room."""


@pytest.mark.attack("A21")
@settings(max_examples=200, deadline=None)
@given(st.lists(contents, max_size=30), st.booleans(), st.integers(0, 3))
def test_any_frames_leave_a_link_that_works_or_is_down(
    script: list[tuple[int, bytes, bool]], is_client: bool, connects: int
) -> None:
    parameters = LinkParameters(sent_window=2)
    station: HdlcClient | HdlcServer = (
        HdlcClient(own=CLIENT, peer=METER, parameters=parameters)
        if is_client
        else HdlcServer(own=METER, parameters=parameters)
    )
    own, peer = (CLIENT, METER) if is_client else (METER, CLIENT)
    if isinstance(station, HdlcClient):
        station.connect(now=0.0)
    for step, (control, information, is_segment) in enumerate(script):
        if step == connects:
            control = 0x73 if is_client else 0x93  # noqa: PLW2901 - the script opens the link at a random place
            information = b""  # noqa: PLW2901
        octets = build_frame(HdlcFrame(own.octets, peer.octets, control, information, is_segment))
        assert len(station.receive(octets, now=float(step))) <= ANSWER_OCTETS
        if station.state is LinkState.CONNECTED:
            station.send(b"\x01", now=float(step)) if station._outgoing.is_empty else None
        assert len(station.on_time(now=float(step) + 0.5)) <= ANSWER_OCTETS
        assert len(station._incoming._octets) <= MAX_MESSAGE_OCTETS
        assert sum(1 for _ in iter(station.next_event, None)) <= MAX_WAITING_EVENTS


@pytest.mark.attack("A21")
@given(st.binary(max_size=400), st.booleans())
def test_any_octets_are_dropped_and_counted(data: bytes, is_client: bool) -> None:
    station = HdlcClient(own=CLIENT, peer=METER) if is_client else HdlcServer(own=METER)
    assert station.receive(data, now=0.0) == b""
    assert station.next_event() is None
