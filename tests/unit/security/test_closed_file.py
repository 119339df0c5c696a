"""Files with secrets are closed to others from the start, and whole or not there whatever happens in between."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from openami.security.adapters.secret_file import secret_in
from openami.security.closed_file import make_closed_once, write_closed


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_written_file_is_closed_whatever_the_umask_and_replaces_the_old_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "words"
    write_closed(file, b"first")
    write_closed(file, b"2nd")
    assert (file.read_bytes(), mode_of(file), mode_of(file.parent)) == (b"2nd", 0o600, 0o700)
    assert list(file.parent.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "words"
    write_closed(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_closed(file, b"new")
    assert file.read_bytes() == b"old"


def test_a_secret_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    first = secret_in(tmp_path, "login.key")
    assert secret_in(tmp_path, "login.key") == first
    assert mode_of(tmp_path / "login.key") == 0o400
    make_closed_once(tmp_path / "login.key", lambda: b"another")
    assert secret_in(tmp_path, "login.key") == first
    assert [f.name for f in tmp_path.iterdir()] == ["login.key"]
