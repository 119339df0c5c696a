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

import numpy as np
import numpy.typing as npt

from openami.contracts.errors import ContractError
from openami.kernel.ids import SystemTitle

MAGIC = b"OF01"
MAX_FRAME_OCTETS = 65_536
"""Largest APDU with its wrapper header that the gateway lets pass (requirement R6.2)."""
MAX_FRAMES_PER_BATCH = 10_000
_HEAD = struct.Struct(">4sIQI")
_FRAME = struct.Struct(">IQB8sQI")
_LENGTH = struct.Struct(">I")
_LENGTH_AT = _FRAME.size - _LENGTH.size
_RECORD = np.dtype([
    ("collector_id", ">u4"), ("seq", ">u8"), ("frame_class", "u1"), ("title", ">u8"), ("collected_at_ms", ">u8"),
    ("length", ">u4"),
])  # fmt: skip


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


def unpack_frame(packed: bytes) -> FrameRow:
    """Return what :func:`pack_frame` packed."""
    collector_id, seq, frame_class, title, collected_at_ms, _ = _FRAME.unpack_from(packed)
    return collector_id, seq, frame_class, title, collected_at_ms, packed[_FRAME.size :]


def encode_packed_frames(*, gateway_id: int, received_at_ms: int, packed: Sequence[bytes]) -> bytes:
    """Return a batch of frames that :func:`pack_frame` made; equal to :func:`encode_frame_batch` of the same."""
    return _HEAD.pack(MAGIC, gateway_id, received_at_ms, len(packed)) + b"".join(packed)


FrameRow = tuple[int, int, int, bytes, int, bytes]
"""(collector_id, seq, class, system title, collected_at_ms, octets): a frame without objects, for hot paths."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """Frames side by side, for hot paths. Columns of one length n; the frames' own octets stay where they came.

    Args:
        octets: (m,) what the frames stand in.
        start: (n,) offset of each frame's octets.
        length: (n,) how many octets each has.
        collector_id: (n,) number of the collector.
        seq: (n,) the collector's sequence number.
        frame_class: (n,) order hint.
        title: (n,) announced system titles as big-endian integers.
        collected_at_ms: (n,) the collector's clock, milliseconds since the epoch.
    """

    octets: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    collector_id: npt.NDArray[np.uint32]
    seq: npt.NDArray[np.uint64]
    frame_class: npt.NDArray[np.uint8]
    title: npt.NDArray[np.uint64]
    collected_at_ms: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.start)

    def frame(self, index: int) -> bytes:
        """Return the octets of one frame."""
        start = int(self.start[index])
        return self.octets[start : start + int(self.length[index])].tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatches:
    """Frames of many batches, side by side.

    Args:
        frames: (n,) of all batches that can be read, in order.
        batch: (n,) index of the batch that each frame came in.
        received_at_ms: (n,) the gateway's clock.
        errors: by index, why a batch cannot be read.
    """

    frames: FrameColumns
    batch: npt.NDArray[np.int64]
    received_at_ms: npt.NDArray[np.uint64]
    errors: dict[int, ContractError]


def decode_frame_batches(batches: Sequence[bytes]) -> FrameBatches:
    """Read many batches, without an object for each frame.

    Args:
        batches: octets of each; one that is not a whole batch spoils no other.
    """
    whole: list[bytes] = []
    heads: list[npt.NDArray[np.int64]] = []
    numbers: list[int] = []
    received_at_ms: list[int] = []
    errors: dict[int, ContractError] = {}
    base = 0
    for number, octets in enumerate(batches):
        try:
            _, at_ms, found = _read_heads(octets)
        except ContractError as error:
            errors[number] = error
            continue
        whole.append(octets)
        heads.append(found + base)
        numbers.append(number)
        received_at_ms.append(at_ms)
        base += len(octets)
    counts = [len(found) for found in heads]
    buffer = np.frombuffer(b"".join(whole), np.uint8)
    return FrameBatches(
        _columns(buffer, np.concatenate([np.zeros(0, np.int64), *heads])),
        np.repeat(np.array(numbers, np.int64), counts),
        np.repeat(np.array(received_at_ms, np.uint64), counts),
        errors,
    )


def _read_heads(octets: bytes) -> tuple[int, int, npt.NDArray[np.int64]]:
    """Return gateway, its clock, and where each frame of a batch begins.

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
    heads = _equal_heads(octets, np.frombuffer(octets, np.uint8), count)
    return gateway_id, received_at_ms, np.array(_heads(octets, count), np.int64) if heads is None else heads


