"""Small secrets of an installation as files in its home: made once, 32 random octets, readable by their owner alone."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

from openami.kernel.errors import OpenAmiError
from openami.security.closed_file import make_closed_once

SECRET_OCTETS = 32


class SecretFileError(OpenAmiError):
    """A secret's file is damaged, or others may read it; the text names the file."""


def secret_in(folder: Path, name: str) -> bytes:
    """Return the secret of that name, made at the first call. Two processes that start together get the same one.

    Raises:
        SecretFileError: the file has another length, or group or others may read it.
    """
    path = folder / name
    make_closed_once(path, lambda: secrets.token_bytes(SECRET_OCTETS))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SecretFileError(f"{path} may be read by others: chmod 400 {path}")
    octets = path.read_bytes()
    if len(octets) != SECRET_OCTETS:
        raise SecretFileError(f"{path} has {len(octets)} octets, expected {SECRET_OCTETS}: restore it from the backup")
    return octets
