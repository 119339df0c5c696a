"""A list that core hands to the DMZ as a text file of hexadecimal lines, read again when it is replaced."""

from __future__ import annotations

from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class HexLines:
    """Lines of a file that its writer replaces whole or not at all.

    A file that cannot be read, or holds what it should not, changes nothing: the last good lines stay.

    Args:
        file: the file; it may come later.
        octets: of each line.
        most: lines at most; None for no bound but the file's size.
    """

    def __init__(self, file: Path, *, octets: int, most: int | None = None) -> None:
        self._file = file
        self._octets = octets
        self._most = most
        self._seen: tuple[int, int, int] | None = None
        self.lines: tuple[bytes, ...] | None = None
        self.refresh()

    def refresh(self) -> bool:
        """Read the file if it changed; tell whether there are new lines."""
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return False
            lines = tuple(bytes.fromhex(line) for line in self._file.read_text("ascii").split())
            if any(len(line) != self._octets for line in lines) or len(lines) > (self._most or len(lines)):
                raise ValueError("lines of another length, or too many")  # noqa: TRY301 - one of the ways to be bad
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            _log.warning("gateway.list_unreadable", list=self._file.name, cause=type(error).__name__)
            return False
        self._seen, self.lines = seen, lines
        _log.info("gateway.list", list=self._file.name, count=len(lines))
        return True
