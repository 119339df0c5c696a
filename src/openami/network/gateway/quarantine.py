"""Refused frames on disk, with the reason, in a bounded number of files: a flood pushes out the oldest, not the disk.

Each line of ``quarantine/<n>.jsonl`` is one frame. Blocking; run it in a thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from openami.kernel.errors import OpenAmiError
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.thinning import Thinning
from openami.network.spool.order import sync_folder

QUARANTINE = "quarantine"
"""Name of its folder in the gateway's."""
FILE_OCTETS = 8 * 1024 * 1024
MAX_FILES = 128
"""A gigaoctet: new meters whose keys come days later, and what two people have not looked at yet."""


class QuarantineError(OpenAmiError):
    """The disk under the quarantine refused."""


class Quarantine:
    """Appends refused frames.

    Args:
        folder: ``gateway/quarantine`` of the home.
        file_octets: size at which the next file begins.
        max_files: how many files are kept.

    Raises:
        QuarantineError: the disk refused.
    """

    def __init__(self, folder: Path, *, file_octets: int = FILE_OCTETS, max_files: int = MAX_FILES) -> None:
        self._folder = folder
        self._file_octets = file_octets
        self._max_files = max_files
        self._thinning = Thinning()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._end_torn_line()

    def append(self, frames: Sequence[RefusedFrame], *, refused_at_ms: int) -> int:
        """Write frames, wait until they are on disk, and return how many were too many to keep.

        Args:
            frames: what was refused.
            refused_at_ms: domain time.

        Raises:
            QuarantineError: the disk refused.
        """
        kept = [frame for frame in frames if self._thinning.keeps(frame, now_ms=refused_at_ms)]
        if not kept:
            return len(frames)
        lines = "".join(_line(frame, refused_at_ms) for frame in kept)
        try:
            file = self._current()
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(lines.encode())
                out.flush()
                os.fdatasync(out.fileno())
                if out.tell() == len(lines):
                    sync_folder(self._folder)
        except OSError as error:
            raise QuarantineError(f"the quarantine cannot be written: {os.strerror(error.errno or 0)}") from error
        return len(frames) - len(kept)

    def _end_torn_line(self) -> None:
        """End the line that a killed predecessor left open, so that the next one is not lost with it."""
        newest = max(self._folder.glob("*.jsonl"), default=None)
        try:
            if newest is not None and newest.read_bytes()[-1:] not in {b"", b"\n"}:
                with newest.open("ab") as out:
                    out.write(b"\n")
        except OSError as error:
            raise QuarantineError(f"the quarantine cannot be read: {os.strerror(error.errno or 0)}") from error

    def _current(self) -> Path:
        files = sorted(self._folder.glob("*.jsonl"))
        if files and files[-1].stat().st_size < self._file_octets:
            return files[-1]
        number = int(files[-1].stem) + 1 if files else 1
        for old in files[: max(0, len(files) - self._max_files + 1)]:
            old.unlink(missing_ok=True)
        return self._folder / f"{number:08d}.jsonl"


def _line(frame: RefusedFrame, refused_at_ms: int) -> str:
    row = {
        "id": frame.frame_id.hex(),
        "collector_id": frame.collector_id,
        "seq": frame.seq,
        "reason": frame.reason.value,
        "system_title": frame.title.hex(),
        "frame_class": frame.frame_class,
        "collected_at_ms": frame.collected_at_ms,
        "refused_at_ms": refused_at_ms,
        "frame": frame.octets.hex(),
    }
    return json.dumps(row, separators=(",", ":")) + "\n"
