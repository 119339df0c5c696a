"""The order log: which frames got which link sequences. Append-only, rewritten when its freed part grows.

A record is ``first seq u64 | class u8 | first group u64 | groups u32 | frames u32 | crc32 u32``. With groups it is a
*run*: those groups of that class's line got the sequences from ``first seq`` on. Without groups it is a *base*: the
line was freed up to that group, and numbering goes on from that sequence.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from openami.network.spool.errors import SpoolError

_RUN = struct.Struct(">QBQII")
_RECORD_OCTETS = _RUN.size + 4
MAX_ORDER_OCTETS = 1024 * 1024
"""The log is rewritten at this size."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive groups of one line that got consecutive sequences.

    Args:
        first_seq: sequence of the first frame.
        frame_class: whose line.
        first_group: number of the first group in its line.
        groups, frames: how many; 0 groups make it a base.
    """

    first_seq: int
    frame_class: int
    first_group: int
    groups: int
    frames: int

    @property
    def last_seq(self) -> int:
        """Sequence of its last frame."""
        return self.first_seq + self.frames - 1

    @property
    def end_group(self) -> int:
        """Number of the group after its last."""
        return self.first_group + self.groups

    def pack(self) -> bytes:
        """Return it as a record."""
        body = _RUN.pack(self.first_seq, self.frame_class, self.first_group, self.groups, self.frames)
        return body + crc32(body).to_bytes(4)


class OrderLog:
    """The log's file. Blocking; :meth:`sync` alone may run in a thread beside the others."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor = -1
        self._octets = 0

    @property
    def is_long(self) -> bool:
        """Whether it is time to rewrite."""
        return self._octets >= MAX_ORDER_OCTETS

    def read(self) -> list[Run]:
        """Return the whole records; a torn last one was never acted upon and is left out."""
        try:
            octets = self.file.read_bytes()
        except FileNotFoundError:
            return []
        runs = []
        for at in range(0, len(octets) - _RECORD_OCTETS + 1, _RECORD_OCTETS):
            body, check = octets[at : at + _RUN.size], octets[at + _RUN.size : at + _RECORD_OCTETS]
            if crc32(body).to_bytes(4) != check:
                break
            runs.append(Run(*_RUN.unpack(body)))
        return runs

    def rewrite(self, runs: Iterable[Run]) -> None:
        """Put these records in the place of all others, whole or not at all, and on disk.

        Raises:
            SpoolError: the disk refused; the old log is still there.
        """
        temporary = self.file.with_suffix(".new")
        octets = b"".join(run.pack() for run in runs)
        descriptor = -1
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            write_whole(descriptor, octets, at=0, file=temporary)
            os.fdatasync(descriptor)
            temporary.replace(self.file)
            sync_folder(self.file.parent)
        except (OSError, SpoolError) as error:
            if descriptor >= 0:
                os.close(descriptor)
            if isinstance(error, SpoolError):
                raise
            raise SpoolError(f"{self.file} cannot be written: {os.strerror(error.errno or 0)}") from error
        self.close()
        self._descriptor, self._octets = descriptor, len(octets)

    def append(self, runs: Iterable[Run]) -> None:
        """Write records behind the others.

        Raises:
            SpoolError: the disk refused; nothing was written.
        """
        octets = b"".join(run.pack() for run in runs)
        write_whole(self._descriptor, octets, at=self._octets, file=self.file)
        self._octets += len(octets)

    def sync(self) -> None:
        """Wait until all records are on disk.

        Raises:
            SpoolError: the disk refused.
        """
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise SpoolError(f"the disk under {self.file} failed: {os.strerror(error.errno or 0)}") from error

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_whole(descriptor: int, octets: bytes, *, at: int, file: Path) -> None:
    """Append octets to a file that is ``at`` octets long, or leave it as it was.

    Raises:
        SpoolError: the disk refused, or took only a part.
    """
    try:
        written = os.write(descriptor, octets)
        if written == len(octets):
            return
        problem = "the disk is full"
    except OSError as error:
        problem = os.strerror(error.errno or 0)
    os.ftruncate(descriptor, at)
    raise SpoolError(f"{file} cannot be written: {problem}")


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
