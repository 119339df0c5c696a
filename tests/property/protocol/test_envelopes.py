"""Laws of the envelopes: what is built is read back, however the octets are cut on the way."""

from __future__ import annotations

from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.frame import FrameClass
from openami.protocol.envelope import WrapperSplitter, build_sealed, parse_sealed_header, parse_wrapper, wrap
from openami.protocol.envelope.blocks import Block, BlockReceiver, BlockSender, build_block, parse_block
from openami.protocol.envelope.crc import frame_check
from openami.protocol.envelope.hdlc import HdlcFrame, HdlcSplitter, build_frame
from openami.protocol.envelope.length import decode_length, encode_length
from openami.protocol.envelope.mbus import build_frames, split_messages
from openami.protocol.envelope.ports import PushPort, frame_class
from openami.protocol.envelope.stream import HdlcReader, MBusReader, WrapperReader
from openami.protocol.envelope.wrapper import MAX_FRAME_OCTETS
from openami.protocol.errors import PeerError, UsageError

ports = st.integers(0, 0xFFFF)
apdus = st.binary(min_size=1, max_size=400)
plain_apdus = apdus.filter(lambda a: a[0] != 0xE0)
addresses = st.sampled_from([b"\x03", b"\xcf", b"\x02\x23", b"\x02\x22\x20\x11"])


def pieces(data: bytes, dice: st.DataObject) -> list[bytes]:
    cuts = sorted(dice.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(st.lists(st.tuples(ports, ports, apdus), max_size=4), st.data())
def test_wrapper_frames_come_out_whole_however_they_are_cut(
    frames: list[tuple[int, int, bytes]], dice: st.DataObject
) -> None:
    sent = [wrap(*f) for f in frames]
    splitter = WrapperSplitter()
    found = [f for piece in pieces(b"".join(sent), dice) for f in splitter.receive(piece)]
    splitter.finish()
    assert found == sent
    for (source, destination, apdu), frame in zip(frames, found, strict=True):
        header, inside = parse_wrapper(frame)
        assert (header.source_port, header.destination_port, inside) == (source, destination, apdu)


def test_a_wrapper_stream_keeps_good_frames_and_refuses_what_follows() -> None:
    splitter = WrapperSplitter()
    good = wrap(1, 103, b"x")
    assert splitter.receive(good + b"\x00\x02\x00\x00\x00\x00\x00\x01y") == [good]
    with pytest.raises(PeerError) as refused:
        splitter.receive(b"")
    assert refused.value.code == "bad_version"
    assert refused.value.offset == len(good)
    reader = WrapperReader()
    found = reader.receive(good + b"\x00\x02\x00\x00\x00\x00\x00\x01y") + reader.finish()
    assert found[0] == b"x"
    assert isinstance(found[1], PeerError)


def test_a_wrapper_buffer_holds_no_more_than_one_frame() -> None:
    splitter = WrapperSplitter()
    splitter.receive(wrap(1, 103, bytes(65_535))[:-1])
    assert len(splitter._buffer) < MAX_FRAME_OCTETS
    assert len(splitter.receive(b"\x00")) == 1
    assert not splitter._buffer


@pytest.mark.parametrize("arguments", [(1, 0x10000, b"x"), (-1, 1, b"x"), (1, 1, bytes(65_536))])
def test_what_a_wrapper_cannot_hold_is_our_misuse(arguments: tuple[int, int, bytes]) -> None:
    with pytest.raises(UsageError):
        wrap(*arguments)


@given(st.integers(0, 2**32 - 1))
def test_a_length_survives(length: int) -> None:
    octets = encode_length(length)
    assert decode_length(octets, 0) == (length, len(octets))


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=5, max_size=300))
def test_a_sealed_header_says_what_was_built(title: bytes, body: bytes) -> None:
    apdu = build_sealed(title, body)
    header = parse_sealed_header(apdu)
    assert (header.tag, header.system_title) == (0xDB, title)
    assert apdu[header.body_offset :] == body
    assert header.security_control == body[0]
    assert header.invocation_counter == int.from_bytes(body[1:5])
    for cut in range(len(apdu)):
        with pytest.raises(PeerError):
            parse_sealed_header(apdu[:cut])


