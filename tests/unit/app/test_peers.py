"""A peer of a measurement is run from outside, and its absence is said in a line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openami.app.bench.peers import PeerUnavailableError, peer_python, run_peer


def script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text)
    return path


def test_a_script_gets_its_task_and_answers(tmp_path: Path) -> None:
    text = "import json, sys; print(json.dumps({'twice': 2 * json.load(open(sys.argv[1]))['number']}))"
    assert run_peer(Path(sys.executable), script(tmp_path, text), {"number": 21}) == {"twice": 42}


def test_a_script_that_fails_says_why_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(PeerUnavailableError, match=r"^ValueError: no such thing$"):
        run_peer(Path(sys.executable), script(tmp_path, "raise ValueError('no such thing')"), {})


def test_an_environment_that_is_there_is_used_again(tmp_path: Path) -> None:
    python = tmp_path / "some-1.0" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert peer_python("some", "1.0", folder=tmp_path) == python


def test_nothing_half_made_is_left_where_no_environment_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(PeerUnavailableError):
        peer_python("some", "1.0", folder=tmp_path / "peers")
    assert list((tmp_path / "peers").iterdir()) == []


def test_two_processes_that_make_one_environment_both_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_by_another(_command: list[str], _timeout_s: float) -> str:
        python = tmp_path / "some-1.0" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        return ""

    monkeypatch.setattr("openami.app.bench.peers._call", made_by_another)
    assert peer_python("some", "1.0", folder=tmp_path).exists()
    assert [found.name for found in tmp_path.iterdir()] == ["some-1.0"]
