"""``openami meter serve`` in a process of its own, and ``openami read`` against it over every link."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openami.app import cli
from openami.app.commands.meter import app as meter_commands
from openami.app.commands.read import read
from openami.kernel.errors import MisuseError
from openami.network.exchange import NoConnectionError
from openami.protocol.association.errors import AssociationRefusedError

DAY_ROWS = 96


def start(folder: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [sys.executable, "-m", "openami", "meter", "serve", "--port", "0", "--json", *options]
    process = subprocess.Popen([*command, "--shipment", str(folder / "meter.json")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    served: dict[str, Any] = json.loads(process.stdout.readline())
    return process, served


def stop(process: subprocess.Popen[str]) -> int:
    process.terminate()
    assert process.stdout is not None
    process.stdout.close()
    return process.wait(10)


@pytest.fixture(scope="module")
def wrapper_meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    process, served = start(tmp_path_factory.mktemp("wrapper"))
    yield served
    assert stop(process) == 0


@pytest.fixture(scope="module")
def hdlc_meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    process, served = start(tmp_path_factory.mktemp("hdlc"), "--hdlc", "--zone", "America/Chicago")
    yield served
    assert stop(process) == 0


def asked(served: dict[str, Any], *options: str) -> dict[str, Any]:
    """What ``openami read`` prints of the meter."""
    import typer

    command = typer.Typer()
    command.command()(read)
    arguments = [f"127.0.0.1:{served['port']}", "--keys", served["shipment"], "--json", *options]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.output)
    return document


def check(document: dict[str, Any], served: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    assert document["system_title"] == served["system_title"]
    assert abs(datetime.fromisoformat(document["clock"]) - now) < timedelta(seconds=30)
    energy = document["registers"]["1.0.1.8.0.255"]
    assert (energy["unit"], energy["scaler"]) == ("Wh", 0)
    assert energy["value"] > 1_234_567
    assert len(document["rows"]) == DAY_ROWS
    stamps = [datetime.fromisoformat(row[0]) for row in document["rows"]]
    assert {b - a for a, b in itertools.pairwise(stamps)} == {timedelta(minutes=15)}


@pytest.mark.parametrize("way", ["tcp", "udp"])
@pytest.mark.parametrize("client", ["1", "32"])
def test_a_meter_is_read_with_the_wrapper(wrapper_meter: dict[str, Any], way: str, client: str) -> None:
    check(asked(wrapper_meter, "--way", way, "--client", client), wrapper_meter)


def test_a_meter_is_read_over_hdlc(hdlc_meter: dict[str, Any]) -> None:
    check(asked(hdlc_meter, "--way", "hdlc"), hdlc_meter)


def test_the_shipment_is_closed_and_a_meter_with_other_keys_is_not_read(
    wrapper_meter: dict[str, Any], hdlc_meter: dict[str, Any]
) -> None:
    mode = Path(wrapper_meter["shipment"]).stat().st_mode
    assert not mode & (stat.S_IRWXG | stat.S_IRWXO)
    mixed = wrapper_meter | {"shipment": hdlc_meter["shipment"]}
    with pytest.raises(AssociationRefusedError):
        asked(mixed)


@pytest.mark.attack("A3")
def test_a_meter_that_is_started_again_never_uses_a_counter_twice(tmp_path: Path) -> None:
    ceilings = []
    for _ in range(2):
        process, served = start(tmp_path)
        asked(served, "--profile", "", "--registers", "")
        stop(process)
        kept = (tmp_path / "meter.json.counters").read_bytes()
        ceilings.append(int.from_bytes(kept, "little"))
    assert ceilings[1] > ceilings[0] > 0


def test_misuse_and_an_absent_meter_are_told(wrapper_meter: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MisuseError):
        asked(wrapper_meter, "--title", "0011223344556677")
    with pytest.raises(MisuseError):
        asked(wrapper_meter, "--registers", "not a register")
    with pytest.raises(NoConnectionError):
        asked(wrapper_meter | {"port": 1})
    result = CliRunner().invoke(meter_commands, ["serve", "--zone", "Nowhere/At_All"])
    assert isinstance(result.exception, MisuseError)
    assert ("meter", "app", "meter", cli.TOOLS) in cli._GROUPS
