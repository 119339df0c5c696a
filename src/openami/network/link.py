"""Link v1, the protocol between a collector and the gateway inside TLS 1.3. Sans-IO, both roles.

Every message is, big-endian, ``length u32 | type u8 | class u8 | seq u64 | system title 8 | collected_at_ms u64 |
body``; ``length`` counts what follows it. What the fields mean by type:

========= ============ ======================= ==================================================================
type      sent by      seq                     body
========= ============ ======================= ==================================================================
HELLO     collector    highest seq it planned  ``version u16 | collector id u32 | lowest seq it still holds u64``
FRAME     collector    1, 2, 3 ... no gaps     DLMS wrapper frame, opaque here; title and class say for whom
ACK       gateway      everything to it is     empty
                       on disk in the stream
HEARTBEAT both         0                       a collector's health report or empty; the gateway answers each one,
                                               empty; see :mod:`openami.contracts.health`
DOWN      gateway      number of the command   time left and wrapper frame, see :mod:`openami.network.downlink`
RESULT    collector    number of the command   what became of it; an answer comes as a FRAME of class 3
AIRTIME   collector    number of the part      how long radios were on the air, see :mod:`openami.contracts.airtime`
========= ============ ======================= ==================================================================

A collector sends HELLO and waits. The gateway looks up the collector's newest mark in the stream and answers ACK n:
the collector goes on with n + 1, so a frame enters the stream once even if the gateway died between commit and ACK.
Afterwards frames come in sequence, and each ACK frees the collector's spool up to it. A side that sees anything else
ends the connection: what was not acknowledged comes again on the next one.

Limits: a message has at most ``MAX_MESSAGE_OCTETS`` octets, and no more than one message is ever buffered.

Source: DESIGN section 4, step 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import NamedTuple

from openami.contracts.frame import MAX_FRAME_OCTETS, FrameClass
from openami.kernel.errors import MisuseError, OpenAmiError

VERSION = 1
MESSAGE = struct.Struct(">IBBQ8sQ")
HELLO_BODY = struct.Struct(">HIQ")
HEADER_OCTETS = MESSAGE.size
"""Octets before the body, with the length field: 30."""
LENGTH_OCTETS = 4
MAX_MESSAGE_OCTETS = HEADER_OCTETS + MAX_FRAME_OCTETS
SEQ_OFFSET = 6
"""Where ``seq`` stands in a message: a spool keeps messages with 0 there and stamps them when they are sent."""
MAX_SEQ = 2**63 - 1
NO_TITLE = bytes(8)
_SEQ = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")
_LARGEST_CLASS = max(FrameClass)


class LinkError(OpenAmiError):
    """The peer sent octets that are not link v1, or not at this point. The connection is over.

    Args:
        code: one word for counters.
        message: what was wrong.
        offset: octets of this connection before the message that is wrong.
    """

    def __init__(self, code: str, message: str, *, offset: int) -> None:
        super().__init__(f"link octet {offset}: {message}")
        self.code = code
        self.offset = offset


class MessageType(IntEnum):
    """What a message is."""

    HELLO = 1
    FRAME = 2
    ACK = 3
    HEARTBEAT = 4
    DOWN = 5
    RESULT = 6
    AIRTIME = 7


_LARGEST_TYPE = max(MessageType)


class LinkMessage(NamedTuple):
    """One message. A named tuple because one is made for every frame: a third of a dataclass's cost.

    ``type`` and ``frame_class`` are the enumerations' integers; they were checked against them.
    """

    type: int
    frame_class: int
    seq: int
    title: bytes
    collected_at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """How a collector introduces itself.

    Args:
        collector_id: its number; must be the one in its certificate.
        highest_seq: highest sequence it has given to a frame, 0 if none.
        lowest_seq: lowest sequence it still holds; ``highest_seq + 1`` if it holds none.
    """

    collector_id: int
    highest_seq: int
    lowest_seq: int


def encode_message(
    message_type: MessageType,
    *,
    frame_class: int = 0,
    seq: int = 0,
    title: bytes = NO_TITLE,
    collected_at_ms: int = 0,
    body: bytes = b"",
) -> bytes:
    """Return one message as octets.

    Raises:
        MisuseError: the body is longer than ``MAX_FRAME_OCTETS``.
    """
    if len(body) > MAX_FRAME_OCTETS:
        raise MisuseError(f"a link message carries at most {MAX_FRAME_OCTETS} octets, not {len(body)}")
    length = HEADER_OCTETS - LENGTH_OCTETS + len(body)
    return MESSAGE.pack(length, message_type, frame_class, seq, title, collected_at_ms) + body


def stamp_sequences(messages: bytearray, *, first_seq: int) -> int:
    """Write consecutive sequence numbers into messages that lie end to end; return how many there were.

    Args:
        messages: whole messages as :func:`encode_message` made them.
        first_seq: number of the first one.
    """
    at, seq, end = 0, first_seq, len(messages)
    length_at, write_at = _LENGTH.unpack_from, _SEQ.pack_into
    while at < end:
        write_at(messages, at + SEQ_OFFSET, seq)
        at += LENGTH_OCTETS + length_at(messages, at)[0]
        seq += 1
    return seq - first_seq


def skip_messages(messages: bytearray, *, count: int) -> int:
    """Return the offset after the first ``count`` messages that lie end to end."""
    at = 0
    for _ in range(count):
        at += LENGTH_OCTETS + _LENGTH.unpack_from(messages, at)[0]
    return at


class _Splitter:
    """Cuts a stream of octets into messages and holds at most one unfinished message."""

    __slots__ = ("_needed", "_pending", "consumed")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = LENGTH_OCTETS
        self.consumed = 0

    @property
    def partial_octets(self) -> int:
        """Octets of an unfinished message that are held now."""
        return len(self._pending)

    def split(self, data: bytes) -> list[LinkMessage]:
        """Take octets and return the messages they complete.

        Raises:
            LinkError: a length or type that link v1 does not have.
        """
        if self._pending:
            self._pending += data
            # One octet at a time must not cost a scan each: nothing is looked at before it can be complete.
            if len(self._pending) < self._needed:
                return []
            data = bytes(self._pending)
            self._pending.clear()
        return self._split(data)

    def _split(self, data: bytes) -> list[LinkMessage]:
        at, end = 0, len(data)
        messages: list[LinkMessage] = []
        unpack, smallest = MESSAGE.unpack_from, HEADER_OCTETS - LENGTH_OCTETS
        while end - at >= LENGTH_OCTETS:
            (length,) = _LENGTH.unpack_from(data, at)
            if not smallest <= length <= MAX_MESSAGE_OCTETS - LENGTH_OCTETS:
                raise LinkError("length", f"a message of {length} octets", offset=self.consumed + at)
            after = at + LENGTH_OCTETS + length
            if after > end:
                self._needed = after - at
                break
            _, kind, frame_class, seq, title, collected_at_ms = unpack(data, at)
            if not 1 <= kind <= _LARGEST_TYPE or frame_class > _LARGEST_CLASS or seq > MAX_SEQ:
                raise LinkError("header", f"type {kind}, class {frame_class}, seq {seq}", offset=self.consumed + at)
            body = data[at + HEADER_OCTETS : after]
            messages.append(LinkMessage(kind, frame_class, seq, title, collected_at_ms, body))
            at = after
        else:
            self._needed = LENGTH_OCTETS
        self.consumed += at
        if at < end:
            self._pending += data[at:]
        return messages


_BESIDE_FRAMES = frozenset({int(MessageType.RESULT), int(MessageType.AIRTIME)})
"""What a collector may send between frames once they flow."""


class LinkState(Enum):
    """Where a connection stands: HELLO is awaited, then the first ACK, then frames flow."""

    AWAIT_HELLO = auto()
    AWAIT_RESUME = auto()
    OPEN = auto()


class GatewayLink:
    """The gateway's side of one connection.

    AWAIT_HELLO takes HELLO and nothing else; AWAIT_RESUME takes nothing but HEARTBEAT until :meth:`resume_at` is
    called; OPEN takes FRAME in sequence, HEARTBEAT, RESULT and AIRTIME.
    """

    __slots__ = ("_next_seq", "_splitter", "hello", "state")

    def __init__(self) -> None:
        self._splitter = _Splitter()
        self._next_seq = 0
        self.hello: Hello | None = None
        self.state = LinkState.AWAIT_HELLO

    @property
    def partial_octets(self) -> int:
        """Octets of an unfinished message that are held now."""
        return self._splitter.partial_octets

    @property
    def received_seq(self) -> int:
        """Sequence of the last frame that came, or where the collector resumed."""
        return self._next_seq - 1

    def receive(self, data: bytes) -> list[LinkMessage]:
        """Take octets and return the messages they complete, frames in sequence.

        Raises:
            LinkError: not link v1, or out of turn. Messages of the same call are dropped: they come again.
        """
        start = self._splitter.consumed
        messages = self._splitter.split(data)
        frame, opened = int(MessageType.FRAME), self.state is LinkState.OPEN
        expected = self._next_seq
        for index, message in enumerate(messages):
            if message.type == frame and opened:
                if message.seq != expected:
                    text = f"frame {message.seq} where {expected} is due"
                    raise LinkError("sequence", text, offset=_offset(start, messages, index))
                expected += 1
            else:
                self._take(message, _offset(start, messages, index))
                opened = self.state is LinkState.OPEN
        self._next_seq = expected
        return messages

    def _take(self, message: LinkMessage, offset: int) -> None:
        kind = message.type
        if self.state is LinkState.AWAIT_HELLO and kind == MessageType.HELLO:
            self.hello = _parse_hello(message, offset)
            self.state = LinkState.AWAIT_RESUME
        elif self.state is LinkState.AWAIT_HELLO or not (
            kind == MessageType.HEARTBEAT or (kind in _BESIDE_FRAMES and self.state is LinkState.OPEN)
        ):
            name = MessageType(kind).name
            raise LinkError("turn", f"{name} while {self.state.name.lower()}", offset=offset)

    def resume_at(self, mark_seq: int) -> bytes:
        """Say where the collector goes on and return the ACK that tells it.

        Args:
            mark_seq: last sequence of it that is in the stream, 0 if the stream knows none.

        Raises:
            MisuseError: HELLO has not come or frames flow already.
        """
        if self.hello is None or self.state is not LinkState.AWAIT_RESUME:
            raise MisuseError("a link resumes once, after HELLO")
        # A stream that lost its marks (they age out after a week of silence) gets what the collector still holds.
        self._next_seq = max(mark_seq, self.hello.lowest_seq - 1) + 1
        self.state = LinkState.OPEN
        return encode_message(MessageType.ACK, seq=mark_seq)


class CollectorLink:
    """A collector's side of one connection.

    AWAIT_HELLO until :meth:`hello` is called; AWAIT_RESUME until the first ACK; then OPEN.
    """

    __slots__ = ("_highest_seq", "_splitter", "acked_seq", "state")

    def __init__(self) -> None:
        self._splitter = _Splitter()
        self._highest_seq = 0
        self.acked_seq = 0
        self.state = LinkState.AWAIT_HELLO

    def hello(self, hello: Hello) -> bytes:
        """Return the first message of the connection.

        Raises:
            MisuseError: it was sent already.
        """
        if self.state is not LinkState.AWAIT_HELLO:
            raise MisuseError("HELLO is sent once")
        self.state = LinkState.AWAIT_RESUME
        self._highest_seq = hello.highest_seq
        body = HELLO_BODY.pack(VERSION, hello.collector_id, hello.lowest_seq)
        return encode_message(MessageType.HELLO, seq=hello.highest_seq, body=body)

    def sent(self, seq: int) -> None:
        """Note that frames up to ``seq`` were handed to the connection."""
        self._highest_seq = max(self._highest_seq, seq)

    def receive(self, data: bytes) -> list[LinkMessage]:
        """Take octets and return the messages they complete.

        The first ACK may name a sequence beyond what this collector ever gave: its spool was replaced. Later ones
        may not.

        Raises:
            LinkError: not link v1, or out of turn.
        """
        start = self._splitter.consumed
        messages = self._splitter.split(data)
        for index, message in enumerate(messages):
            self._take(message, _offset(start, messages, index))
        return messages

    def _take(self, message: LinkMessage, offset: int) -> None:
        kind = message.type
        if kind == MessageType.ACK and self.state is LinkState.AWAIT_RESUME:
            self.acked_seq = message.seq
            self._highest_seq = max(self._highest_seq, message.seq)
            self.state = LinkState.OPEN
        elif kind == MessageType.ACK and self.state is LinkState.OPEN:
            if not self.acked_seq <= message.seq <= self._highest_seq:
                text = f"ACK {message.seq} after ACK {self.acked_seq}, {self._highest_seq} sent"
                raise LinkError("ack", text, offset=offset)
            self.acked_seq = message.seq
        elif kind != MessageType.HEARTBEAT and not (kind == MessageType.DOWN and self.state is LinkState.OPEN):
            name = MessageType(kind).name
            raise LinkError("turn", f"{name} while {self.state.name.lower()}", offset=offset)


def _offset(start: int, messages: list[LinkMessage], index: int) -> int:
    return start + sum(HEADER_OCTETS + len(m.body) for m in messages[:index])


def _parse_hello(message: LinkMessage, offset: int) -> Hello:
    if len(message.body) != HELLO_BODY.size:
        raise LinkError("hello", f"HELLO with {len(message.body)} octets, not {HELLO_BODY.size}", offset=offset)
    version, collector_id, lowest_seq = HELLO_BODY.unpack(message.body)
    if version != VERSION:
        raise LinkError("version", f"link version {version}, this side speaks {VERSION}", offset=offset)
    if not 1 <= lowest_seq <= message.seq + 1:
        raise LinkError("hello", f"HELLO holds from {lowest_seq} to {message.seq}", offset=offset)
    return Hello(collector_id, message.seq, lowest_seq)