def test_the_ports_of_our_pushes_hint_at_their_class() -> None:
    assert [frame_class(p) for p in PushPort] == [
        FrameClass.PROFILE,
        FrameClass.PROFILE,
        FrameClass.ALARM,
        FrameClass.LAST_GASP,
    ]


@given(st.binary(max_size=64))
def test_the_frame_check_is_that_of_the_bitwise_definition(octets: bytes) -> None:
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ 0x8408 if register & 1 else register >> 1
    assert frame_check(octets) == (register ^ 0xFFFF).to_bytes(2, "little")
    assert crc_hqx(b"", 0) == 0


hdlc_frames = st.tuples(addresses, addresses, st.binary(max_size=200), st.booleans())


@given(st.lists(hdlc_frames, max_size=4), st.booleans(), st.data())
def test_hdlc_frames_come_out_whole_however_they_are_cut(
    frames: list[tuple[bytes, bytes, bytes, bool]], shared_flags: bool, dice: st.DataObject
) -> None:
    sent = [HdlcFrame(d, s, 0x13, i, segment) for d, s, i, segment in frames]
    octets = b"".join(build_frame(f) for f in sent)
    if shared_flags:
        octets = b"".join([build_frame(f)[:-1] for f in sent]) + (b"\x7e" if sent else b"")
    splitter = HdlcSplitter()
    found = [f for piece in pieces(octets, dice) for f in splitter.receive(piece)]
    assert splitter.finish() == []
    assert found == sent


@given(st.lists(plain_apdus, min_size=2, max_size=4), st.integers(0, 3), st.data())
def test_a_damaged_hdlc_frame_costs_its_own_message_and_is_told_once(
    messages: list[bytes], which: int, dice: st.DataObject
) -> None:
    which %= len(messages)
    frames = [build_frame(HdlcFrame(b"\xcf", b"\x03", 0x13, b"\xe6\xe7\x00" + m)) for m in messages]
    broken = bytearray(frames[which])
    broken[dice.draw(st.integers(1, len(broken) - 2))] ^= 1 << dice.draw(st.integers(0, 7))
    frames[which] = bytes(broken)
    reader = HdlcReader()
    found = [item for piece in pieces(b"".join(frames), dice) for item in reader.receive(piece)]
    found += reader.finish()
    assert [f for f in found if isinstance(f, bytes)] == messages[:which] + messages[which + 1 :]
    assert 1 <= len([f for f in found if isinstance(f, PeerError)]) <= 2


@given(plain_apdus, st.integers(1, 64), st.data())
def test_segments_are_joined(message: bytes, size: int, dice: st.DataObject) -> None:
    whole = b"\xe6\xe7\x00" + message
    parts = [whole[i : i + size] for i in range(0, len(whole), size)]
    if len(parts) > 1 and len(parts[0]) < 3:
        parts[:2] = [parts[0] + parts[1]]
    if len(parts) > 1 and len(parts[0]) < 3:
        parts[:2] = [parts[0] + parts[1]]
    if any(p[:3] in (b"\xe6\xe7\x00", b"\xe6\xe6\x00") for p in parts[1:]):
        return
    octets = b"".join(
        build_frame(HdlcFrame(b"\xcf", b"\x03", 0x13, p, i < len(parts) - 1)) for i, p in enumerate(parts)
    )
    reader = HdlcReader()
    found = [item for piece in pieces(octets, dice) for item in reader.receive(piece)]
    assert found + reader.finish() == [message]


@given(st.binary(min_size=1, max_size=2000))
def test_m_bus_frames_carry_a_message(message: bytes) -> None:
    assert split_messages(build_frames(message, source=1, destination=103)) == [message]


@given(apdus, st.integers(1, 60), st.randoms(use_true_random=False))
def test_blocks_come_together_in_any_order_and_twice(apdu: bytes, size: int, dice: object) -> None:
    blocks = BlockSender(apdu, block_octets=size).send()
    shuffled = [*blocks, *blocks]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    receiver = BlockReceiver()
    whole = [a for a in (receiver.receive(parse_block(b)) for b in shuffled) if a is not None]
    assert whole[0] == apdu
    assert all(a == apdu for a in whole)


