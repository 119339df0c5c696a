"""Whatever a command is given, it answers with one sentence and its exit code: no traceback, no endless reading."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from openami.app import cli
from openami.app.settings import Home, Settings

INTERVALS = "start,value\n2024-01-01T00:00:00Z,100\n2024-01-01T00:15:00Z,100\n"
RATE = {
    "name": "[/red] 5 [bold]", "label": "a", "utility": "u", "energyratestructure": [[{"rate": 0.1}]],
    "energyweekdayschedule": [[0] * 24] * 12, "energyweekendschedule": [[0] * 24] * 12,
}  # fmt: skip
MONTH = ["--from", "2024-01-01", "--to", "2024-02-01", "--tz", "America/Chicago"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "i.csv").write_text(INTERVALS)
    (tmp_path / "r.json").write_text(json.dumps(RATE))
    own = ((files("openami.billing") / "rates") / "ameren-mo-anytime.json").read_text()
    (tmp_path / "far.json").write_text(own.replace('"9.00"', '"1e99999"'))
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deep.xml").write_text("<a>" * 100_000)
    (tmp_path / "octets").write_bytes(bytes(range(256)) * 20)
    Settings(Home(tmp_path / "home"), nats_port=1, web_port=2, gateway_port=3).save()
    (tmp_path / "home" / "keys").mkdir(exist_ok=True)
    (tmp_path / "home" / "keys" / "audit.pub").write_bytes(b"\xff\xfe")
    return tmp_path


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["openami", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["vee", "/dev/zero"], 1),
        (["vee", "octets"], 1),
        (["vee", "deep.xml"], 1),
        (["vee", "i.csv", "--max-power-w", "9" * 30], 2),
        (["vee", "i.csv", "--out", "none/x.csv"], 2),
        (["vee", "i.csv", "--registers", "octets"], 1),
        (["import", "/dev/zero", "--dry-run"], 1),
        (["import", "i.csv", "--home", "home"], 1),
        (["meters", "--home", "home"], 1),
        (["keys", "list", "--home", "home"], 1),
        (["keys", "import", "octets", "--home", "home"], 1),
        (["audit", "verify", "--home", "home"], 1),
        (["audit", "verify", "octets", "--key", "octets"], 1),
        (["audit", "verify", "i.csv", "--key", "home"], 2),
        (["bill", "--tariff", "deep.json", "--intervals", "i.csv", *MONTH], 1),
        (["bill", "--tariff", "octets", "--intervals", "i.csv", *MONTH], 1),
        (["bill", "--tariff", "r.json", "--intervals", "i.csv", *MONTH[:3], "9999-12-31", *MONTH[4:]], 2),
        (["bill", "--tariff", "r.json", "--intervals", "i.csv", "--from", "0001-01-01", *MONTH[2:]], 2),
        (["bill", "--tariff", "r.json", "--intervals", "i.csv", *MONTH[:5], "../../etc/passwd"], 2),
        (["bill", "--tariff", "far.json", "--intervals", "i.csv", *MONTH], 1),
        (["decode", "octets"], 1),
        (["decode", "none"], 2),
        (["decode", "i.csv", "--key", "00"], 2),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else str(value),
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
) -> None:
    monkeypatch.chdir(folder)
    got, out, err = run(monkeypatch, capsys, arguments)
    assert (got, "Traceback" in out + err) == (code, False), out + err
    assert out + err


@pytest.mark.parametrize("command", ["bill", "compare"])
def test_a_rates_name_is_text_and_not_markup(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "rates").mkdir()
    (folder / "rates" / "r.json").write_text(json.dumps(RATE))
    rate = ["--tariff", "r.json"] if command == "bill" else ["--tariffs", "rates"]
    _, out, _ = run(monkeypatch, capsys, [command, *rate, "--intervals", "i.csv", *MONTH])
    assert "[/red]" in out
