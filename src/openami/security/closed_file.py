"""Small files that others may not read: closed from their first instant, whole or not there, on disk on return.

Blocking. Source: rename and link are atomic (POSIX.1-2017); a new name is durable once its folder is synchronized.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_closed(file: Path, octets: bytes) -> None:
    """Put a file in the place of the one of its name, mode 0600; its folder is made, mode 0700, where it is not there.

    Raises:
        OSError: the disk refused; what was there is still there.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".new")
    _draft(draft, octets, mode=0o600)
    draft.replace(file)
    _sync(file.parent)


def make_closed_once(file: Path, make: Callable[[], bytes]) -> None:
    """Make a file, mode 0400, if it is not there. Of two processes at once, both find the first one's.

    Args:
        file: where.
        make: returns its octets; called where no file was.

    Raises:
        OSError: the disk refused.
    """
    if file.exists():
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    _draft(draft, make(), mode=0o400)
    try:
        # A link fails where the name is taken; a rename would replace what another has begun to use.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync(file.parent)


def _draft(draft: Path, octets: bytes, *, mode: int) -> None:
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(octets)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
