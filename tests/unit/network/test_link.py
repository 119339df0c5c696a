"""Link v1 takes each message only in its turn."""

from __future__ import annotations

import pytest

from openami.kernel.errors import MisuseError
from openami.network.link import (
    CollectorLink,
    GatewayLink,
    Hello,
    LinkError,
    LinkState,
    MessageType,
    encode_message,
)

FRAME_1 = encode_message(MessageType.FRAME, seq=1, title=b"OAM00001", body=b"x")


def hello(highest: int = 0, lowest: int = 1) -> bytes:
    return CollectorLink().hello(Hello(7, highest, lowest))


def test_a_message_has_the_layout_of_the_design() -> None:
    octets = encode_message(
        MessageType.FRAME, frame_class=2, seq=5, title=b"OAM\x00\x00\x00\x00\x01", collected_at_ms=6, body=b"\xab"
    )
    assert octets.hex() == "0000001b020200000000000000054f414d00000000010000000000000006ab"


@pytest.mark.parametrize(
    ("mark", "highest", "lowest", "first"),
    [
        pytest.param(0, 0, 1, 1, id="a new collector"),
        pytest.param(10, 20, 5, 11, id="frames under way when the line broke"),
        pytest.param(20, 20, 21, 21, id="nothing left to send"),
        pytest.param(0, 20, 11, 11, id="marks that aged out of the stream"),
        pytest.param(30, 20, 11, 31, id="a spool that was set back"),
    ],
)
def test_the_collector_resumes_behind_the_mark(mark: int, highest: int, lowest: int, first: int) -> None:
    link = GatewayLink()
    link.receive(hello(highest, lowest))
    answer = CollectorLink()
    answer.hello(Hello(7, highest, lowest))
    answer.receive(link.resume_at(mark))
    assert answer.acked_seq == mark
    assert link.receive(encode_message(MessageType.FRAME, seq=first))[0].seq == first


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param([FRAME_1], "turn", id="a frame before HELLO"),
        pytest.param([hello(), FRAME_1], "turn", id="a frame before the first ACK"),
        pytest.param([hello(), hello()], "turn", id="HELLO twice"),
        pytest.param([hello(), None, hello()], "turn", id="HELLO when open"),
        pytest.param([hello(), encode_message(MessageType.AIRTIME)], "turn", id="a count before the first ACK"),
        pytest.param([hello(), None, FRAME_1, FRAME_1], "sequence", id="a sequence twice"),
        pytest.param([hello(), None, encode_message(MessageType.FRAME, seq=3)], "sequence", id="a gap"),
        pytest.param([hello(), None, encode_message(MessageType.ACK, seq=1)], "turn", id="an ACK from a collector"),
        pytest.param([hello(), None, encode_message(MessageType.DOWN, seq=1)], "turn", id="a command from a collector"),
        pytest.param([encode_message(MessageType.HELLO, seq=1, body=b"short")], "hello", id="HELLO cut"),
        pytest.param([hello()[:30] + b"\x00\x02" + hello()[32:]], "version", id="link version 2"),
        pytest.param([hello(3, 9)], "hello", id="HELLO that holds what it never had"),
        pytest.param([b"\x00\x00\x00\x1a\x08" + bytes(25)], "header", id="an unknown type"),
        pytest.param([b"\x00\x00\x00\x1a\x02\x04" + bytes(24)], "header", id="an unknown class"),
        pytest.param([b"\x00\x00\x00\x19" + bytes(30)], "length", id="a message shorter than its header"),
    ],
)
def test_the_gateway_refuses(sent: list[bytes | None], code: str) -> None:
    link = GatewayLink()
    for octets in sent[:-1]:
        if octets is None:
            link.resume_at(0)
        else:
            link.receive(octets)
    with pytest.raises(LinkError) as caught:
        link.receive(sent[-1] or b"")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("acks", "code"),
    [
        pytest.param([5, 4], "ack", id="an ACK that goes back"),
        pytest.param([5, 8], "ack", id="an ACK beyond what was sent"),
    ],
)
def test_the_collector_refuses(acks: list[int], code: str) -> None:
    link = CollectorLink()
    link.hello(Hello(7, 5, 3))
    link.sent(7)
    link.receive(encode_message(MessageType.ACK, seq=acks[0]))
    with pytest.raises(LinkError) as caught:
        link.receive(encode_message(MessageType.ACK, seq=acks[1]))
    assert caught.value.code == code


@pytest.mark.parametrize("kind", [MessageType.HELLO, MessageType.FRAME, MessageType.RESULT, MessageType.DOWN])
def test_the_collector_refuses_what_only_it_may_send_and_commands_before_it_resumed(kind: MessageType) -> None:
    link = CollectorLink()
    link.hello(Hello(7, 0, 1))
    with pytest.raises(LinkError):
        link.receive(encode_message(kind))


def test_commands_and_results_pass_once_the_link_is_open() -> None:
    gateway, collector = GatewayLink(), CollectorLink()
    gateway.receive(collector.hello(Hello(7, 0, 1)))
    collector.receive(gateway.resume_at(0))
    assert collector.receive(encode_message(MessageType.DOWN, seq=4, body=b"sealed"))[0].body == b"sealed"
    assert gateway.receive(encode_message(MessageType.RESULT, seq=4, body=b"answer"))[0].seq == 4
    assert (gateway.state, collector.state) == (LinkState.OPEN, LinkState.OPEN)


def test_our_own_misuse_is_another_error() -> None:
    link = GatewayLink()
    with pytest.raises(MisuseError):
        link.resume_at(0)
    collector = CollectorLink()
    collector.hello(Hello(7, 0, 1))
    with pytest.raises(MisuseError):
        collector.hello(Hello(7, 0, 1))
    with pytest.raises(MisuseError):
        encode_message(MessageType.FRAME, body=bytes(70_000))
