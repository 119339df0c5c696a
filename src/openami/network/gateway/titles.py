"""Which devices may send: all of them until the core has handed a list to the DMZ."""

from __future__ import annotations

from pathlib import Path

from openami.network.gateway.listed import HexLines
from openami.protocol.envelope.sealed import TITLE_OCTETS


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
        self._list = HexLines(file, octets=TITLE_OCTETS)
        self._titles: frozenset[bytes] | None = None
        self._take()

    def __contains__(self, title: object) -> bool:
        return self._titles is None or title in self._titles

    def refresh(self) -> None:
        """Read the file again if it changed."""
        if self._list.refresh():
            self._take()

    def _take(self) -> None:
        self._titles = None if self._list.lines is None else frozenset(self._list.lines)
