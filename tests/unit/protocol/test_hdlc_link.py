"""The rules of an HDLC link one by one: addresses, negotiation, refusals, busy peers, time."""

from __future__ import annotations

import pytest

from openami.protocol.envelope.hdlc import HdlcFrame, HdlcSplitter, build_frame
from openami.protocol.envelope.link import (
    ApduReceived,
    Connected,
    Disconnected,
    DisconnectReason,
    HdlcAddress,
    HdlcClient,
    HdlcServer,
    LinkParameters,
    LinkState,
    LinkTimes,
    UnnumberedReceived,
)
from openami.protocol.envelope.link.address import parse_address
from openami.protocol.envelope.link.control import Control, FrameKind, parse_control
from openami.protocol.envelope.link.parameters import parse_parameters
from openami.protocol.envelope.link.station import MAX_WAITING_EVENTS
from openami.protocol.envelope.link.window import MAX_WAITING_MESSAGES, SendWindow
from openami.protocol.errors import PeerError, UsageError

PUBLIC = HdlcAddress(0x10)
METER = HdlcAddress(1)
# A public client and a meter, as the traces in many manuals have it.
SNRM = bytes.fromhex("7ea0070321930f017e")
UA = bytes.fromhex("7ea01e210373c37a818012050180060180070400000001080400000001533b7e")
DISC = bytes.fromhex("7ea00703215303c77e")


def frames(octets: bytes) -> list[HdlcFrame]:
    found = HdlcSplitter().receive(octets)
    assert all(isinstance(item, HdlcFrame) for item in found)
    return [item for item in found if isinstance(item, HdlcFrame)]


def controls(octets: bytes) -> list[Control]:
    return [control for frame in frames(octets) if (control := parse_control(frame.control))]


def kinds(octets: bytes) -> list[str]:
    return [control.kind.name for control in controls(octets)]


def frame(kind: FrameKind, *, poll: bool = True, ns: int = 0, nr: int = 0, information: bytes = b"") -> bytes:
    """A frame of the public client to the meter."""
    return build_frame(HdlcFrame(METER.octets, PUBLIC.octets, Control(kind, poll, ns, nr).octet, information))


def from_meter(kind: FrameKind, *, poll: bool = True, ns: int = 0, nr: int = 0, information: bytes = b"") -> bytes:
    return build_frame(HdlcFrame(PUBLIC.octets, METER.octets, Control(kind, poll, ns, nr).octet, information))


def connected_server(parameters: LinkParameters | None = None) -> HdlcServer:
    server = HdlcServer(own=METER, parameters=parameters)
    assert kinds(server.receive(SNRM, now=0.0)) == ["UNNUMBERED_ACKNOWLEDGE"]
    assert isinstance(server.next_event(), Connected)
    return server


def connected_client(times: LinkTimes | None = None) -> HdlcClient:
    client = HdlcClient(own=PUBLIC, peer=METER, times=times)
    client.connect(now=0.0)
    assert client.receive(UA, now=0.0) == b""
    assert client.next_event() == Connected(METER, LinkParameters())
    return client


def test_the_frames_of_a_published_trace_make_and_end_a_link() -> None:
    client = HdlcClient(own=PUBLIC, peer=METER)
    assert client.connect(now=0.0) == SNRM
    client.receive(UA, now=0.0)
    assert client.state is LinkState.CONNECTED
    assert client.close(now=1.0) == DISC
    client.receive(from_meter(FrameKind.UNNUMBERED_ACKNOWLEDGE), now=1.0)
    assert [client.next_event() for _ in range(3)][1:] == [Disconnected(DisconnectReason.ASKED), None]


def test_a_meter_answers_the_published_trace() -> None:
    server = HdlcServer(own=METER, parameters=LinkParameters(512, 512, 7, 7))
    [answer] = frames(server.receive(SNRM, now=0.0))
    assert parse_parameters(answer.information) == LinkParameters()
    assert build_frame(answer) == UA
    assert kinds(server.receive(DISC, now=0.0)) == ["UNNUMBERED_ACKNOWLEDGE"]
    assert server.state is LinkState.DISCONNECTED


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        ("03", HdlcAddress(1)),
        ("0223", HdlcAddress(1, 17, 2)),
        ("00020023", HdlcAddress(1, 17, 4)),
        ("4868feff", HdlcAddress(0x1234, 0x3FFF, 4)),
        ("02ff", HdlcAddress(1, 0x7F, 2)),
    ],
)
def test_an_address_has_one_two_or_four_octets(octets: str, address: HdlcAddress) -> None:
    assert address.octets.hex() == octets
    assert parse_address(bytes.fromhex(octets)) == address


