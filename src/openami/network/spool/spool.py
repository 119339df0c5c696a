"""The spool: four lines and the order log. Blocking file work; knows no clock and no socket.

Only :meth:`DiskSync.run` waits for the disk and may run in a thread while frames are appended, planned or read.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openami.contracts.frame import FrameClass
from openami.network.link import MessageType, encode_message
from openami.network.spool.errors import SpoolError, SpoolFullError
from openami.network.spool.line import MAX_GROUP_FRAMES, MAX_GROUP_OCTETS, Line
from openami.network.spool.order import OrderLog, Run

SEGMENT_OCTETS = 4 * 1024 * 1024
"""A segment is closed at this size; it is the unit in which disk is given back."""
MAX_SPOOL_OCTETS = 512 * 1024 * 1024
"""Default bound of a spool: a million waiting pushes and more."""


@dataclass(frozen=True, slots=True)
class DiskSync:
    """Files that must reach the disk, and what is safe once they have."""

    descriptors: tuple[int, ...]
    finished: tuple[int, ...]
    safe: tuple[int, ...]

    def run(self) -> None:
        """Wait for the disk. May run in a thread.

        Raises:
            SpoolError: the disk refused; the spool must not be used any more.
        """
        try:
            for descriptor in self.descriptors:
                os.fdatasync(descriptor)
        except OSError as error:
            raise SpoolError(f"the disk under the spool failed: {os.strerror(error.errno or 0)}") from error


class Spool:
    """One collector's frames on disk, for one process at a time.

    Args:
        folder: its files.
        max_octets: bound of what may wait.
        segment_octets: size at which a segment is closed.

    Raises:
        SpoolError: the disk does not hold what was safe on it.
    """

    def __init__(
        self, folder: Path, *, max_octets: int = MAX_SPOOL_OCTETS, segment_octets: int = SEGMENT_OCTETS
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.next_seq = 1
        self.acked_seq = 0
        self._max_octets = max_octets
        self._lines = [Line(folder / f"line-{c.value}", segment_octets=segment_octets) for c in FrameClass]
        self._order = OrderLog(folder / "order.log")
        self._runs: deque[Run] = deque()
        self._replay(self._order.read())
        self.repaired_octets = sum(line.load() for line in self._lines)
        self._octets = sum(line.octets for line in self._lines)
        self._forget_dropped()
        for line in self._lines:
            line.adopt()
        self._order.rewrite(self._records())

    # -- taking frames

    def append(self, frames: Sequence[tuple[int, bytes, int, bytes]]) -> None:
        """Write frames behind those of their class. They are safe after the next :class:`DiskSync`.

        Args:
            frames: class, system title (8 octets), collected_at_ms and wrapper frame of each.

        Raises:
            SpoolFullError: they do not fit; none was taken.
            SpoolError: the disk refused; some classes may have been taken.
        """
        by_class: dict[int, list[bytes]] = {}
        size = 0
        for frame_class, title, collected_at_ms, octets in frames:
            message = encode_message(
                MessageType.FRAME, frame_class=frame_class, title=title, collected_at_ms=collected_at_ms, body=octets
            )
            size += len(message)
            by_class.setdefault(frame_class, []).append(message)
        if self._octets + size > self._max_octets:
            raise SpoolFullError(f"{self.folder} holds {self._octets} octets, its bound is {self._max_octets}")
        for frame_class, messages in by_class.items():
            for group in _groups(messages):
                self._octets += self._lines[frame_class].append(group)

    def begin_sync(self) -> DiskSync:
        """Return what has to reach the disk now. One sync at a time."""
        pairs = [line.take_unsynced() for line in self._lines]
        return DiskSync(
            tuple(d for descriptors, _ in pairs for d in descriptors),
            tuple(d for _, finished in pairs for d in finished),
            tuple(line.written for line in self._lines),
        )

    def end_sync(self, sync: DiskSync) -> None:
        """Note that a sync has run: its groups may be planned."""
        for descriptor in sync.finished:
            os.close(descriptor)
        for line, safe in zip(self._lines, sync.safe, strict=True):
            line.safe = max(line.safe, safe)

    # -- giving them to the link

    @property
    def has_unplanned(self) -> bool:
        """Whether frames wait that are on disk and have no sequence."""
        return any(line.planned < line.safe for line in self._lines)

    @property
    def holds_last_gasp(self) -> bool:
        """Whether a last gasp is on disk that the stream does not have."""
        line = self._lines[FrameClass.LAST_GASP]
        return line.freed < line.written

    @property
    def lowest_seq(self) -> int:
        """Lowest sequence that is still held; ``next_seq`` if none is."""
        return max(self._runs[0].first_seq, self.acked_seq + 1) if self._runs else self.next_seq

    @property
    def unacked_frames(self) -> int:
        """Frames that have a sequence and no acknowledgement."""
        return self.next_seq - 1 - self.acked_seq

    @property
    def waiting_frames(self) -> int:
        """Frames that have no sequence yet."""
        return sum(line.waiting_frames for line in self._lines)

    def plan(self, *, max_octets: int) -> list[Run]:
        """Give sequences to the next frames, most urgent class first, and write that to the order log.

        The runs may be read at once, and sent after :meth:`sync_order`.

        Args:
            max_octets: stop after this much; at least one group is taken if any waits.

        Raises:
            SpoolError: the disk refused.
        """
        if self._order.is_long:
            # Here and not in acknowledge: a sync of the order log may run in a thread then.
            self._order.rewrite(self._records())
        runs: list[Run] = []
        next_seq, planned = self.next_seq, [line.planned for line in self._lines]
        for frame_class, line in enumerate(self._lines):
            while max_octets > 0 and line.planned < line.safe:
                groups, frames, octets = line.next_groups(max_octets=max_octets)
                runs.append(Run(next_seq, frame_class, line.planned, groups, frames))
                line.planned += groups
                next_seq += frames
                max_octets -= octets
        try:
            self._order.append(runs)
        except SpoolError:
            for line, before in zip(self._lines, planned, strict=True):
                line.planned = before
            raise
        self.next_seq = next_seq
        self._runs.extend(runs)
        return runs

    def sync_order(self) -> None:
        """Wait until what was planned is on disk. May run in a thread.

        Raises:
            SpoolError: the disk refused; the spool must not be used any more.
        """
        self._order.sync()

    def runs_after(self, seq: int) -> list[Run]:
        """Return the planned runs that hold a sequence above ``seq``, in order."""
        return [run for run in self._runs if run.last_seq > seq]

    def read(self, run: Run) -> bytearray:
        """Return the link messages of a run end to end, still with sequence 0.

        Raises:
            SpoolError: the disk gave back something else than was written.
        """
        return self._lines[run.frame_class].read(run.first_group, run.end_group)

    def acknowledge(self, seq: int) -> None:
        """Free every frame up to ``seq``, at most the highest planned."""
        self.acked_seq = max(self.acked_seq, min(seq, self.next_seq - 1))
        while self._runs and self._runs[0].last_seq <= self.acked_seq:
            run = self._runs.popleft()
            self._lines[run.frame_class].freed = run.end_group
        for line in self._lines:
            line.drop_freed()
        self._octets = sum(line.octets for line in self._lines)

    def renumber(self, next_seq: int) -> None:
        """Give up all numbers after the acknowledged ones and go on from ``next_seq``.

        For a gateway that knows a higher sequence than this spool ever gave: the spool was replaced or set back.

        Raises:
            SpoolError: the disk refused.
        """
        for line in self._lines:
            line.planned = line.freed
        self._runs.clear()
        self.next_seq, self.acked_seq = next_seq, next_seq - 1
        self._order.rewrite(self._records())

    def close(self) -> None:
        """Close the files. What was appended and not synchronized may be lost."""
        for line in self._lines:
            line.close()
        self._order.close()

    # -- the order log

    def _replay(self, records: list[Run]) -> None:
        for record in records:
            line = self._lines[record.frame_class]
            line.planned = record.end_group
            self.next_seq = record.first_seq + record.frames
            if record.groups:
                self._runs.append(record)
            else:
                line.freed = record.first_group
                self.acked_seq = record.first_seq - 1

    def _forget_dropped(self) -> None:
        """Segments are deleted only when acknowledged, so a run without its segment was, and all before it."""
        for run in self._runs:
            segments = self._lines[run.frame_class].segments
            if not segments or run.first_group < segments[0].first_group:
                self.acked_seq = max(self.acked_seq, run.last_seq)
        while self._runs and self._runs[0].last_seq <= self.acked_seq:
            run = self._runs.popleft()
            self._lines[run.frame_class].freed = run.end_group

    def _records(self) -> Iterator[Run]:
        first_seq = self._runs[0].first_seq if self._runs else self.next_seq
        for frame_class, line in enumerate(self._lines):
            yield Run(first_seq, frame_class, line.freed, 0, 0)
        yield from self._runs


def _groups(messages: list[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for message in messages:
        if group and (size + len(message) > MAX_GROUP_OCTETS or len(group) >= MAX_GROUP_FRAMES):
            yield group
            group, size = [], 0
        group.append(message)
        size += len(message)
    yield group