@given(apdus, st.integers(1, 60), st.integers(1, 7), st.randoms(use_true_random=False))
def test_lost_blocks_are_sent_again_until_all_came(apdu: bytes, size: int, window: int, dice: object) -> None:
    sender, receiver = BlockSender(apdu, block_octets=size, window=window), BlockReceiver(window=window)
    whole: bytes | None = None
    for _ in range(5_000):
        for block in sender.send():
            if whole is None and dice.random() < 0.7:  # type: ignore[attr-defined]  # as above
                whole = receiver.receive(parse_block(block))
        if whole is not None:
            break
        sender.acknowledge(parse_block(receiver.acknowledgment()).acknowledged)
    assert whole == apdu


def test_block_one_begins_anew() -> None:
    receiver = BlockReceiver()
    assert receiver.receive(Block(1, 0, b"old", is_last=False)) is None
    assert receiver.receive(Block(2, 0, b"old", is_last=False)) is None
    assert receiver.receive(Block(1, 0, b"new", is_last=False)) is None
    assert receiver.receive(Block(2, 0, b"er", is_last=True)) == b"newer"
    assert not receiver.is_open


def test_a_missing_block_is_named() -> None:
    receiver = BlockReceiver()
    receiver.receive(Block(1, 0, b"a", is_last=False))
    receiver.receive(Block(4, 0, b"d", is_last=True))
    assert receiver.missing == (2, 3)
    assert receiver.acknowledged == 1
    reader = WrapperReader()
    first, last = Block(1, 0, b"a", is_last=False), Block(3, 0, b"c", is_last=True)
    found = reader.receive(wrap(1, 103, build_block(first)) + wrap(1, 103, build_block(last))) + reader.finish()
    assert [type(f) for f in found] == [PeerError]
    assert "block 2" in str(found[0])


def middle(number: int, data: bytes = b"a") -> Block:
    return Block(number, 0, data, is_last=False)


def last(number: int) -> Block:
    return Block(number, 0, b"z", is_last=True)


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param([last(0)], id="number 0"),
        pytest.param([middle(1), middle(2), middle(2, b"b")], id="two octets under one number"),
        pytest.param([last(3), middle(4)], id="after the last"),
        pytest.param([middle(4), last(3)], id="last before another"),
        pytest.param([last(3), last(2)], id="two last blocks"),
        pytest.param([middle(2000)], id="too many"),
    ],
)
def test_blocks_that_disagree_are_refused(blocks: list[Block]) -> None:
    receiver = BlockReceiver()
    for block in blocks[:-1]:
        receiver.receive(block)
    with pytest.raises(PeerError):
        receiver.receive(blocks[-1])
    assert not receiver.is_open


def test_a_block_receiver_holds_no_more_than_one_apdu() -> None:
    receiver = BlockReceiver()
    for number in range(1, 656):
        receiver.receive(middle(number, bytes(100)))
    with pytest.raises(PeerError, match="65535"):
        receiver.receive(middle(656, bytes(100)))
    assert not receiver.is_open


@given(st.lists(st.binary(min_size=1, max_size=900).filter(lambda a: a[0] != 0xE0), max_size=4), st.data())
def test_mbus_messages_come_out_whole_however_they_are_cut(messages: list[bytes], dice: st.DataObject) -> None:
    octets = b"".join(build_frames(m, source=1, destination=103) for m in messages)
    reader = MBusReader()
    found = [m for piece in pieces(octets, dice) for m in reader.receive(piece)]
    assert found + reader.finish() == messages
    assert not messages or split_messages(octets) == messages


@given(st.lists(st.binary(min_size=1, max_size=600).filter(lambda a: a[0] != 0xE0), min_size=2, max_size=4), st.data())
def test_a_damaged_mbus_frame_costs_its_own_message_and_is_told(messages: list[bytes], dice: st.DataObject) -> None:
    sent = [build_frames(m, source=1, destination=103) for m in messages]
    hit = dice.draw(st.integers(0, len(sent) - 2))
    damaged = bytearray(sent[hit])
    damaged[dice.draw(st.integers(4, len(damaged) - 3))] ^= 0x40
    sent[hit] = bytes(damaged)
    reader = MBusReader()
    found = [m for piece in pieces(b"".join(sent), dice) for m in reader.receive(piece)] + reader.finish()
    errors = [f for f in found if isinstance(f, PeerError)]
    kept = [f for f in found if not isinstance(f, PeerError)]
    assert errors
    assert [m for i, m in enumerate(messages) if i != hit][-1] in kept
    assert all(m in messages for m in kept)