def _equal_heads(octets: bytes, buffer: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int64] | None:
    """Return where the frames begin if all are as long as the first and fill the batch, as they mostly do."""
    if not count or len(octets) < _HEAD.size + _FRAME.size:
        return None
    stride = _FRAME.size + _LENGTH.unpack_from(octets, _HEAD.size + _LENGTH_AT)[0]
    if stride > _FRAME.size + MAX_FRAME_OCTETS or _HEAD.size + count * stride != len(octets):
        return None
    heads = _HEAD.size + stride * np.arange(count)
    lengths = buffer[_HEAD.size :].reshape(count, stride)[:, _LENGTH_AT : _FRAME.size]
    return heads if (lengths == lengths[0]).all() else None


def _heads(octets: bytes, count: int) -> list[int]:
    """Walk from frame to frame.

    Raises:
        ContractError: see :func:`_read_heads`.
    """
    offset, end = _HEAD.size, len(octets)
    heads = []
    for _ in range(count):
        heads.append(offset)
        if offset + _FRAME.size > end:
            raise ContractError(f"frame batch: cut inside a frame header at offset {offset}")
        (length,) = _LENGTH.unpack_from(octets, offset + _LENGTH_AT)
        offset += _FRAME.size
        if length > MAX_FRAME_OCTETS or offset + length > end:
            raise ContractError(f"frame batch: frame of {length} octets at offset {offset} does not fit")
        offset += length
    if offset != end:
        raise ContractError(f"frame batch: {end - offset} octets after the last frame at offset {offset}")
    return heads


def _columns(buffer: npt.NDArray[np.uint8], heads: npt.NDArray[np.int64]) -> FrameColumns:
    fixed = equal_slices(buffer, heads, _FRAME.size).view(_RECORD).reshape(-1)
    return FrameColumns(
        octets=buffer,
        start=heads + _FRAME.size,
        length=fixed["length"].astype(np.int64),
        collector_id=fixed["collector_id"].astype(np.uint32),
        seq=fixed["seq"].astype(np.uint64),
        frame_class=fixed["frame_class"],
        title=fixed["title"].astype(np.uint64),
        collected_at_ms=fixed["collected_at_ms"].astype(np.uint64),
    )


def equal_slices(buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.uint8]:
    """Return slices of one length side by side.

    Args:
        buffer: (m,) contiguous octets.
        starts: (n,) where the slices begin; each ends within the buffer.
        length: octets of each, from 1.

    Returns:
        (n, length) copies.
    """
    if not len(starts):
        return np.zeros((0, length), np.uint8)
    # One element is a whole slice, and elements overlap: so a slice is copied at once instead of octet by octet.
    overlapping: npt.NDArray[np.void] = np.ndarray((len(buffer) - length + 1,), f"V{length}", buffer, strides=(1,))
    return overlapping[starts].view(np.uint8).reshape(len(starts), length)


def decode_frame_batch(octets: bytes) -> FrameBatch:
    """Read a batch.

    Raises:
        ContractError: the octets are not a whole batch; the text names the offset.
    """
    gateway_id, received_at_ms, heads = _read_heads(octets)
    columns = _columns(np.frombuffer(octets, np.uint8), heads)
    frames = tuple(
        SealedFrame(collector, seq, kind, SystemTitle(title.to_bytes(8)), at_ms, columns.frame(index))
        for index, (collector, seq, kind, title, at_ms) in enumerate(
            zip(
                columns.collector_id.tolist(),
                columns.seq.tolist(),
                columns.frame_class.tolist(),
                columns.title.tolist(),
                columns.collected_at_ms.tolist(),
                strict=True,
            )
        )
    )
    return FrameBatch(gateway_id, received_at_ms, frames)
