"""A backup's open head is whatever somebody wrote there: it is read or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from openami.app.backup.files import read_manifest
from openami.app.backup.manifest import BackupError


@pytest.mark.parametrize("head", [b"[]", b"7", b"null", b"\xff", b"{", b"[" * 100_000, b"{}"])
def test_a_head_that_is_none_is_refused(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_bytes(head)
    with pytest.raises(BackupError):
        read_manifest(tmp_path, key=bytes(32))
