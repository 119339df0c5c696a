"""Which devices may send: all of them until the core has told the DMZ, by directive or by a file."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path
from zlib import crc32

from openami.contracts.directive import Directive
from openami.contracts.directive_body import decode_known_titles
from openami.contracts.stream import PARTITIONS
from openami.network.gateway.listed import HexLines
from openami.network.ports import KnownTitles
from openami.protocol.envelope.sealed import TITLE_OCTETS


class EveryTitle:
    """Lets every device pass."""

    def __contains__(self, title: object) -> bool:
        return True

    def least_suite(self, title: bytes) -> int | None:  # noqa: ARG002 - the port's signature
        """Return the least suite that there is."""
        return 0

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

    def least_suite(self, title: bytes) -> int | None:
        """Return the least suite that there is, or None for a device that may not send."""
        return 0 if title in self else None

    def refresh(self) -> None:
        """Read the file again if it changed."""
        if self._list.refresh():
            self._take()

    def _take(self) -> None:
        self._titles = None if self._list.lines is None else frozenset(self._list.lines)


class DirectedTitles:
    """Lets the devices of the directives ``KNOWN_TITLES`` pass; those of a partition without one, as the seed says.

    Args:
        seed: what holds until core has spoken.
    """

    def __init__(self, seed: KnownTitles | None = None) -> None:
        self._seed: KnownTitles = seed or EveryTitle()
        self._parts: list[dict[bytes, int] | None] = [None] * PARTITIONS
        self._withheld: AbstractSet[bytes] = frozenset()

    def __contains__(self, title: object) -> bool:
        return self.least_suite(title) is not None if isinstance(title, bytes) else False

    def withhold(self, titles: AbstractSet[bytes]) -> None:
        """Let these devices wait though they are known, and no others."""
        self._withheld = titles

    def is_told(self, title: bytes) -> bool:
        """Tell whether a device may send, or may as soon as it is not withheld any more."""
        return self._least_suite(title) is not None

    def least_suite(self, title: bytes) -> int | None:
        """Return the least security suite that is taken from a device; None where it may not send now."""
        return None if title in self._withheld else self._least_suite(title)

    def _least_suite(self, title: bytes) -> int | None:
        part = self._parts[crc32(title) % PARTITIONS]
        if part is None:
            return self._seed.least_suite(title)
        return part.get(title)

    def take(self, directive: Directive) -> None:
        """Put a directive into force. Raises ContractError."""
        self._parts[directive.part] = decode_known_titles(directive.body, part=directive.part)

    def refresh(self) -> None:
        """Look whether the seed has changed."""
        self._seed.refresh()
