"""``openami decode`` prints one line per telegram and exits as scripts expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from openami.app.commands.decode import decode
from openami.headend.profiles.registry import ProfileDataError
from openami.kernel.errors import MisuseError

# Aidon list 1: 280 W. From the amshan test suite.
AIDON = "e6e7000f40000000000101020309060100010700ff060000011802020f00161b"
app = typer.Typer()
app.command()(decode)


def run(*arguments: str, given: bytes | None = None) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(app, [*arguments, "--json"], input=given)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_a_hex_line_gives_a_json_line() -> None:
    code, (line,) = run("-", given=AIDON.encode())
    assert code == 0
    assert line == {
        "system_title": None,
        "invocation_counter": None,
        "encrypted": False,
        "authenticated": False,
        "timestamp": None,
        "profile": "dlms",
        "objects": [
            {"obis": "1.0.1.7.0.255", "name": "power delivered", "value": 280, "unit": "W", "scaler": 0, "raw": 280}
        ],
        "error": None,
    }


def test_a_binary_file_gives_the_same(tmp_path: Path) -> None:
    capture = tmp_path / "capture.bin"
    capture.write_bytes(bytes.fromhex(AIDON))
    assert run(str(capture), "--framing", "hdlc-info") == run("-", given=AIDON.encode())


def test_a_file_of_hex_lines_gives_a_line_each_and_exits_1_where_one_is_refused() -> None:
    text = f"# from the door\n{AIDON}\n\n0x{AIDON.upper()}\nnot hex\n{AIDON[:-2]}\n"
    code, lines = run("-", given=text.encode())
    assert code == 1
    assert [line["error"] and line["error"]["code"] for line in lines] == [None, None, "bad_hex", "cut"]
    assert lines[3]["error"]["offset"] == len(AIDON) // 2 - 4


READ_CLOCK = "c001c100080000010000ff0200"
# AARQ with the password 12345678 and an initiate request.
AARQ = (
    "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738be10040e01000000065f1f0400007e1f04b0"
)


def test_a_request_is_named_with_what_it_asks_for() -> None:
    code, (line,) = run("-", given=READ_CLOCK.encode())
    assert code == 0
    assert line["objects"] == []
    assert line["message"] == {
        "name": "get-request",
        "invoke": 0xC1,
        "attribute": {"kind": "AttributeRef", "class_id": 8, "instance": "0.0.1.0.0.255", "attribute": 2},
        "selection": None,
    }


def test_an_association_is_shown_without_its_password() -> None:
    code, (line,) = run("-", given=AARQ.encode())
    assert code == 0
    assert line["message"]["mechanism"] == "low"
    assert line["message"]["user_information"]["name"] == "initiate-request"
    assert line["message"]["user_information"]["max_pdu_octets"] == 1200
    assert "12345678" not in json.dumps(line)
    assert b"12345678".hex() not in json.dumps(line)


def test_a_sealed_request_shows_only_what_is_clear() -> None:
    code, (line,) = run("-", given=b"c81e3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b")
    assert code == 0
    assert line["message"] == {
        "name": "glo-get-request",
        "tag": "glo_get_request",
        "security_control": 0x30,
        "invocation_counter": 0x01234567,
    }


def test_people_see_a_message_too() -> None:
    result = CliRunner().invoke(app, ["-"], input=READ_CLOCK.encode())
    assert result.exit_code == 0
    assert "get-request" in result.stdout
    assert "0.0.1.0.0.255" in result.stdout


def test_nothing_at_all_is_refused() -> None:
    for given in (b"", b"\n\n"):
        code, (line,) = run("-", given=given)
        assert code == 1
        assert line["error"]["code"] == "empty"


def test_a_telegram_without_its_key_is_refused_with_its_name(shared_data: Path) -> None:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    telegram = next(t for t in document["telegrams"] if t["name"] == "dlms_parser/hdlc_landis_gyr_e450")
    code, (line,) = run("-", given=telegram["hex"].encode())
    assert code == 1
    assert line["system_title"] == "4c475a677370b177"
    assert line["error"]["code"] == "no_key"
    keys = ("--key", telegram["keys"]["encryption"], "--auth-key", telegram["keys"]["authentication"])
    code, (line,) = run("-", *keys, "--zone", "Europe/Vienna", given=telegram["hex"].encode())
    assert code == 0
    assert line["authenticated"]
    assert line["timestamp"] == "2022-02-21T16:37:30+00:00"


def test_keys_may_come_by_the_environment_where_no_list_of_processes_shows_them(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    telegram = next(t for t in document["telegrams"] if t["name"] == "dlms_parser/hdlc_landis_gyr_e450")
    monkeypatch.setenv("OPENAMI_KEY", telegram["keys"]["encryption"])
    monkeypatch.setenv("OPENAMI_AUTH_KEY", telegram["keys"]["authentication"])
    code, (line,) = run("-", "--zone", "Europe/Vienna", given=telegram["hex"].encode())
    assert (code, line["authenticated"]) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [("/no/such/file",), ("-", "--key", "12"), ("-", "--auth-key", "zz" * 16), ("-", "--zone", "Mars/Olympus")],
)
def test_misuse_is_told_without_repeating_a_key(arguments: tuple[str, ...]) -> None:
    with pytest.raises(MisuseError) as misuse:
        run(*arguments, given=b"")
    assert "zz" not in str(misuse.value)


def test_a_table_is_printed_for_people() -> None:
    result = CliRunner().invoke(app, ["-"], input=AIDON.encode())
    assert result.exit_code == 0
    assert "1.0.1.7.0.255" in result.stdout
    assert "280" in result.stdout


def test_a_profile_can_be_named_or_be_a_file_in_the_making(tmp_path: Path) -> None:
    draft = tmp_path / "mine.toml"
    draft.write_text('inherits = "dlms"\n[names]\n"1.0.1.7.0.255" = "what the house takes"\n')
    for given, profile, name in (
        ("kamstrup", "kamstrup", "power delivered"),
        (str(draft), "mine", "what the house takes"),
    ):
        code, (line,) = run("-", "--profile", given, given=AIDON.encode())
        assert (code, line["profile"], line["objects"][0]["name"]) == (0, profile, name)


def test_a_profile_that_is_none_is_told(tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text('inherits = "dlms"\n[scale]\n"1.0.1.7.0.255" = 3\n')
    (tmp_path / "latin.toml").write_bytes(b'about = "\xe9"\n')
    with pytest.raises(ProfileDataError, match=r"draft.toml: scale.1.0.1.7.0.255: no scale; write \[scaler"):
        run("-", "--profile", str(draft), given=AIDON.encode())
    for given, what in (
        ("oam-2", "no meter profile 'oam-2'"),
        (str(tmp_path / "none.toml"), "No such file"),
        (str(tmp_path / "latin.toml"), "not UTF-8"),
    ):
        with pytest.raises(MisuseError, match=what):
            run("-", "--profile", given, given=AIDON.encode())