@pytest.mark.parametrize("arguments", [(128,), (1, 1), (1, None, 2), (1, 128, 2), (1, 0x4000, 4), (1, 1, 3), (-1,)])
def test_a_part_that_does_not_fit_is_our_misuse(arguments: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        HdlcAddress(*arguments)


@pytest.mark.parametrize(
    ("called", "is_meant"),
    [
        (HdlcAddress(1), True),
        (HdlcAddress(1, 17, 2), True),
        (HdlcAddress(1, 17, 4), True),
        (HdlcAddress(1, 0x7E, 2), True),
        (HdlcAddress(1, 18, 2), False),
        (HdlcAddress(2, 17, 2), False),
    ],
    ids=["no physical part", "own", "own in four", "calling", "other device", "other logical device"],
)
def test_a_meter_answers_when_it_is_meant(called: HdlcAddress, *, is_meant: bool) -> None:
    server = HdlcServer(own=HdlcAddress(1, 17, 2))
    answers = frames(server.receive(build_frame(HdlcFrame(called.octets, PUBLIC.octets, 0x93, b"")), now=0.0))
    assert [answer.source for answer in answers] == ([called.octets] if is_meant else [])


def test_a_broadcast_is_never_answered() -> None:
    server = HdlcServer(own=HdlcAddress(1, 17, 2))
    everybody = HdlcAddress(1, 0x7F, 2)
    assert server.receive(build_frame(HdlcFrame(everybody.octets, PUBLIC.octets, 0x93, b"")), now=0.0) == b""
    client = HdlcClient(own=PUBLIC, peer=METER)
    server.receive(client.send_unnumbered(bytes(300), destination=everybody), now=0.0)
    assert server.next_event() == UnnumberedReceived(bytes(300))


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("", LinkParameters()),
        ("818000", LinkParameters()),
        ("8180140502020006020200070400000007080400000003", LinkParameters(512, 512, 7, 3)),
        ("81800a0501ff06020fff0701090801 00", LinkParameters(255, 2_030, 7, 1)),
        ("818003050100", LinkParameters()),
        ("818003050105", LinkParameters(sent_octets=32)),
    ],
    ids=["no field", "no parameter", "two octets", "too much", "zero", "too little"],
)
def test_negotiation_reads_what_peers_say(field: str, parameters: LinkParameters) -> None:
    octets = bytearray.fromhex(field)
    if octets:
        octets[2] = len(octets) - 3
    assert parse_parameters(bytes(octets)) == parameters


@pytest.mark.parametrize("field", ["81", "8180", "828000", "818001", "81800105", "818002 0500", "8180030502aa"])
def test_a_negotiation_that_is_none_is_the_peers_error(field: str) -> None:
    with pytest.raises(PeerError):
        parse_parameters(bytes.fromhex(field))


def test_each_direction_gets_the_smaller_offer() -> None:
    client = HdlcClient(own=PUBLIC, peer=METER, parameters=LinkParameters(400, 300, 5, 4))
    server = HdlcServer(own=METER, parameters=LinkParameters(200, 350, 2, 7))
    client.receive(server.receive(client.connect(now=0.0), now=0.0), now=0.0)
    assert client.parameters == LinkParameters(350, 200, 5, 2)
    assert server.parameters == LinkParameters(200, 350, 2, 5)


@pytest.mark.parametrize("kind", [FrameKind.INFORMATION, FrameKind.RECEIVE_READY, FrameKind.DISCONNECT])
def test_a_meter_without_a_link_says_so(kind: FrameKind) -> None:
    server = HdlcServer(own=METER)
    assert kinds(server.receive(frame(kind, information=b""), now=0.0)) == ["DISCONNECTED_MODE"]
    assert server.receive(frame(kind, poll=False), now=0.0) == b""


