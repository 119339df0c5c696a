"""Several root keys during a move from one to another: each wrapped key says by its first octet which one opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import RootKey, RootKeyError
from openami.security.keys.secret import Secret

PLACES = {1: "a file", 2: "a PKCS#11 token"}
"""Where the root key of a layout is kept."""


@dataclass(frozen=True, slots=True)
class RootKeys:
    """A :class:`~openami.security.keys.ports.RootKey` that wraps with the first and unwraps with the fitting one.

    Args:
        every: root keys by preference, each of another layout, 1 or more.
    """

    every: Sequence[RootKey]

    @property
    def layout(self) -> int:
        """The layout of what is wrapped."""
        return self.every[0].layout

    def __str__(self) -> str:
        return str(self.every[0])

    def wrap(self, key: Secret, *, context: bytes, nonce: bytes) -> bytes:
        """Return a key wrapped under the first root key."""
        return self.every[0].wrap(key, context=context, nonce=nonce)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> Secret:
        """Return a key wrapped under any of them.

        Raises:
            RootKeyError: it is under one that this process does not have, or that cannot be had now.
            KeyBindingError: it does not open.
        """
        if not wrapped:
            raise KeyBindingError("a wrapped key of no octets does not open")
        for root in self.every:
            if root.layout == wrapped[0]:
                return root.unwrap(wrapped, context=context)
        place = PLACES.get(wrapped[0], f"a place of layout {wrapped[0]}")
        raise RootKeyError(f"this vault's root key is in {place}, and this process was not told where")
