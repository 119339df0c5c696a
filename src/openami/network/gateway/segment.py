"""Sealed segments: every batch the gateway tried to commit, kept as files, with a hash of each closed file.

``segments/<date>/<n>.seg`` holds records: ``magic u32 | kind u32 | octets u32 | crc32 u32`` and the body. Kind 1 is a
batch: its id (u16 length, ASCII) and per partition message ``partition u32 | octets u32 | frame batch``. Kind 2 says
that a batch was committed: stream sequence u64 and the id. A batch is on disk *before* it is committed, so every
frame in the stream is in a segment; a batch without a kind 2 record was lost or refused, or its gateway was killed.

``segments/index.jsonl`` has one line per closed segment with its SHA-256: the leaves of the audit log. Blocking; run
it in a thread. Dates are real time: retention is a promise about the world.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from openami.kernel.errors import OpenAmiError
from openami.network.spool.order import sync_folder

_RECORD = struct.Struct(">4sIII")
_MAGIC = b"OGS1"
_PART = struct.Struct(">II")
KIND_BATCH = 1
KIND_COMMITTED = 2
SEGMENT_OCTETS = 64 * 1024 * 1024
RETENTION_DAYS = 45
INDEX = "index.jsonl"


class SegmentError(OpenAmiError):
    """The disk under the segments refused, or a segment is not what was written."""


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    """One batch read back from a segment: its id and the octets of each partition's message."""

    batch_id: str
    payloads: tuple[tuple[int, bytes], ...]


class SegmentWriter:
    """Appends batches and closes segments. One thread at a time.

    Args:
        folder: ``segments`` of the home.
        segment_octets: size at which a segment is closed.

    Raises:
        SegmentError: the disk refused.
    """

    def __init__(self, folder: Path, *, segment_octets: int = SEGMENT_OCTETS) -> None:
        self._folder = folder
        self._segment_octets = segment_octets
        self._descriptor = -1
        self._file = folder
        self._octets = 0
        self._hash = sha256()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.closed = 0
        self._index_orphans()

    def append(self, batch_id: str, payloads: Sequence[tuple[int, bytes]], *, today: date) -> None:
        """Write a batch and wait until it is on disk.

        Raises:
            SegmentError: the disk refused.
        """
        name = batch_id.encode("ascii")
        parts = [len(name).to_bytes(2), name]
        for partition, octets in payloads:
            parts += [_PART.pack(partition, len(octets)), octets]
        try:
            self._roll(today)
            self._write(KIND_BATCH, b"".join(parts))
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise SegmentError(f"a segment cannot be written: {os.strerror(error.errno or 0)}") from error

    def committed(self, batch_id: str, stream_sequence: int) -> None:
        """Note that a batch is in the stream; on disk with the next batch.

        Raises:
            SegmentError: the disk refused.
        """
        if self._descriptor < 0:
            return
        try:
            self._write(KIND_COMMITTED, stream_sequence.to_bytes(8) + batch_id.encode("ascii"))
        except OSError as error:
            raise SegmentError(f"a segment cannot be written: {os.strerror(error.errno or 0)}") from error

    def close(self) -> None:
        """Close the open segment and enter it in the index."""
        if self._descriptor < 0:
            return
        os.fdatasync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self._enter(self._file, self._hash.hexdigest(), self._octets)

    def sweep(self, *, today: date) -> int:
        """Delete the days that are older than the retention; return how many. Their index lines stay."""
        oldest = (today - timedelta(days=RETENTION_DAYS)).isoformat()
        old = [d for d in self._folder.iterdir() if d.is_dir() and d.name < oldest]
        for day in old:
            shutil.rmtree(day, ignore_errors=True)
        return len(old)

    def _write(self, kind: int, body: bytes) -> None:
        record = _RECORD.pack(_MAGIC, kind, len(body), crc32(body)) + body
        if os.write(self._descriptor, record) != len(record):
            os.ftruncate(self._descriptor, self._octets)
            raise SegmentError("a segment cannot be written: the disk is full")
        self._hash.update(record)
        self._octets += len(record)

    def _roll(self, today: date) -> None:
        day = self._folder / today.isoformat()
        if self._descriptor >= 0 and self._file.parent == day and self._octets < self._segment_octets:
            return
        self.close()
        day.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._folder)
        number = max((int(f.stem) for f in day.glob("*.seg")), default=0) + 1
        self._file = day / f"{number:06d}.seg"
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # A batch is on disk once its segment's name is.
        sync_folder(day)
        self._octets = 0
        self._hash = sha256()

    def _index_orphans(self) -> None:
        """Enter the segments that a killed predecessor left open, as they are on disk."""
        index = self._folder / INDEX
        known = set()
        if index.exists():
            whole = [line for line in index.read_bytes().split(b"\n")[:-1] if line]
            known = {json.loads(line)["segment"] for line in whole}
            # A torn last line is cut off; its segment is entered again below.
            os.truncate(index, sum(len(line) + 1 for line in whole))
        for file in sorted(self._folder.glob("*/*.seg")):
            if self._name(file) not in known:
                with file.open("rb") as source:
                    digest = sha256()
                    while block := source.read(1024 * 1024):
                        digest.update(block)
                    os.fdatasync(source.fileno())
                self._enter(file, digest.hexdigest(), file.stat().st_size)

    def _enter(self, file: Path, digest: str, octets: int) -> None:
        line = json.dumps({"segment": self._name(file), "sha256": digest, "octets": octets}) + "\n"
        with (self._folder / INDEX).open("ab") as index:
            index.write(line.encode())
            index.flush()
            os.fdatasync(index.fileno())
        self.closed += 1

    def _name(self, file: Path) -> str:
        return f"{file.parent.name}/{file.name}"


def read_segment(file: Path) -> Iterator[SegmentBatch | tuple[str, int]]:
    """Yield the batches of a segment, and batch id and stream sequence where one was committed. A torn end is left out.

    Raises:
        SegmentError: a record is damaged and others follow it.
    """
    octets = file.read_bytes()
    at = 0
    while at + _RECORD.size <= len(octets):
        magic, kind, length, check = _RECORD.unpack_from(octets, at)
        body = octets[at + _RECORD.size : at + _RECORD.size + length]
        if len(body) < length:
            return
        if magic != _MAGIC or crc32(body) != check:
            raise SegmentError(f"{file} is damaged at octet {at}")
        at += _RECORD.size + length
        yield _read_batch(body) if kind == KIND_BATCH else (body[8:].decode("ascii"), int.from_bytes(body[:8]))


def _read_batch(body: bytes) -> SegmentBatch:
    at = 2 + int.from_bytes(body[:2])
    batch_id = body[2:at].decode("ascii")
    payloads = []
    while at < len(body):
        partition, length = _PART.unpack_from(body, at)
        at += _PART.size
        payloads.append((partition, body[at : at + length]))
        at += length
    return SegmentBatch(batch_id, tuple(payloads))
