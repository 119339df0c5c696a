"""The root key as a file of the installation: 32 random octets, mode 0400, our own user's.

Losing this file loses every key in the vault; a copy of it opens them all. Back it up apart from the database.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openami.security.closed_file import make_closed_once
from openami.security.keys.envelope import LAYOUT, WRAPPING_KEY_OCTETS, unwrap_key, wrap_key
from openami.security.keys.ports import RootKeyError
from openami.security.keys.secret import Secret


@dataclass(frozen=True, slots=True)
class FileRootKey:
    """A :class:`~openami.security.keys.ports.RootKey` in a file."""

    path: Path
    layout = LAYOUT

    def __str__(self) -> str:
        return f"file {self.path}"

    def ensure(self, dice: Callable[[int], bytes] = os.urandom) -> None:
        """Make the file if it is not there. Two processes at once make one key."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_closed_once(self.path, lambda: dice(WRAPPING_KEY_OCTETS))

    def wrap(self, key: Secret, *, context: bytes, nonce: bytes) -> bytes:
        """Return a key wrapped under the root key. Raises as :meth:`fetch`."""
        return wrap_key(key, under=self.fetch(), context=context, nonce=nonce)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> Secret:
        """Return a key that was wrapped under the root key. Raises as :meth:`fetch`, and ``KeyBindingError``."""
        return unwrap_key(wrapped, under=self.fetch(), context=context)

    def fetch(self) -> Secret:
        """Return the root key.

        Raises:
            RootKeyError: no such file, another length, another owner, or readable by group or others.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                octets = file.read(WRAPPING_KEY_OCTETS + 1)
        except OSError as error:
            raise RootKeyError(f"the root key {self.path} cannot be read: {error.strerror}") from error
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise RootKeyError(f"the root key {self.path} is open to group or others: chmod 0400 it")
        if status.st_uid != os.geteuid():
            raise RootKeyError(f"the root key {self.path} belongs to user {status.st_uid}, not to us")
        if len(octets) != WRAPPING_KEY_OCTETS:
            raise RootKeyError(f"the root key {self.path} does not have {WRAPPING_KEY_OCTETS} octets")
        return Secret(octets)
