"""What DOWN and RESULT carry on the link, for both ends.

DOWN: ``time left u32 [ms] | wrapper frame``. The time counts from when the message comes, so the collector's clock
does not matter. RESULT: ``kind u8 | refusal u8 | SHA-256 of the answer 32`` with the numbers of
:mod:`openami.contracts.command`; the answer itself goes up as a frame of class 3, by the spool.

Source: DESIGN section 4, step 2; docs/protocol/link-v1.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openami.contracts.command import NO_DIGEST, OutcomeKind, Refusal
from openami.network.link import LinkError, MessageType, encode_message
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.protocol.errors import PeerError

MAX_TIME_LEFT_MS = 600_000
"""No command waits longer than ten minutes for its meter."""
_LEFT = struct.Struct(">I")
_RESULT = struct.Struct(">BB32s")
_KINDS = frozenset(OutcomeKind)
_REFUSALS = frozenset(Refusal)


@dataclass(frozen=True, slots=True)
class Result:
    """How one DOWN ended.

    Args:
        kind: what became of it.
        refusal: why, where it was refused.
        answer: SHA-256 of the wrapper frame that the meter answered with; zeros where there is none.
    """

    kind: OutcomeKind
    refusal: Refusal = Refusal.NONE
    answer: bytes = NO_DIGEST


def encode_down(number: int, title: bytes, frame: bytes, *, time_left_ms: int) -> bytes:
    """Return a DOWN message.

    Args:
        number: of the command, unlike any other of this gateway.
        title: the meter's system title, 8 octets.
        frame: wrapper frame, at most ``MAX_FRAME_OCTETS - 4`` octets.
        time_left_ms: how long the collector may take, 1 to ``MAX_TIME_LEFT_MS``.

    Raises:
        MisuseError: the frame is too long.
    """
    body = _LEFT.pack(time_left_ms) + frame
    return encode_message(MessageType.DOWN, seq=number, title=title, body=body)


def decode_down(body: bytes) -> tuple[int, bytes]:
    """Return the time left [ms] and the wrapper frame of a DOWN's body.

    Raises:
        LinkError: too short, no time or too much, or no wrapper frame.
    """
    if len(body) < _LEFT.size:
        raise LinkError("down", f"a DOWN of {len(body)} octets", offset=0)
    (time_left_ms,) = _LEFT.unpack_from(body)
    if not 1 <= time_left_ms <= MAX_TIME_LEFT_MS:
        raise LinkError("down", f"a DOWN with {time_left_ms} ms left", offset=0)
    frame = body[_LEFT.size :]
    try:
        parse_wrapper(frame)
    except PeerError as error:
        raise LinkError("down", f"a DOWN without a wrapper frame: {error.code}", offset=_LEFT.size) from error
    return time_left_ms, frame


def encode_result(number: int, title: bytes, result: Result) -> bytes:
    """Return a RESULT message."""
    body = _RESULT.pack(result.kind, result.refusal, result.answer)
    return encode_message(MessageType.RESULT, seq=number, title=title, body=body)


def decode_result(body: bytes) -> Result:
    """Return what a RESULT's body says.

    Raises:
        LinkError: another length, a kind or refusal there is not, or the two do not fit each other.
    """
    if len(body) != _RESULT.size:
        raise LinkError("result", f"a RESULT of {len(body)} octets", offset=0)
    kind, refusal, answer = _RESULT.unpack(body)
    if kind not in _KINDS or refusal not in _REFUSALS or (kind == OutcomeKind.REFUSED) != (refusal != Refusal.NONE):
        raise LinkError("result", f"a RESULT of kind {kind} and refusal {refusal}", offset=0)
    if kind != OutcomeKind.ANSWERED and answer != NO_DIGEST:
        raise LinkError("result", f"a RESULT of kind {kind} with an answer", offset=0)
    return Result(OutcomeKind(kind), Refusal(refusal), answer)
