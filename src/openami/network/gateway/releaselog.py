"""Which frames left the quarantine, in which order, and how far the stream has them. On disk, so that each leaves once.

``quarantine/released`` has a line for each: ``<number> <frame id, 32 hexadecimal digits>``, written before the frame
goes to the stream; and ``a <number>`` for what the stream has taken. Blocking; one thread at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from openami.contracts.directive_body import ID_OCTETS
from openami.network.gateway.quarantine import QuarantineError
from openami.security.closed_file import write_closed

RELEASED = "released"
_HEX = frozenset(b"0123456789abcdef")
MAX_REMEMBERED = 500_000
"""More than a full quarantine of usual frames; the oldest are forgotten at a start."""


class ReleaseLog:
    """Numbers of released frames.

    Args:
        folder: ``gateway/quarantine`` of the home.

    Raises:
        QuarantineError: the disk refused.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / RELEASED
        self.numbers: dict[bytes, int] = {}
        self.acked = 0
        self._next = 1
        self._load()

    def __contains__(self, frame_id: object) -> bool:
        return frame_id in self.numbers

    def give_numbers(self, frame_ids: Sequence[bytes]) -> int:
        """Number frames that have none yet, durably; return the first of consecutive numbers.

        Raises:
            QuarantineError: the disk refused; none has a number.
        """
        first = self._next
        lines = "".join(f"{first + i} {frame_id.hex()}\n" for i, frame_id in enumerate(frame_ids))
        try:
            with self._file.open("ab") as out:
                out.write(lines.encode())
                out.flush()
                os.fdatasync(out.fileno())
        except OSError as error:
            raise QuarantineError(f"releases cannot be noted: {os.strerror(error.errno or 0)}") from error
        for i, frame_id in enumerate(frame_ids):
            self.numbers[frame_id] = first + i
        self._next = first + len(frame_ids)
        return first

    def taken(self, number: int) -> None:
        """Note that the stream has everything to a number; on disk with the next fsync, for the stream says it too."""
        if number <= self.acked:
            return
        self.acked = number
        try:
            with self._file.open("ab") as out:
                out.write(f"a {number}\n".encode())
        except OSError as error:
            raise QuarantineError(f"releases cannot be noted: {os.strerror(error.errno or 0)}") from error

    def beyond(self, number: int) -> list[tuple[int, bytes]]:
        """Return numbers and ids of what the stream does not have, in order."""
        return sorted((n, frame_id) for frame_id, n in self.numbers.items() if n > number)

    def _load(self) -> None:
        try:
            lines = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise QuarantineError(f"releases cannot be read: {os.strerror(error.errno or 0)}") from error
        # What stands behind the last end of a line was torn by a kill, and went nowhere.
        for line in lines[:-1]:
            self._take(line)
        self._next = max([self.acked, *self.numbers.values()]) + 1
        if len(lines) > 2 * MAX_REMEMBERED or lines[-1]:
            self._rewrite()

    def _take(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"a" and rest.isdigit():
            self.acked = max(self.acked, int(rest))
        elif word.isdigit() and len(rest) == 2 * ID_OCTETS and _HEX.issuperset(rest):
            self.numbers[bytes.fromhex(rest.decode("ascii"))] = int(word)

    def _rewrite(self) -> None:
        newest = sorted(self.numbers.items(), key=lambda item: item[1])[-MAX_REMEMBERED:]
        self.numbers = dict(newest)
        lines = [f"{number} {frame_id.hex()}" for frame_id, number in newest]
        try:
            write_closed(self._file, "\n".join([*lines, f"a {self.acked}", ""]).encode())
        except OSError as error:
            raise QuarantineError(f"releases cannot be noted: {os.strerror(error.errno or 0)}") from error


def released_ids(folder: Path) -> frozenset[bytes]:
    """Return the ids of all frames that were released; for pages, whether or not a gateway runs.

    Args:
        folder: ``gateway/quarantine`` of the home.

    Raises:
        QuarantineError: the disk refused.
    """
    try:
        return frozenset(_ids((folder / RELEASED).read_bytes().split(b"\n")[:-1]))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise QuarantineError(f"releases cannot be read: {os.strerror(error.errno or 0)}") from error


def _ids(lines: Iterable[bytes]) -> Iterable[bytes]:
    for line in lines:
        _, _, rest = line.partition(b" ")
        if len(rest) == 2 * ID_OCTETS and _HEX.issuperset(rest):
            yield bytes.fromhex(rest.decode("ascii"))
