"""What a person may plan: an image that its maker has signed, for waves that forget no meter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import UUID

import pytest

from openami.app import cli
from openami.app.devices.firmware_desk import FirmwareRefusedError, check_image, shares_of
from openami.app.settings import Home, Settings
from openami.headend.keeping.campaign import CampaignPlan, assigned_waves
from openami.kernel.errors import MisuseError
from openami.security.suites.curve import public_key_of
from openami.sim.maker import make_maker

ID = b"OAM240-02.00.00"
CONTENT = b"new firmware" * 100
MAKER = make_maker(lambda n: bytes(range(1, n + 1)))
KEY = public_key_of(MAKER.signing_key)
SIGNED = MAKER.signed_image(ID, CONTENT)


def test_an_image_that_its_maker_has_signed_is_taken() -> None:
    check_image(ID, SIGNED, KEY)


@pytest.mark.parametrize(
    ("image_id", "image", "key"),
    [
        (ID, CONTENT, KEY),
        (ID, CONTENT + bytes(64), KEY),
        (b"OAM240-03.00.00", SIGNED, KEY),
        (ID, b"?" + SIGNED[1:], KEY),
        (ID, SIGNED, public_key_of(b"\x01" * 32)),
        (ID, SIGNED, bytes(64)),
        (ID, SIGNED, b""),
        (ID, b"short", KEY),
    ],
    ids=["unsigned", "zeros", "another name", "changed", "another maker", "no point", "no key", "too short"],
)
def test_any_other_image_is_refused_with_a_reason(image_id: bytes, image: bytes, key: bytes) -> None:
    with pytest.raises(FirmwareRefusedError, match=r"image|key"):
        check_image(image_id, image, key)


@pytest.mark.parametrize(
    ("waves", "meters", "sizes"),
    [
        ("1,10,rest", 100, [1, 10, 89]),
        ("1,10%,rest", 100, [1, 10, 89]),
        ("1%,rest", 10, [1, 9]),
        ("1,10,rest", 5, [1, 4]),
        ("rest", 7, [7]),
        ("1,rest", 1, [1]),
        ("3,3,3,rest", 10, [3, 3, 3, 1]),
    ],
)
def test_waves_have_the_sizes_that_were_asked_for(waves: str, meters: int, sizes: list[int]) -> None:
    plan = CampaignPlan(UUID(int=1), wave_shares=shares_of(waves, meters))
    found = [m.wave for m in assigned_waves(plan, [UUID(int=n) for n in range(meters)])]
    assert [found.count(wave) for wave in range(len(plan.wave_shares))] == sizes


@pytest.mark.parametrize(
    "waves", ["", "1,10", "rest,1", "0,rest", "-1,rest", "x,rest", "1,,rest", "9999999,rest", "²,rest"]
)
def test_waves_that_are_no_list_are_refused(waves: str) -> None:
    with pytest.raises(MisuseError, match="wave"):
        shares_of(waves, 100)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["plan", "bad.bin", "--id", "OAM240-02.00.00", "--maker-key", "maker.pub"], 1, "not signed by its maker"),
        (["plan", "good.bin", "--id", "OAM240-02.00.01", "--maker-key", "maker.pub"], 1, "not signed by its maker"),
        (["plan", "good.bin", "--id", "OAM240-02.00.00"], 2, "--maker-key"),
        (["plan", "good.bin", "--id", "OAM240-02.00.00", "--maker-key", "words.txt"], 2, "no public key"),
        (["plan", "good.bin", "--id", "OAM240-02.00.00", "--maker-key", "maker.pub"], 2, "which meters"),
        (["plan", "none.bin", "--id", "x", "--unverified"], 2, "cannot be read"),
        (["plan", "/dev/zero", "--id", "x", "--unverified"], 2, "octets"),
        (["plan", "good.bin", "--id", "", "--unverified"], 2, "identifier"),
        (["plan", "good.bin", "--id", "x", "--unverified", "--meters", "good.bin"], 2, "no system title"),
        (["plan", "good.bin", "--id", "x", "--unverified", "--profile", "p", "--abort-at", "often"], 2, "share"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_anybody_is_asked_for_a_password(
    arguments: list[str],
    code: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Settings(Home(tmp_path / "home"), nats_port=1, web_port=2, gateway_port=3).save()
    Path("good.bin").write_bytes(SIGNED)
    Path("bad.bin").write_bytes(CONTENT + bytes(64))
    Path("words.txt").write_text("a key of another kind")
    Path("maker.pub").write_text(KEY.hex() + "\n")
    monkeypatch.setattr(sys, "argv", ["openami", "firmware", *arguments, "--as", "anna", "--home", "home"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert reason in " ".join(capsys.readouterr().err.split())


def test_no_platform_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Settings(Home(tmp_path / "home"), nats_port=1, web_port=2, gateway_port=3).save()
    monkeypatch.setattr(sys, "argv", ["openami", "firmware", "status", "--home", str(tmp_path / "home"), "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) <= 2
    assert json.dumps("Traceback")[1:-1] not in printed.err


def test_the_demonstrations_maker_signs_what_its_meters_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("content.bin").write_bytes(CONTENT)
    arguments = ["openami", "firmware", "sign", "content.bin", "--id", ID.decode(), "--out", "image.bin"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--home", "home"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "no simulated territory" in capsys.readouterr().err
    Home(tmp_path / "home").folder("territory")
    (tmp_path / "home" / "territory" / "maker.key").write_bytes(MAKER.signing_key)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    check_image(ID, Path("image.bin").read_bytes(), bytes.fromhex(Path("image.bin.maker.pub").read_text()))
