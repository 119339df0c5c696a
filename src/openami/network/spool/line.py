"""One class's waiting line: groups of frames in append-only segment files.

A group is ``magic u32 | count u32 | octets u32 | crc32 u32`` and the link messages end to end with sequence 0. A
segment's file name is the number of its first group. A torn group at the end of the last segment is cut off when the
line is opened: nobody was told that it was safe.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from openami.network.spool.errors import SpoolError
from openami.network.spool.order import sync_folder, write_whole

_GROUP = struct.Struct(">4sIII")
_MAGIC = b"OMG1"
MAX_GROUP_OCTETS = 1024 * 1024
MAX_GROUP_FRAMES = 4096


@dataclass(slots=True)
class Segment:
    """One file of a line.

    Args:
        file: where.
        first_group: number of its first group.
        offsets: where each group begins, and where the next would.
        frames: how many frames each group has.
        descriptor: open for writing, or -1.
    """

    file: Path
    first_group: int
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    frames: array[int] = field(default_factory=lambda: array("I"))
    descriptor: int = -1

    @property
    def end_group(self) -> int:
        """Number of the group after its last."""
        return self.first_group + len(self.frames)

    def add(self, octets: int, frames: int) -> None:
        """Note one group behind the others."""
        self.offsets.append(self.offsets[-1] + octets)
        self.frames.append(frames)

    def scan(self) -> int:
        """Read the file into ``offsets`` and ``frames`` up to the first octet that is no whole group; return it."""
        octets = self.file.read_bytes()
        at = 0
        while at + _GROUP.size <= len(octets):
            magic, count, length, check = _GROUP.unpack_from(octets, at)
            body = octets[at + _GROUP.size : at + _GROUP.size + length]
            if magic != _MAGIC or len(body) != length or crc32(body) != check:
                break
            at += _GROUP.size + length
            self.add(_GROUP.size + length, count)
        return len(octets) - at

    def read(self, first: int, end: int) -> bytearray:
        """Return the messages of the groups ``first`` to ``end`` (exclusive), end to end.

        Raises:
            SpoolError: the disk gave back something else than was written.
        """
        start, stop = self.offsets[first - self.first_group], self.offsets[end - self.first_group]
        with self.file.open("rb") as source:
            source.seek(start)
            octets = source.read(stop - start)
        messages = bytearray()
        at = 0
        for _ in range(first, end):
            magic, _count, length, check = (
                _GROUP.unpack_from(octets, at) if at + _GROUP.size <= len(octets) else (b"",) * 4
            )
            body = octets[at + _GROUP.size : at + _GROUP.size + length] if magic == _MAGIC else b""
            if magic != _MAGIC or len(body) != length or crc32(body) != check:
                raise SpoolError(f"{self.file} is damaged at octet {start + at}")
            messages += body
            at += _GROUP.size + length
        return messages


class Line:
    """The groups of one class: freed <= planned <= safe (on disk) <= written."""

    __slots__ = ("_segment_octets", "_unsynced", "folder", "freed", "planned", "safe", "segments")

    def __init__(self, folder: Path, *, segment_octets: int) -> None:
        self.folder = folder
        self.segments: deque[Segment] = deque()
        self.freed = 0
        self.planned = 0
        self.safe = 0
        self._segment_octets = segment_octets
        self._unsynced: list[int] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def written(self) -> int:
        """Number of the group that would be written next."""
        return self.segments[-1].end_group if self.segments else self.planned

    @property
    def octets(self) -> int:
        """What its files hold."""
        return sum(segment.offsets[-1] for segment in self.segments)

    @property
    def waiting_frames(self) -> int:
        """Frames that are not planned."""
        return sum(
            sum(s.frames[max(0, self.planned - s.first_group) :]) for s in self.segments if s.end_group > self.planned
        )

    def load(self) -> int:
        """Read the segments from disk and cut off what is torn; return how many octets that was.

        Raises:
            SpoolError: frames that were safe are not there any more.
        """
        torn = 0
        files = sorted(self.folder.glob("*.seg"))
        for file in files:
            segment = Segment(file, int(file.stem))
            rest = segment.scan()
            if rest and file != files[-1]:
                raise SpoolError(f"{file} is damaged at octet {segment.offsets[-1]}")
            if self.segments and segment.first_group != self.written:
                raise SpoolError(f"{file} does not follow group {self.written}")
            if rest:
                os.truncate(file, segment.offsets[-1])
                torn += rest
            self.segments.append(segment)
        if self.segments and self.written < self.planned:
            raise SpoolError(f"{self.folder} ends at group {self.written}; {self.planned} were safe")
        # A file that a predecessor wrote and did not synchronize may be in memory only.
        for segment in self.segments:
            with segment.file.open("rb") as source:
                os.fdatasync(source.fileno())
        self.safe = self.written
        return torn

    def adopt(self) -> None:
        """Go on from the first group there is where the order log knows less: it was lost or cut.

        The gateway then knows higher sequences than this spool, and the spool numbers anew from there.
        """
        if self.segments and self.planned < self.segments[0].first_group:
            self.planned = self.freed = self.segments[0].first_group

    def append(self, messages: list[bytes]) -> int:
        """Write one group of messages; return how many octets it took.

        Raises:
            SpoolError: the disk refused; the line is as it was.
        """
        segment = self._writable()
        body = b"".join(messages)
        group = _GROUP.pack(_MAGIC, len(messages), len(body), crc32(body)) + body
        write_whole(segment.descriptor, group, at=segment.offsets[-1], file=segment.file)
        segment.add(len(group), len(messages))
        return len(group)

    def _writable(self) -> Segment:
        last = self.segments[-1] if self.segments else None
        if last is not None and last.descriptor >= 0 and last.offsets[-1] < self._segment_octets:
            return last
        if last is not None and last.descriptor >= 0:
            self._unsynced.append(last.descriptor)
            last.descriptor = -1
        first = self.written
        file = self.folder / f"{first:016d}.seg"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            sync_folder(self.folder)
        except OSError as error:
            raise SpoolError(f"{file} cannot be made: {os.strerror(error.errno or 0)}") from error
        if last is not None and last.file == file:
            # The last segment has no group yet (its first write failed or was torn): go on with it.
            last.descriptor = descriptor
            return last
        self.segments.append(Segment(file, first, descriptor=descriptor))
        return self.segments[-1]

    def take_unsynced(self) -> tuple[list[int], list[int]]:
        """Return the descriptors to synchronize, and those of them to close afterwards."""
        finished, self._unsynced = self._unsynced, []
        current = [s.descriptor for s in self.segments if s.descriptor >= 0 and self.safe < self.written]
        return finished + current, finished

    def next_groups(self, *, max_octets: int) -> tuple[int, int, int]:
        """Return how many unplanned safe groups fit, their frames and octets; at least one, from one segment."""
        for segment in self.segments:
            if segment.first_group <= self.planned < segment.end_group:
                first = self.planned - segment.first_group
                last = min(self.safe, segment.end_group) - segment.first_group
                end, limit = first + 1, segment.offsets[first] + max_octets
                while end < last and segment.offsets[end + 1] <= limit:
                    end += 1
                return end - first, sum(segment.frames[first:end]), segment.offsets[end] - segment.offsets[first]
        raise SpoolError(f"group {self.planned} of {self.folder} is gone")

    def read(self, first: int, end: int) -> bytearray:
        """Return the messages of the groups ``first`` to ``end`` (exclusive), end to end.

        Raises:
            SpoolError: they are not there as they were written.
        """
        messages = bytearray()
        for segment in self.segments:
            if segment.first_group <= first < segment.end_group and first < end:
                last = min(end, segment.end_group)
                messages += segment.read(first, last)
                first = last
        if first != end:
            raise SpoolError(f"group {first} of {self.folder} is gone")
        return messages

    def drop_freed(self) -> None:
        """Delete the segments whose groups are all freed; the one that is written to stays."""
        while self.segments and self.segments[0].end_group <= self.freed:
            segment = self.segments[0]
            if segment.descriptor >= 0 or len(self.segments) == 1:
                return
            segment.file.unlink(missing_ok=True)
            self.segments.popleft()

    def close(self) -> None:
        """Close its files."""
        for descriptor in self._unsynced:
            os.close(descriptor)
        for segment in self.segments:
            if segment.descriptor >= 0:
                os.close(segment.descriptor)
        self._unsynced.clear()
        self.segments.clear()
