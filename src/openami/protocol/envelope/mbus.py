"""Wired M-Bus long frames that carry DLMS segments.

``68 | L | L | 68 | C | A | CI | source | destination | segment | checksum | 16``; L counts C to the segment's end, the
checksum is their sum. CI is ``000 F ssss``: F marks the last segment, s counts from 0.
Source: EN 13757-2, 5; EN 13757-1, transport layer of the wired M-Bus; IEC 62056-7-3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.protocol.errors import PeerError, UsageError

START = 0x68
STOP = 0x16
USER_DATA_CONTROL = 0x53
BROADCAST_ADDRESS = 0xFF
FINAL = 0x10
SEQUENCE_MASK = 0x0F
MAX_SEGMENT_OCTETS = 250
"""L has 8 bits and counts C, A, CI and the two access points as well."""
MAX_MBUS_FRAME_OCTETS = 261
"""Head of four, L of at most 255, checksum and stop."""
_HEAD_OCTETS = 4
_FIELDS_OCTETS = 5
_TAIL_OCTETS = 2


@dataclass(frozen=True, slots=True)
class MBusSegment:
    """One long frame: its place in the message and its octets."""

    control: int
    address: int
    sequence: int
    is_final: bool
    source: int
    destination: int
    octets: bytes = field(repr=False)


def build_frames(message: bytes, *, source: int, destination: int) -> bytes:
    """Return a message as long frames.

    Raises:
        UsageError: a message that needs more than sixteen segments, or an access point over 8 bits.
    """
    pieces = [message[i : i + MAX_SEGMENT_OCTETS] for i in range(0, len(message), MAX_SEGMENT_OCTETS)]
    if not 1 <= len(pieces) <= SEQUENCE_MASK + 1 or not (0 <= source <= 0xFF and 0 <= destination <= 0xFF):
        raise UsageError("an M-Bus message has 1 to 16 segments and access points of 8 bits")
    frames = []
    for sequence, piece in enumerate(pieces):
        information = sequence | (FINAL if sequence == len(pieces) - 1 else 0)
        fields = bytes((USER_DATA_CONTROL, BROADCAST_ADDRESS, information, source, destination)) + piece
        length = len(fields)
        frames.append(bytes((START, length, length, START)) + fields + bytes((sum(fields) & 0xFF, STOP)))
    return b"".join(frames)


def parse_first(octets: bytes, offset: int = 0) -> tuple[MBusSegment, int]:
    """Read the long frame at an offset and return it with the offset after it.

    Raises:
        PeerError: no long frame there, cut, or a checksum that fails.
    """
    head = octets[offset : offset + _HEAD_OCTETS]
    if len(head) < _HEAD_OCTETS:
        raise PeerError("cut", "the octets end inside an M-Bus header", len(octets))
    if head[0] != START or head[3] != START or head[1] != head[2]:
        raise PeerError("bad_format", "no M-Bus long frame (68 L L 68)", offset)
    length = head[1]
    if length <= _FIELDS_OCTETS:
        raise PeerError("bad_length", f"an M-Bus long frame of {length} octets carries nothing", offset + 1)
    start = offset + _HEAD_OCTETS
    after = start + length + _TAIL_OCTETS
    if after > len(octets):
        raise PeerError("cut", "the octets end inside an M-Bus long frame", len(octets))
    fields = octets[start : start + length]
    if octets[after - 1] != STOP:
        raise PeerError("bad_format", "an M-Bus long frame without its stop octet", after - 1)
    if sum(fields) & 0xFF != octets[after - 2]:
        raise PeerError("bad_checksum", "the M-Bus checksum fails", after - 2)
    control, address, information, source, destination = fields[:_FIELDS_OCTETS]
    if information & ~(FINAL | SEQUENCE_MASK):
        raise PeerError("bad_format", f"M-Bus control information 0x{information:02x} is no DLMS segment", start + 2)
    segment = MBusSegment(
        control,
        address,
        information & SEQUENCE_MASK,
        bool(information & FINAL),
        source,
        destination,
        fields[_FIELDS_OCTETS:],
    )
    return segment, after


def split_messages(octets: bytes) -> list[bytes]:
    """Return the messages whose segments fill the octets.

    Raises:
        PeerError: a frame that is none, a segment that is missing or out of order, or an end inside a message.
    """
    messages: list[bytes] = []
    parts: list[bytes] = []
    offset = 0
    while offset < len(octets):
        segment, after = parse_first(octets, offset)
        if segment.sequence != len(parts):
            text = f"M-Bus segment {segment.sequence} where {len(parts)} should stand"
            raise PeerError("segment_lost", text, offset + _HEAD_OCTETS + 2)
        parts.append(segment.octets)
        if segment.is_final:
            messages.append(b"".join(parts))
            parts = []
        elif len(parts) > SEQUENCE_MASK:
            raise PeerError("too_long", "more than sixteen M-Bus segments", offset)
        offset = after
    if parts:
        raise PeerError("cut", "the octets end before the last M-Bus segment", len(octets))
    if not messages:
        raise PeerError("empty", "no octets where an M-Bus frame should stand", 0)
    return messages
