"""Which devices may send: all of them until the core has handed a list to the DMZ."""

from __future__ import annotations

from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class EveryTitle:
    """Lets every device pass."""

    def __contains__(self, title: object) -> bool:
        return True

    def refresh(self) -> None:
        """Do nothing."""


class ListedTitles:
    """Lets the devices of a text file pass, sixteen hexadecimal digits a line; all of them while there is no file.

    A list that cannot be read changes nothing: the last good one stays.

    Args:
        file: ``dmz/known_titles`` of the home; written whole or not at all by whoever imports shipments.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._titles: frozenset[bytes] | None = None
        self._seen: tuple[int, int, int] | None = None
        self.refresh()

    def __contains__(self, title: object) -> bool:
        return self._titles is None or title in self._titles

    def refresh(self) -> None:
        """Read the file again if it changed."""
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return
            titles = frozenset(bytes.fromhex(line) for line in self._file.read_text("ascii").split())
            if any(len(title) != 8 for title in titles):
                raise ValueError("a title has eight octets")  # noqa: TRY301 - joins the other ways a list is bad
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("gateway.known_titles_unreadable", cause=type(error).__name__)
            return
        self._seen, self._titles = seen, titles
        _log.info("gateway.known_titles", count=len(titles))
