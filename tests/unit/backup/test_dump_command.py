"""What other users of the machine see of a backup while it runs: no password."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest

from openami.app.backup import database
from openami.app.backup.database import DatabaseSnapshot

PASSWORD = "pass word/'1"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://openami:pass%20word%2F%271@db.example:5433/openami?sslmode=verify-full",
        "postgresql://db.example:5433/openami?user=openami&password=pass%20word%2F%271&sslmode=verify-full",
    ],
)
def test_the_password_of_the_database_is_not_among_the_words_of_the_command(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "pg_dump"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@" > {seen}\n')
    fake.chmod(0o755)
    monkeypatch.setattr(database, "binary", lambda _: fake)
    DatabaseSnapshot(dsn, "00000003-1", cast("Any", None)).dump(io.BytesIO())
    password, *words = seen.read_text().splitlines()
    assert password == PASSWORD
    assert not any("word" in w for w in words), words
    assert any("db.example" in w and "verify-full" in w and "5433" in w for w in words)