def test_a_second_client_gets_no_link_and_the_first_keeps_its_own() -> None:
    server = connected_server()
    other = HdlcAddress(0x20)
    answer = server.receive(build_frame(HdlcFrame(METER.octets, other.octets, 0x93, b"")), now=0.0)
    assert kinds(answer) == ["DISCONNECTED_MODE"]
    assert frames(answer)[0].destination == other.octets
    assert kinds(server.receive(frame(FrameKind.RECEIVE_READY), now=0.0)) == ["RECEIVE_READY"]


def test_a_meter_that_refuses_is_not_asked_again() -> None:
    client = HdlcClient(own=PUBLIC, peer=METER)
    client.connect(now=0.0)
    client.receive(from_meter(FrameKind.DISCONNECTED_MODE), now=0.0)
    assert client.next_event() == Disconnected(DisconnectReason.REFUSED)
    assert client.deadline() is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FrameKind.DISCONNECTED_MODE, DisconnectReason.PEER), (FrameKind.FRAME_REJECT, DisconnectReason.REJECTED)],
)
def test_a_link_that_the_meter_gave_up_is_down(kind: FrameKind, reason: DisconnectReason) -> None:
    client = connected_client()
    client.receive(from_meter(kind), now=0.0)
    assert client.next_event() == Disconnected(reason)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (build_frame(HdlcFrame(METER.octets, PUBLIC.octets, 0x0D, b"")), 0x01),
        (frame(FrameKind.INFORMATION, information=bytes(129)), 0x04),
    ],
    ids=["a control octet that is none", "a field longer than agreed"],
)
def test_what_the_link_does_not_allow_is_rejected_with_its_reason(octets: bytes, reason: int) -> None:
    server = connected_server()
    [answer] = frames(server.receive(octets, now=0.0))
    assert controls(build_frame(answer))[0].kind is FrameKind.FRAME_REJECT
    assert answer.information[2] == reason
    assert server.next_event() == Disconnected(DisconnectReason.REJECTED)


def test_a_number_that_was_never_sent_confirms_nothing() -> None:
    server = connected_server()
    assert server.receive(frame(FrameKind.RECEIVE_READY, nr=5), now=0.0) == b""
    assert server.damaged_frames == 1
    assert kinds(server.receive(frame(FrameKind.RECEIVE_READY), now=0.0)) == ["RECEIVE_READY"]


def test_a_busy_client_is_sent_nothing_until_it_is_ready() -> None:
    server = connected_server()
    server.send(b"\x01answer", now=0.0)
    assert kinds(server.receive(frame(FrameKind.RECEIVE_NOT_READY), now=0.0)) == ["RECEIVE_READY"]
    assert kinds(server.receive(frame(FrameKind.RECEIVE_READY), now=0.0)) == ["INFORMATION"]


def test_a_busy_meter_is_polled_until_it_is_ready() -> None:
    client = connected_client()
    assert kinds(client.send(b"\x01ask", now=0.0)) == ["INFORMATION"]
    assert client.receive(from_meter(FrameKind.RECEIVE_NOT_READY, nr=1), now=0.1) == b""
    client.send(b"\x02more", now=0.1)
    assert kinds(client.on_time(now=1.0)) == ["RECEIVE_READY"]
    assert kinds(client.receive(from_meter(FrameKind.RECEIVE_READY, nr=1), now=1.1)) == ["INFORMATION"]


def test_a_peer_is_told_to_stop_when_nobody_takes_its_messages() -> None:
    server = connected_server(LinkParameters(received_window=1))
    answers = []
    for number in range(MAX_WAITING_EVENTS + 2):
        octets = frame(FrameKind.INFORMATION, ns=number % 8, information=b"\xe6\xe6\x00x")
        answers.append(server.receive(octets, now=0.0) + server.receive(frame(FrameKind.RECEIVE_READY), now=0.0))
    assert kinds(answers[0]) == ["RECEIVE_READY"]
    assert kinds(answers[-1]) == ["RECEIVE_NOT_READY", "RECEIVE_NOT_READY"]
    while server.next_event():
        pass
    assert kinds(server.receive(frame(FrameKind.RECEIVE_READY), now=0.0)) == ["RECEIVE_READY"]


def test_a_rejection_of_a_number_is_sent_again_at_once() -> None:
    client = connected_client()
    first = client.send(b"\x01ask", now=0.0)
    assert client.receive(from_meter(FrameKind.REJECT, nr=0), now=0.1) == first


