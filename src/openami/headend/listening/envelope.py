"""The clear part of many frames at once: wrapper, title, control byte and counter, before any key is touched.

Frames of one length are laid side by side and compared with the shape that a sealed push has; what does not fit is
read again by the protocol's own parser, which gives the reason. Equality of the two is a property test.

Source: IEC 62056-47 (wrapper); IEC 62056-5-3, 5.7.2.5 (general-glo-ciphering).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import FrameColumns, equal_slices
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.envelope.association import ACCEPTED, ANSWERS, parse_association
from openami.protocol.envelope.sealed import SERVICE_RESPONSES, parse_service_sealed
from openami.protocol.errors import PeerError
from openami.security.keys.table import title_number
from openami.security.suites.gcm import AUTHENTICATED_AND_ENCRYPTED, TAG_OCTETS

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

WRAPPER_OCTETS = 8
TITLE_AT = WRAPPER_OCTETS + 2
TITLE_OCTETS = 8
COUNTER_OCTETS = 4
LENGTH_AT = TITLE_AT + TITLE_OCTETS
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


@dataclass(frozen=True, slots=True, eq=False)
class EqualFrames:
    """Sound frames of one length and one shape.

    Args:
        index: (m,) places in the batch, ascending.
        titles: (m,) system titles as big-endian integers.
        octets: (m, length) wrapper header and APDU.
        body_at: offset of the ciphertext.
    """

    index: I64
    titles: U64
    octets: U8
    body_at: int

    @property
    def vectors(self) -> U8:
        """(m, 12) system title and invocation counter of each."""
        titles = self.titles.astype(">u8").view(np.uint8).reshape(-1, TITLE_OCTETS)
        return np.concatenate([titles, self.octets[:, self.body_at - COUNTER_OCTETS : self.body_at]], axis=1)

    @property
    def sealed(self) -> U8:
        """(m, k) ciphertext and tag of each."""
        return self.octets[:, self.body_at :]

    def take(self, at: I64) -> EqualFrames:
        """Return the frames at these places."""
        return EqualFrames(self.index[at], self.titles[at], self.octets[at], self.body_at)


@dataclass(frozen=True, slots=True, eq=False)
class ClearHeads:
    """What can be known of frames without a key. Columns of one length n.

    Args:
        title: (n,) system titles that the frames were announced with, as big-endian integers; the same stand in every
            sound frame.
        counter: (n,) invocation counters; -1 where there is none.
        body_at: (n,) offset of the ciphertext in each frame.
        sound: (n,) whether the frame may go on to the keys.
        groups: the sound frames.
        refusals: one for each frame that is neither sound nor an answer in the clear.
        in_clear: answers to an association, and refusals of a request, that prove nothing of who sent them.
    """

    title: U64
    counter: I64
    body_at: I64
    sound: Mask
    groups: list[EqualFrames]
    refusals: list[Refusal]
    in_clear: list[int] = field(default_factory=list)


def read_clear_heads(frames: FrameColumns) -> ClearHeads:
    """Check the envelopes of many frames.

    Args:
        frames: wrapper headers and APDUs; each APDU must carry the title that it was announced with.
    """
    count = len(frames)
    heads = ClearHeads(
        title=frames.title,
        counter=np.full(count, -1, np.int64),
        body_at=np.zeros(count, np.int64),
        sound=np.zeros(count, np.bool_),
        groups=[],
        refusals=[],
    )
    for length in np.unique(frames.length).tolist():
        _read_equal_lengths(frames, np.flatnonzero(frames.length == length), length, heads)
    odd = np.flatnonzero(~heads.sound)
    for index in odd.tolist():
        _read_one(index, frames.frame(index), int(frames.title[index]), heads)
    for index in odd[heads.sound[odd]].tolist():
        octets = np.frombuffer(frames.frame(index), np.uint8)[None, :]
        alone = np.array([index], np.int64)
        heads.groups.append(EqualFrames(alone, heads.title[alone], octets, int(heads.body_at[index])))
    return heads


def _read_equal_lengths(frames: FrameColumns, here: I64, length: int, heads: ClearHeads) -> None:
    body = length - LENGTH_AT
    width = 1 if body <= 128 else 2 if body - 2 <= 0xFF else 3
    body_at = LENGTH_AT + width + SEALED_HEAD_OCTETS
    if length < body_at + TAG_OCTETS:
        return
    octets = equal_slices(frames.octets, frames.start[here], length)
    fits = (_number(octets, 0, 2) == 1) & (_number(octets, 6, 2) == length - WRAPPER_OCTETS)
    fits &= _number(octets, WRAPPER_OCTETS, 2) == _GLO_HEAD
    fits &= _number(octets, TITLE_AT, TITLE_OCTETS) == heads.title[here]
    fits &= _number(octets, LENGTH_AT, width) == _length_octets(body - width, width)
    fits &= octets[:, LENGTH_AT + width] == AUTHENTICATED_AND_ENCRYPTED
    group = EqualFrames(here, heads.title[here], octets, body_at)
    if not fits.all():
        group = group.take(np.flatnonzero(fits))
    if len(group.index):
        heads.sound[group.index] = True
        heads.counter[group.index] = _number(group.octets, LENGTH_AT + width + 1, COUNTER_OCTETS)
        heads.body_at[group.index] = body_at
        heads.groups.append(group)


def _number(octets: U8, at: int, width: int) -> U64:
    """Return the big-endian integer of each row at a place."""
    number = np.zeros((len(octets), 8), np.uint8)
    number[:, 8 - width :] = octets[:, at : at + width]
    return number.view(">u8").reshape(-1).astype(np.uint64)


def _length_octets(length: int, width: int) -> int:
    """Return a BER length of that width as an integer, or -1 where that is not the shortest form."""
    if width == 1:
        return length if length < 0x80 else -1
    prefix = 0x80 + width - 1
    return (prefix << 8 * (width - 1)) | length if 0x80 <= length < 1 << 8 * (width - 1) else -1


def _read_one(index: int, frame: bytes, title: int, heads: ClearHeads) -> None:
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
        is_service = apdu[0] in SERVICE_RESPONSES
        own = title.to_bytes(TITLE_OCTETS)
        header = parse_service_sealed(apdu, title=own) if is_service else parse_sealed_header(apdu)
    except PeerError as error:
        refuse(RefusalReason.BAD_ENVELOPE, str(error))
        return
    heads.counter[index] = header.invocation_counter
    if len(header.system_title) != TITLE_OCTETS or title_number(header.system_title) != title:
        inside = header.system_title.hex()
        refuse(RefusalReason.BAD_ENVELOPE, f"announced with another system title than {inside} in its header")
    elif header.security_control != AUTHENTICATED_AND_ENCRYPTED:
        control = header.security_control
        refuse(RefusalReason.DOWNGRADE, f"security control 0x{control:02x}: only 0x30, authenticated and encrypted")
    elif len(apdu) < header.body_offset + SEALED_HEAD_OCTETS + TAG_OCTETS:
        refuse(RefusalReason.BAD_ENVELOPE, f"no room for a tag of {TAG_OCTETS} octets")
    else:
        heads.body_at[index] = WRAPPER_OCTETS + header.body_offset + SEALED_HEAD_OCTETS
        heads.sound[index] = True


def _read_association_answer(index: int, apdu: bytes, title: int, heads: ClearHeads) -> None:
    """Read an AARE or RLRE: the sealed part of it goes to the keys like a push; a refusal has none.

    Raises:
        PeerError: it is none.
    """
    envelope = parse_association(apdu)
    at = envelope.sealed_at
    if envelope.responding_title not in {None, title.to_bytes(TITLE_OCTETS)}:
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
