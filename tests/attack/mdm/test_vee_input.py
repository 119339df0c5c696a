"""Any octets into ``openami vee`` give a document or one declared error."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from openami.app.commands.vee import validate_file
from openami.app.commands.vee_table import read_rules_file
from openami.kernel.errors import OpenAmiError

CELL = st.sampled_from(
    ["", "1", "-1", "1e5", "nan", "inf", "1e400", "2026-06-01T00:00Z", "2026-06-01T00:15Z", "9999-01-01T00:00Z",
     "2026-06-01T00:15:07Z", "x", '"', "0.00000001", "delivered", "voltage", "estimated"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(st.lists(CELL, max_size=4), max_size=12)))
def test_any_octets_give_a_document_or_one_declared_error(content: bytes | list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "i.csv"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text("start,value,channel,quality\n" + "\n".join(",".join(r) for r in content))
        for registers in (None, path):
            with contextlib.suppress(OpenAmiError):
                validate_file(file=path, registers=registers, tz="America/Chicago")


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=120), st.text(alphabet='[]spike."=\n0123 warndelivered', max_size=80)))
def test_any_octets_as_rules_give_a_book_or_one_declared_error(content: bytes | str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with contextlib.suppress(OpenAmiError):
            read_rules_file(path)
