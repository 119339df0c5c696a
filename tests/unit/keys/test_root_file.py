"""The root key's file is made once and refused where others can read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openami.security.adapters.root_file import FileRootKey
from openami.security.keys.ports import RootKeyError


def test_a_new_root_key_has_32_octets_and_is_readable_by_us_alone(tmp_path: Path) -> None:
    root = FileRootKey(tmp_path / "keys" / "root.key")
    root.ensure()
    assert (root.path.stat().st_mode & 0o777, len(root.fetch())) == (0o400, 32)


def test_ensuring_again_keeps_the_first_key(tmp_path: Path) -> None:
    root = FileRootKey(tmp_path / "root.key")
    root.ensure()
    first = root.fetch()
    root.ensure()
    assert root.fetch() == first
    assert [p.name for p in tmp_path.iterdir()] == ["root.key"]


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o640, 0o604])
def test_a_root_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    root = FileRootKey(tmp_path / "root.key")
    root.ensure()
    root.path.chmod(mode)
    with pytest.raises(RootKeyError, match="chmod 0400"):
        root.fetch()


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_root_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(os.urandom(length))
    path.chmod(0o400)
    with pytest.raises(RootKeyError, match="32 octets"):
        FileRootKey(path).fetch()


def test_a_missing_root_key_is_a_declared_error(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError, match="cannot be read"):
        FileRootKey(tmp_path / "none").fetch()