def test_a_meter_that_needs_time_says_that_it_lives_and_answers_the_next_poll() -> None:
    client, server = connected_client(), connected_server()
    assert server.receive(client.send(b"\x01ask", now=0.0), now=0.0) == b""
    assert server.deadline() == 1.0
    alive = server.on_time(now=1.0)
    assert kinds(alive) == ["RECEIVE_READY"]
    assert client.receive(alive, now=1.0) == b""
    assert server.send(b"\x02answer", now=1.2) == b""
    poll = client.on_time(now=client.deadline() or 0.0)
    client.receive(server.receive(poll, now=1.5), now=1.5)
    assert client.next_event() == ApduReceived(b"\x02answer")
    assert client.deadline() is None


def test_a_meter_forgets_a_client_that_says_nothing() -> None:
    server = connected_server()
    assert server.deadline() == 120.0
    server.receive(frame(FrameKind.RECEIVE_READY), now=100.0)
    assert server.on_time(now=120.0) == b""
    assert server.on_time(now=220.0) == b""
    assert server.next_event() == Disconnected(DisconnectReason.INACTIVE)


def test_a_new_connection_forgets_what_the_old_one_had_under_way() -> None:
    server = connected_server()
    server.send(b"\x01old", now=0.0)
    server.receive(SNRM, now=1.0)
    assert isinstance(server.next_event(), Connected)
    assert kinds(server.receive(frame(FrameKind.RECEIVE_READY), now=1.0)) == ["RECEIVE_READY"]


def test_one_more_answer_is_polled_for_when_the_first_was_a_push() -> None:
    client, server = connected_client(), connected_server()
    server.receive(client.send(b"\xc0ask", now=0.0), now=0.0)
    client.receive(server.send(b"\x0fpush", now=0.0), now=0.0)
    assert client.next_event() == ApduReceived(b"\x0fpush")
    assert client.deadline() is None
    assert client.expect_more(now=0.0) == b""
    server.send(b"\xc4answer", now=0.1)
    client.receive(server.receive(client.on_time(now=client.deadline() or 0.0), now=1.0), now=1.0)
    assert client.next_event() == ApduReceived(b"\xc4answer")


def test_a_push_may_come_beside_an_exchange() -> None:
    client, server = connected_client(), connected_server()
    client.send(b"\x01ask", now=0.0)
    client.receive(server.send_unnumbered(b"\x0fpush"), now=0.0)
    assert client.next_event() == UnnumberedReceived(b"\x0fpush")


@pytest.mark.parametrize("apdu", [b"", bytes(65_536)], ids=["nothing", "too long"])
def test_what_a_link_cannot_carry_is_our_misuse(apdu: bytes) -> None:
    with pytest.raises(UsageError):
        connected_client().send(apdu, now=0.0)
    with pytest.raises(UsageError):
        connected_client().send_unnumbered(apdu)


def test_misuse_of_a_link_is_named() -> None:
    with pytest.raises(UsageError):
        HdlcClient(own=PUBLIC, peer=METER).send(b"x", now=0.0)
    with pytest.raises(UsageError):
        connected_client().connect(now=0.0)
    with pytest.raises(UsageError):
        HdlcServer(own=METER).send_unnumbered(b"x")
    with pytest.raises(UsageError):
        LinkParameters(sent_window=8)
    with pytest.raises(UsageError):
        LinkParameters(sent_octets=31)
    window = SendWindow(octets=10, size=1)
    for _ in range(MAX_WAITING_MESSAGES):
        window.push(b"x")
    with pytest.raises(UsageError):
        window.push(b"x")


def test_segments_of_more_than_an_apdu_are_rejected() -> None:
    server = connected_server(LinkParameters(received_octets=128))
    seen: list[str] = []
    for number in range(600):
        octets = HdlcFrame(
            METER.octets, PUBLIC.octets, Control(FrameKind.INFORMATION, True, number % 8).octet, bytes(128), True
        )
        seen = kinds(server.receive(build_frame(octets), now=0.0))
        if seen == ["FRAME_REJECT"]:
            break
    assert seen == ["FRAME_REJECT"]
    assert number * 128 <= 65_535 + 3 < (number + 1) * 128
