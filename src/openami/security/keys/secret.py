"""Secret octets whose text is a mask, so that a log line or an error page cannot show them."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "Secret(***)"


class Secret:
    """Octets that print as a mask, compare in constant time and refuse to be pickled.

    Python cannot promise to wipe memory; this type only keeps the octets out of text.

    >>> Secret(b"k" * 16)
    Secret(***)
    >>> f"{Secret(b'k')}", Secret(b"a") == Secret(b"a")
    ('Secret(***)', True)
    """

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = bytes(octets)

    def reveal(self) -> bytes:
        """Return the octets. The one word to search for when asking where keys go."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> int:
        return hash(self._octets)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")
