"""Find the sealed frame of a message in the gateway's segments: by system title and invocation counter, without a key.

The segments are on the gateway's disk. Where the gateway stands in a zone of its own, its folder is brought by whoever
may, and named: nothing of the core reaches into it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from openami.billing.proof.record import FrameProof
from openami.contracts.frame import FrameBatches, decode_frame_batches
from openami.kernel.errors import OpenAmiError
from openami.network.gateway.segment import INDEX, SegmentBatch, SegmentError, read_segment
from openami.protocol.envelope import parse_sealed_header, parse_wrapper
from openami.protocol.errors import PeerError


class SegmentsUnreadableError(OpenAmiError):
    """The folder of segments cannot be read; the text names the place."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked for, and through how much.

    Args:
        found: frames by invocation counter; several of one counter are replays, or of two key generations.
        segments: how many files were read.
        damaged: names of files that could not be read to their end.
    """

    found: dict[int, tuple[FrameProof, ...]]
    segments: int
    damaged: tuple[str, ...]


def find_frames(folder: Path, title: bytes, counters: Collection[int]) -> Search:
    """Look for frames of one device.

    Args:
        folder: the gateway's ``segments``.
        title: the device's system title, 8 octets.
        counters: invocation counters.

    Raises:
        SegmentsUnreadableError: there is no such folder, or its index is none.
    """
    if not folder.is_dir():
        raise SegmentsUnreadableError(f"{folder}: no folder of segments is there")
    digests = _digests(folder / INDEX)
    wanted = set(counters)
    found: dict[int, list[FrameProof]] = {}
    damaged = []
    files = sorted(folder.glob("*/*.seg"))
    for file in files:
        name = f"{file.parent.name}/{file.name}"
        try:
            for proof in _in_segment(file, name, digests.get(name, ""), title, wanted):
                found.setdefault(proof.counter, []).append(proof)
        except (SegmentError, OSError):
            damaged.append(name)
    return Search({c: tuple(p) for c, p in found.items()}, len(files), tuple(damaged))


def _digests(index: Path) -> dict[str, str]:
    if not index.exists():
        return {}
    try:
        rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines() if line]
        return {str(r["segment"]): str(r["sha256"]) for r in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentsUnreadableError(f"{index}: a line is no entry of a segment") from error


def _in_segment(file: Path, name: str, digest: str, title: bytes, wanted: set[int]) -> Iterator[FrameProof]:
    batches: list[SegmentBatch] = []
    committed: dict[str, int] = {}
    for record in read_segment(file):
        if isinstance(record, SegmentBatch):
            batches.append(record)
        else:
            committed[record[0]] = record[1]
    for batch in batches:
        messages = [octets for _, octets in batch.payloads]
        read = decode_frame_batches(messages)
        mine = np.flatnonzero(read.frames.title == np.uint64(int.from_bytes(title)))
        for at in mine.tolist():
            octets = read.frames.frame(at)
            counter = _counter(octets)
            if counter in wanted:
                where = (name, digest, batch.batch_id, committed.get(batch.batch_id))
                yield _proof(read, at, octets, counter, title, where)


def _counter(frame: bytes) -> int:
    """Return the invocation counter of a frame's clear header; -1 where it has none."""
    try:
        return parse_sealed_header(parse_wrapper(frame)[1]).invocation_counter
    except PeerError:
        return -1


def _proof(
    read: FrameBatches, at: int, octets: bytes, counter: int, title: bytes, where: tuple[str, str, str, int | None]
) -> FrameProof:
    name, digest, batch, sequence = where
    frames = read.frames
    return FrameProof(
        segment=name,
        segment_sha256=digest,
        batch=batch,
        stream_sequence=sequence,
        collector=int(frames.collector_id[at]),
        sequence=int(frames.seq[at]),
        collected_at=_instant(int(frames.collected_at_ms[at])),
        received_at=_instant(int(read.received_at_ms[int(read.batch[at])])),
        system_title=title.hex(),
        counter=counter,
        octets=len(octets),
        sha256=sha256(octets).hexdigest(),
    )


def _instant(milliseconds: int) -> datetime:
    """Return an instant; a clock beyond the calendar is cut to its end."""
    return datetime.fromtimestamp(min(milliseconds, 253_402_214_400_000) / 1000, tz=UTC)
