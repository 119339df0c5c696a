"""A socket that does not fit into the home lies in a folder that is ours alone; settings are sound or refused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from openami.app.settings import Home, Settings, SettingsError


@pytest.fixture
def long_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Home(tmp_path / ("h" * 120))


def test_a_long_home_has_its_sockets_in_a_closed_folder_elsewhere(long_home: Home, tmp_path: Path) -> None:
    place = long_home.socket("store.sock")
    assert place.parent.parent == tmp_path.resolve()
    assert place.parent.stat().st_mode & 0o077 == 0
    assert long_home.socket("store.sock") == place


@pytest.mark.parametrize("how", ["open to others", "a link"])
def test_a_folder_that_somebody_else_laid_out_is_refused(long_home: Home, tmp_path: Path, how: str) -> None:
    folder = long_home.socket("store.sock").parent
    if how == "a link":
        folder.rmdir()
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    else:
        folder.chmod(0o777)
    with pytest.raises(SettingsError, match="not a folder of ours alone"):
        long_home.socket("store.sock")


@pytest.mark.parametrize("port", [0, 65_536, "4059", True])
def test_a_listener_port_that_is_none_is_named(tmp_path: Path, port: object) -> None:
    Settings(Home(tmp_path)).save()
    row = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps({**row, "listener_port": port}))
    with pytest.raises(SettingsError, match="listener_port"):
        Settings.load(tmp_path)


def test_there_is_no_listener_unless_a_port_is_given(tmp_path: Path) -> None:
    Settings(Home(tmp_path)).save()
    assert Settings.load(tmp_path).listener_port is None
    Settings(Home(tmp_path), listener_port=4059, listener_host="10.1.2.3").save()
    found = Settings.load(tmp_path)
    assert (found.listener_port, found.listener_host) == (4059, "10.1.2.3")
