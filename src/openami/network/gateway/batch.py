"""Gathers checked frames into batches for the stream. Pure: takes the time, returns messages.

A batch becomes one message per partition that has frames and one mark per collector that sent any, refused or not.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive_body import ID_OCTETS
from openami.contracts.frame import FrameClass, encode_packed_frames, pack_frame, unpack_frame
from openami.contracts.stream import frame_subject, mark_subject, partition_of_octets
from openami.network.link import LinkMessage
from openami.network.ports import StreamMessage

MAX_BATCH_OCTETS = 2 * 1024 * 1024
"""A batch is closed at this size, so a message of one partition stays under the bus's 4 MiB."""
MAX_BATCH_FRAMES = 8_000
_IDENTITY = struct.Struct(">IQ8s")
COLLECTOR_OCTETS = 4
"""A packed frame begins with its collector's number."""
MAX_BATCH_COLLECTORS = 500
"""The bus takes 1,000 messages a batch: 64 partitions and a mark for each collector fit well."""


@dataclass(frozen=True, slots=True)
class RefusedFrame:
    """A frame that may not pass, on its way to the quarantine or out of it."""

    collector_id: int
    seq: int
    reason: RefusalReason
    title: bytes
    collected_at_ms: int
    octets: bytes
    frame_class: int = int(FrameClass.PROFILE)

    @property
    def frame_id(self) -> bytes:
        """What people name it by, 16 octets, made of all that it is: another frame has another id."""
        head = _IDENTITY.pack(self.collector_id, self.seq, self.title)
        return sha256(head + self.octets).digest()[:ID_OCTETS]


@dataclass(slots=True)
class Batch:
    """Frames that go into the stream together.

    Args:
        partitions: packed frames by partition.
        last_seq: by collector, the last sequence of it in this batch.
        refused: frames that go to the quarantine instead.
    """

    partitions: dict[int, list[bytes]] = field(default_factory=dict)
    last_seq: dict[int, int] = field(default_factory=dict)
    refused: list[RefusedFrame] = field(default_factory=list)
    octets: int = 0
    frames: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the batch takes no more."""
        return (
            self.octets >= MAX_BATCH_OCTETS
            or self.frames >= MAX_BATCH_FRAMES
            or len(self.last_seq) >= MAX_BATCH_COLLECTORS
        )

    def add(self, collector_id: int, message: LinkMessage) -> None:
        """Add a frame that passed."""
        packed = pack_frame(
            collector_id=collector_id,
            seq=message.seq,
            frame_class=message.frame_class,
            title=message.title,
            collected_at_ms=message.collected_at_ms,
            octets=message.body,
        )
        self._put(message.title, packed)
        self.last_seq[collector_id] = message.seq

    def release(self, number: int, release_id: int, frame: RefusedFrame) -> None:
        """Add a frame that was in the quarantine, as it came; a mark of its own says how far releases have come.

        Args:
            number: of this release, rising.
            release_id: whose mark it is.
            frame: what is released.
        """
        packed = pack_frame(
            collector_id=frame.collector_id,
            seq=frame.seq,
            frame_class=frame.frame_class,
            title=frame.title,
            collected_at_ms=frame.collected_at_ms,
            octets=frame.octets,
        )
        self._put(frame.title, packed)
        self.last_seq[release_id] = number

    def _put(self, title: bytes, packed: bytes) -> None:
        partition = partition_of_octets(title)
        try:
            self.partitions[partition].append(packed)
        except KeyError:
            self.partitions[partition] = [packed]
        self.octets += len(packed)
        self.frames += 1

    def refuse(self, collector_id: int, message: LinkMessage, reason: RefusalReason) -> None:
        """Add a frame that may not pass: it takes its place in the sequence and goes to the quarantine."""
        self.refused.append(
            RefusedFrame(
                collector_id,
                message.seq,
                reason,
                message.title,
                message.collected_at_ms,
                message.body,
                message.frame_class,
            )
        )
        self.last_seq[collector_id] = message.seq
        self.octets += len(message.body)
        self.frames += 1

    def discredit(self, collector_id: int, reason: RefusalReason) -> int:
        """Turn what a collector has in this batch into refused frames; return how many."""
        if collector_id not in self.last_seq:
            return 0
        mark, before = collector_id.to_bytes(COLLECTOR_OCTETS), len(self.refused)
        for partition, frames in list(self.partitions.items()):
            theirs = [packed for packed in frames if packed.startswith(mark)]
            if not theirs:
                continue
            self.partitions[partition] = [packed for packed in frames if not packed.startswith(mark)]
            if not self.partitions[partition]:
                del self.partitions[partition]
            for _, seq, frame_class, title, collected_at_ms, octets in map(unpack_frame, theirs):
                row = RefusedFrame(collector_id, seq, reason, title, collected_at_ms, octets, frame_class)
                self.refused.append(row)
        return len(self.refused) - before

    def payloads(self, *, gateway_id: int, received_at_ms: int) -> list[tuple[int, bytes]]:
        """Return partition and octets of each frame message."""
        return [
            (partition, encode_packed_frames(gateway_id=gateway_id, received_at_ms=received_at_ms, packed=packed))
            for partition, packed in self.partitions.items()
        ]


def stream_messages(
    payloads: list[tuple[int, bytes]], last_seq: Mapping[int, int], marks: Mapping[int, int]
) -> list[StreamMessage]:
    """Return the messages of one commit: frames first, marks last in the order of ``last_seq``.

    Args:
        payloads: partition and octets of each frame message.
        last_seq: by collector, what its mark says.
        marks: by collector, the stream sequence of its present mark, 0 if it has none.
    """
    messages = [StreamMessage(frame_subject(partition), octets) for partition, octets in payloads]
    messages += [
        StreamMessage(mark_subject(collector_id), json.dumps({"seq": seq}).encode(), marks[collector_id])
        for collector_id, seq in last_seq.items()
    ]
    return messages
