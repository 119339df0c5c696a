"""Sealed frames on their way from a collector to the head-end, many to a message.

A frame is opaque here: a DLMS wrapper header and a ciphered APDU that only the head-end can open. The layout of a
batch, big-endian: magic ``OF01``, gateway id u32, received_at_ms u64, count u32, then per frame
``collector_id u32 | seq u64 | class u8 | system title 8 | collected_at_ms u64 | length u32 | octets``.

Source: DESIGN section 4, steps 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from openami.contracts.errors import ContractError
from openami.kernel.ids import SystemTitle

MAGIC = b"OF01"
MAX_FRAME_OCTETS = 65_536
"""Largest APDU with its wrapper header that the gateway lets pass (requirement R6.2)."""
MAX_FRAMES_PER_BATCH = 10_000
_HEAD = struct.Struct(">4sIQI")
_FRAME = struct.Struct(">IQB8sQI")


class FrameClass(IntEnum):
    """The order in which a collector empties its spool. A hint by source port, nothing more."""

    LAST_GASP = 0
    ALARM = 1
    PROFILE = 2
    RESPONSE = 3


@dataclass(frozen=True, slots=True)
class SealedFrame:
    """One wrapper frame as a collector handed it over.

    Args:
        collector_id: number of the collector, from its certificate.
        seq: the collector's durable sequence number, from 1, without gaps.
        frame_class: order hint.
        system_title: the device the frame claims to come from; proved only when the tag verifies.
        collected_at_ms: the collector's clock, milliseconds since the epoch.
        octets: 8-octet wrapper header and the APDU.
    """

    collector_id: int
    seq: int
    frame_class: int
    system_title: SystemTitle
    collected_at_ms: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """What the gateway publishes in one message: frames of one partition in order of arrival."""

    gateway_id: int
    received_at_ms: int
    frames: tuple[SealedFrame, ...]


def encode_frame_batch(*, gateway_id: int, received_at_ms: int, frames: Sequence[SealedFrame]) -> bytes:
    """Return the batch as octets."""
    parts = [_HEAD.pack(MAGIC, gateway_id, received_at_ms, len(frames))]
    for f in frames:
        parts.append(
            _FRAME.pack(f.collector_id, f.seq, f.frame_class, f.system_title.octets, f.collected_at_ms, len(f.octets))
        )
        parts.append(f.octets)
    return b"".join(parts)


def pack_frame(
    *, collector_id: int, seq: int, frame_class: int, title: bytes, collected_at_ms: int, octets: bytes
) -> bytes:
    """Return one frame as it stands in a batch: for the gateway, which packs each frame once as it arrives."""
    return _FRAME.pack(collector_id, seq, frame_class, title, collected_at_ms, len(octets)) + octets


def encode_packed_frames(*, gateway_id: int, received_at_ms: int, packed: Sequence[bytes]) -> bytes:
    """Return a batch of frames that :func:`pack_frame` made; equal to :func:`encode_frame_batch` of the same."""
    return _HEAD.pack(MAGIC, gateway_id, received_at_ms, len(packed)) + b"".join(packed)


FrameRow = tuple[int, int, int, bytes, int, bytes]
"""(collector_id, seq, class, system title, collected_at_ms, octets): a frame without objects, for hot paths."""


def decode_frame_rows(octets: bytes) -> tuple[int, int, list[FrameRow]]:
    """Read a batch as (gateway_id, received_at_ms, rows): three times as fast as :func:`decode_frame_batch`.

    Raises:
        ContractError: the octets are not a whole batch; the text names the offset.
    """
    if len(octets) < _HEAD.size:
        raise ContractError(f"frame batch: {len(octets)} octets, the header alone has {_HEAD.size}")
    magic, gateway_id, received_at_ms, count = _HEAD.unpack_from(octets)
    if magic != MAGIC:
        raise ContractError(f"frame batch: magic {magic.hex()} at offset 0, expected {MAGIC.hex()}")
    if count > MAX_FRAMES_PER_BATCH:
        raise ContractError(f"frame batch: {count} frames at offset 16, the limit is {MAX_FRAMES_PER_BATCH}")
    offset, end = _HEAD.size, len(octets)
    rows: list[FrameRow] = []
    for _ in range(count):
        if offset + _FRAME.size > end:
            raise ContractError(f"frame batch: cut inside a frame header at offset {offset}")
        collector_id, seq, frame_class, title, collected_at_ms, length = _FRAME.unpack_from(octets, offset)
        offset += _FRAME.size
        if length > MAX_FRAME_OCTETS or offset + length > end:
            raise ContractError(f"frame batch: frame of {length} octets at offset {offset} does not fit")
        rows.append((collector_id, seq, frame_class, title, collected_at_ms, octets[offset : offset + length]))
        offset += length
    if offset != end:
        raise ContractError(f"frame batch: {end - offset} octets after the last frame at offset {offset}")
    return gateway_id, received_at_ms, rows


def decode_frame_batch(octets: bytes) -> FrameBatch:
    """Read a batch.

    Raises:
        ContractError: the octets are not a whole batch; the text names the offset.
    """
    gateway_id, received_at_ms, rows = decode_frame_rows(octets)
    frames = (SealedFrame(c, s, k, SystemTitle(t), at, body) for c, s, k, t, at, body in rows)
    return FrameBatch(gateway_id, received_at_ms, tuple(frames))
