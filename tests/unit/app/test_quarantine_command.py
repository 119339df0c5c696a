"""``openami quarantine`` and ``openami collectors`` say what they find, and what to mend, without any engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from openami.app import cli
from openami.app.devices.quarantine_desk import QuarantineDesk, ReleaseRefusedError
from openami.app.settings import Home, Settings
from openami.contracts.deadletter import RefusalReason
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.quarantine import QUARANTINE, Quarantine

LATE = RefusedFrame(7, 3, RefusalReason.STOLEN_COLLECTOR, b"OAM00001", 1_000, b"sealed")
WEAK = RefusedFrame(7, 4, RefusalReason.DOWNGRADE, b"OAM00001", 10**18, b"in the clear")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Settings(Home(tmp_path)).save()
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["openami", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def keep(home: Path) -> None:
    Quarantine(home / "gateway" / QUARANTINE).append([LATE, WEAK], refused_at_ms=2_000)


def test_frames_are_listed_with_what_people_may_do_about_each(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(home)
    assert said(monkeypatch, "quarantine", "list", "--home", str(home), "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["reason"], r["state"]) for r in rows] == [
        ("downgrade", "stays"),
        ("stolen_collector", "may be released"),
    ]
    assert rows[1]["id"] == LATE.frame_id.hex()
    assert said(monkeypatch, "quarantine", "list", "--home", str(home)) == 0
    shown = capsys.readouterr().out
    assert LATE.frame_id.hex() in shown
    assert WEAK.frame_id.hex() not in shown, "what nobody may release has no id to release it by"


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("release", "--as", "anna", "--why", "w"), "name frames by their ids"),
        (("release", "ab" * 16, "--reason", "over_rate", "--as", "anna", "--why", "w"), "name frames by their ids"),
        (("release", "abc", "--as", "anna", "--why", "w"), "32 hexadecimal digits"),
    ],
)
def test_a_release_of_nothing_or_of_anything_is_refused_before_a_password_is_asked(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    mend: str,
) -> None:
    assert said(monkeypatch, "quarantine", *words, "--home", str(home)) == 2
    assert mend in capsys.readouterr().err


def test_an_instant_without_an_offset_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("collectors", "stolen", "7", "--as", "anna", "--reason", "gone", "--since", "2026-07-01T18:00")
    assert said(monkeypatch, *words, "--home", str(home)) == 2
    assert "offset" in capsys.readouterr().err


async def test_all_of_a_reason_are_chosen_the_oldest_first_and_not_from_another_zone(home: Path) -> None:
    desk = QuarantineDesk(Settings.load(home))
    with pytest.raises(ReleaseRefusedError, match="not in this home"):
        await desk.chosen(reason=RefusalReason.STOLEN_COLLECTOR, collector_id=None)
    keep(home)
    assert await desk.chosen(reason=RefusalReason.STOLEN_COLLECTOR, collector_id=7) == [LATE.frame_id]
    assert await desk.chosen(reason=None, collector_id=None) == [LATE.frame_id]
    assert await desk.chosen(reason=RefusalReason.DOWNGRADE, collector_id=None) == []
    assert await desk.chosen(reason=None, collector_id=8) == []
