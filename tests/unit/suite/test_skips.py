"""A test that is left out says why, and what would bring it back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.conftest import ROOT

LEAVES_OUT = {"skip", "skipif", "xfail"}
SAID_FIRST = {"pytest.skip", "pytest.xfail", "pytest.mark.skip"}
"""Take the reason without its name, too."""


def silent(source: str) -> list[int]:
    """Return the lines that leave tests out without a word."""
    tree = ast.parse(source)
    calls = {id(c.func): c for c in ast.walk(tree) if isinstance(c, ast.Call)}
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in LEAVES_OUT:
            continue
        name = ast.unparse(node)
        if not name.startswith("pytest."):
            continue
        call = calls.get(id(node))
        named = call is not None and any(k.arg == "reason" for k in call.keywords)
        first = call is not None and name in SAID_FIRST and bool(call.args)
        if not (named or first):
            lines.append(node.lineno)
    return lines


def test_every_test_that_is_left_out_says_why() -> None:
    found = {}
    for file in (ROOT / "tests").rglob("*.py"):
        source = Path(file).read_text()
        if "pytest." in source and any(word in source for word in LEAVES_OUT) and (lines := silent(source)):
            found[str(file.relative_to(ROOT))] = lines
    assert found == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("@pytest.mark.skip\ndef test_a(): ...", [1]),
        ("@pytest.mark.skipif(True)\ndef test_a(): ...", [1]),
        ("@pytest.mark.xfail(strict=True)\ndef test_a(): ...", [1]),
        ("def test_a():\n    pytest.skip()", [2]),
        ("def test_a():\n    pytest.skip('no board is plugged in')", []),
        ("@pytest.mark.skipif(True, reason='no board')\ndef test_a(): ...", []),
        ("@pytest.mark.skip('no board')\ndef test_a(): ...", []),
        ("reader.skip(4)", []),
    ],
    ids=["bare skip", "bare condition", "bare xfail", "bare call", "a call", "a condition", "a mark", "no test"],
)
def test_the_rule_sees_what_says_nothing(source: str, lines: list[int]) -> None:
    assert silent(source) == lines
