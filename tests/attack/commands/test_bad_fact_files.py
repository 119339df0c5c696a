"""A file of facts is whatever somebody was sent: each is taken whole or refused by its line, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from openami.app.commands import registry_facts
from openami.app.commands.registry_facts import MOST_OCTETS, rows_of
from openami.kernel.errors import MisuseError

pytestmark = pytest.mark.attack("A21")
HEAD = b"place,kind,value,from,until\n"
ROW = b"OAM1,municipality,St. Louis,2026-10-11,\n"


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        pytest.param(b"", "the columns are place, kind", id="nothing"),
        pytest.param(HEAD, "it has no row", id="no row"),
        pytest.param(HEAD + ROW + b"OAM1,munici\0pality,x,2026-10-11,\n", "line 3: no text", id="a NUL"),
        pytest.param((HEAD + ROW).decode().encode("utf-16"), "no text", id="another encoding"),
        pytest.param(HEAD + b"OAM1,municipality,Ca\xf1on City,2026-10-11,\n", "line 2: no UTF-8", id="latin 1"),
        pytest.param(HEAD + b'OAM1,municipality,"St. Louis,2026-10-11,\n', "cannot be read", id="a quote without end"),
        pytest.param(HEAD + b"OAM1,municipality\n", "more or fewer cells", id="a short row"),
        pytest.param(HEAD.replace(b"until", b"from"), "the columns are", id="a column twice"),
        pytest.param(HEAD.replace(b"until", b"\x1b[2J" * 99), "the columns are", id="a head that steers the terminal"),
        pytest.param(HEAD + b"x" * MOST_OCTETS, "more than 4,194,304 octets", id="too long"),
    ],
)
def test_a_bad_file_is_refused_by_its_line(octets: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.csv"
    file.write_bytes(octets)
    with pytest.raises(MisuseError, match=words) as refused:
        rows_of(file)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_too_many_rows_and_what_never_ends_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_facts, "MOST_ROWS", 3)
    file = tmp_path / "facts.csv"
    file.write_bytes(HEAD + ROW * 4)
    with pytest.raises(MisuseError, match="more than 3 rows"):
        rows_of(file)
    if (endless := Path("/dev/zero")).exists():
        with pytest.raises(MisuseError, match="more than 4,194,304 octets"):
            rows_of(endless)
    with pytest.raises(MisuseError, match="cannot be read"):
        rows_of(tmp_path)


def test_a_file_as_a_table_program_writes_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "facts.csv"
    file.write_bytes(b"\xef\xbb\xbf" + (HEAD + ROW).replace(b"\n", b"\r\n"))
    assert rows_of(file) == [
        (2, {"place": "OAM1", "kind": "municipality", "value": "St. Louis", "from": "2026-10-11", "until": ""})
    ]
