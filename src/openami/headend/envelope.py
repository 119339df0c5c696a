"""The clear part of many frames at once: wrapper, title, control byte and counter, before any key is touched.

Frames of one length are laid side by side and compared with the shape that a sealed push has; what does not fit is
read again by the protocol's own parser, which gives the reason. Equality of the two is a property test.

Source: IEC 62056-47 (wrapper); IEC 62056-5-3, 5.7.2.5 (general-glo-ciphering).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.contracts.deadletter import RefusalReason
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.envelope.association import ACCEPTED, ANSWERS, parse_association
from openami.protocol.errors import PeerError
from openami.security.keys.table import title_number
from openami.security.suites.gcm import AUTHENTICATED_AND_ENCRYPTED, TAG_OCTETS

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

WRAPPER_OCTETS = 8
LENGTH_AT = WRAPPER_OCTETS + 10
"""Where the length of the sealed body stands: after tag, title length and title."""
SEALED_HEAD_OCTETS = 5
_GLO_HEAD = 0xDB08
_DATA_NOTIFICATION = 0x0F
_EXCEPTION_RESPONSE = 0xD8
MAX_EXCEPTION_OCTETS = 8
"""Tag, two errors, and at most the counter that the meter expects."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one frame of a batch is refused.

    Args:
        index: place of the frame in the batch.
        reason: why.
        detail: one sentence for staff; no key, no reading.
    """

    index: int
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class ClearHeads:
    """What can be known of frames without a key. Columns of one length n.

    Args:
        title: (n,) system titles inside the APDUs as big-endian integers.
        counter: (n,) invocation counters; -1 where there is none.
        body_at: (n,) offset of the ciphertext in each frame.
        sound: (n,) whether the frame may go on to the keys.
        refusals: one for each frame that is neither sound nor an answer in the clear.
        in_clear: answers to an association, and refusals of a request, that prove nothing of who sent them.
    """

    title: U64
    counter: I64
    body_at: I64
    sound: Mask
    refusals: list[Refusal]
    in_clear: list[int] = field(default_factory=list)


def read_clear_heads(frames: Sequence[bytes], titles: Sequence[bytes]) -> ClearHeads:
    """Check the envelopes of many frames.

    Args:
        frames: (n,) wrapper header and APDU.
        titles: (n,) the system title that each frame was announced with; the APDU must carry the same.
    """
    count = len(frames)
    heads = ClearHeads(
        title=np.frombuffer(b"".join(titles), ">u8").astype(np.uint64),
        counter=np.full(count, -1, np.int64),
        body_at=np.zeros(count, np.int64),
        sound=np.zeros(count, np.bool_),
        refusals=[],
    )
    lengths = np.fromiter((len(f) for f in frames), np.int64, count)
    for length in np.unique(lengths).tolist():
        here = np.flatnonzero(lengths == length)
        _read_equal_lengths(frames, here, length, heads)
    for index in np.flatnonzero(~heads.sound).tolist():
        _read_one(index, frames[index], titles[index], heads)
    return heads


def _read_equal_lengths(frames: Sequence[bytes], here: I64, length: int, heads: ClearHeads) -> None:
    body = length - LENGTH_AT
    width = 1 if body <= 128 else 2 if body - 2 <= 0xFF else 3
    body_at = LENGTH_AT + width + SEALED_HEAD_OCTETS
    if length < body_at + TAG_OCTETS:
        return
    octets = np.frombuffer(b"".join([frames[i] for i in here.tolist()]), np.uint8).reshape(len(here), length)
    fits = (_number(octets, 0, 2) == 1) & (_number(octets, 6, 2) == length - WRAPPER_OCTETS)
    fits &= _number(octets, WRAPPER_OCTETS, 2) == _GLO_HEAD
    fits &= _number(octets, WRAPPER_OCTETS + 2, 8) == heads.title[here]
    fits &= _number(octets, LENGTH_AT, width) == _length_octets(body - width, width)
    fits &= octets[:, LENGTH_AT + width] == AUTHENTICATED_AND_ENCRYPTED
    heads.sound[here] = fits
    heads.counter[here] = np.where(fits, _number(octets, LENGTH_AT + width + 1, 4).astype(np.int64), -1)
    heads.body_at[here] = body_at


def _number(octets: U8, at: int, width: int) -> U64:
    """Return the big-endian integer of each row at a place."""
    number = np.zeros(len(octets), np.uint64)
    for place in range(at, at + width):
        number = (number << np.uint64(8)) | octets[:, place]
    return number


def _length_octets(length: int, width: int) -> int:
    """Return a BER length of that width as an integer, or -1 where that is not the shortest form."""
    if width == 1:
        return length if length < 0x80 else -1
    prefix = 0x80 + width - 1
    return (prefix << 8 * (width - 1)) | length if 0x80 <= length < 1 << 8 * (width - 1) else -1


def _read_one(index: int, frame: bytes, title: bytes, heads: ClearHeads) -> None:
    """Read a frame that does not have the shape, and say why it is refused, or find that it is sound after all."""

    def refuse(reason: RefusalReason, detail: str) -> None:
        heads.refusals.append(Refusal(index, reason, detail))

    try:
        apdu = parse_wrapper(frame)[1]
        if apdu[0] == _DATA_NOTIFICATION:
            refuse(RefusalReason.DOWNGRADE, "a push without any protection")
            return
        if apdu[0] in ANSWERS:
            _read_association_answer(index, apdu, title, heads)
            return
        if apdu[0] == _EXCEPTION_RESPONSE and len(apdu) <= MAX_EXCEPTION_OCTETS:
            heads.in_clear.append(index)
            return
        header = parse_sealed_header(apdu)
    except PeerError as error:
        refuse(RefusalReason.BAD_ENVELOPE, str(error))
        return
    heads.counter[index] = header.invocation_counter
    if header.system_title != title:
        inside = f"{title_number(header.system_title):016x}"
        refuse(RefusalReason.BAD_ENVELOPE, f"announced with another system title than {inside} in its header")
    elif header.security_control != AUTHENTICATED_AND_ENCRYPTED:
        control = header.security_control
        refuse(RefusalReason.DOWNGRADE, f"security control 0x{control:02x}: only 0x30, authenticated and encrypted")
    elif len(apdu) < header.body_offset + SEALED_HEAD_OCTETS + TAG_OCTETS:
        refuse(RefusalReason.BAD_ENVELOPE, f"no room for a tag of {TAG_OCTETS} octets")
    else:
        heads.body_at[index] = WRAPPER_OCTETS + header.body_offset + SEALED_HEAD_OCTETS
        heads.sound[index] = True


def _read_association_answer(index: int, apdu: bytes, title: bytes, heads: ClearHeads) -> None:
    """Read an AARE or RLRE: the sealed part of it goes to the keys like a push; a refusal has none.

    Raises:
        PeerError: it is none.
    """
    envelope = parse_association(apdu)
    at = envelope.sealed_at
    if envelope.responding_title not in {None, title}:
        heads.refusals.append(Refusal(index, RefusalReason.BAD_ENVELOPE, "an association answered in another's name"))
    elif at is None and envelope.result == ACCEPTED:
        heads.refusals.append(Refusal(index, RefusalReason.DOWNGRADE, "an association accepted without any protection"))
    elif at is None:
        heads.in_clear.append(index)
    elif apdu[at] != AUTHENTICATED_AND_ENCRYPTED:
        detail = f"security control 0x{apdu[at]:02x}: only 0x30, authenticated and encrypted"
        heads.refusals.append(Refusal(index, RefusalReason.DOWNGRADE, detail))
    elif len(apdu) < at + SEALED_HEAD_OCTETS + TAG_OCTETS:
        heads.refusals.append(Refusal(index, RefusalReason.BAD_ENVELOPE, f"no room for a tag of {TAG_OCTETS} octets"))
    else:
        heads.counter[index] = int.from_bytes(apdu[at + 1 : at + SEALED_HEAD_OCTETS])
        heads.body_at[index] = WRAPPER_OCTETS + at + SEALED_HEAD_OCTETS
        heads.sound[index] = True
