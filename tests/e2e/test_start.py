"""Start, stop, start again, and every way in which a start is refused: one sentence, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import free_port
from tests.e2e.conftest import announced, stop

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(240)]
FIRST_PAGE_WITHIN_S = 60.0
"""The promise is 10 s on an idle machine; this is what a slow and busy one must meet too."""
DRAIN_ORDER = ("gateway", "headend", "command", "store", "worker", "web")
ENGINES = {"nats", "postgres"}


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oa-up-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


def ports() -> dict[str, int]:
    return {option: free_port() for option in ("--port", "--gateway-port", "--nats-port")}


def options(chosen: dict[str, int]) -> tuple[str, ...]:
    return tuple(str(word) for pair in chosen.items() for word in pair)


def openami(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "openami", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def sentence(done: subprocess.CompletedProcess[str], *, code: int) -> str:
    """Return what a refusal says, on one line, after checking that it is a refusal and no traceback."""
    said = " ".join(done.stderr.split())
    assert done.returncode == code, said
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    assert said.count("openami: ") == 1, said
    assert done.stdout == ""
    return said.partition("openami: ")[2]


def first_page(address: str) -> None:
    """Ask for the first page as a browser does."""
    answer = httpx.get(address, timeout=30)
    assert (answer.status_code, "<title>" in answer.text) == (200, True)


def ended_in_order(pids: dict[str, int], *, timeout_s: float = 90) -> list[str]:
    """Return the names of processes as they end."""
    left, order = dict(pids), []
    deadline = time.monotonic() + timeout_s
    while left:
        assert time.monotonic() < deadline, f"still there: {sorted(left)}"
        for name in [n for n, pid in left.items() if not _lives(pid)]:
            order.append(name)
            del left[name]
        time.sleep(0.005)
    return order


def _lives(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_home_starts_refuses_a_second_drains_in_order_and_starts_again(home: Path) -> None:
    chosen = ports()
    process, document = announced(home, "up", options(chosen), timeout_s=180)
    try:
        first_page(document["portal"])
        status = openami("status", "--home", str(home), "--json")
        found: dict[str, Any] = json.loads(status.stdout)
        pids = {p["name"]: p["pid"] for p in found["processes"]}
        assert (status.returncode, set(pids)) == (0, {*DRAIN_ORDER, *ENGINES})
        assert all(p["serves"] for p in found["processes"])

        said = sentence(openami("up", "--home", str(home), *options(ports())), code=1)
        assert f"in use by the OpenAMI with process id {process.pid}" in said
        assert "openami stop" in said
        first_page(document["portal"])

        process.send_signal(signal.SIGINT)
        order = ended_in_order(pids)
        assert [n for n in order if n not in ENGINES] == list(DRAIN_ORDER)
        assert set(order[-2:]) == ENGINES
        assert process.wait(60) == 0
        assert openami("status", "--home", str(home), "--json").returncode == 1
    finally:
        stop(process)

    began = time.monotonic()
    process, document = announced(home, "up", (), timeout_s=FIRST_PAGE_WITHIN_S)
    try:
        first_page(document["portal"])
        took_s = time.monotonic() - began
        print(f"\nan existing home shows its first page after {took_s:.1f} s")  # noqa: T201 - shown to people
        assert took_s <= FIRST_PAGE_WITHIN_S
        assert document["portal"].endswith(f":{chosen['--port']}")
        stopped = openami("stop", "--home", str(home), "--json")
        assert (stopped.returncode, json.loads(stopped.stdout)) == (0, {"stopped": True})
        assert process.wait(60) == 0
        again = openami("stop", "--home", str(home), "--json")
        assert (again.returncode, json.loads(again.stdout)) == (1, {"stopped": False})
    finally:
        stop(process)


@pytest.mark.parametrize("option", ["--port", "--gateway-port", "--nats-port"])
def test_a_taken_port_is_named_with_the_option_that_changes_it(home: Path, option: str) -> None:
    chosen = ports()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", chosen[option]))
        holder.listen()
        said = sentence(openami("up", "--home", str(home), *options(chosen)), code=1)
    assert f"port {chosen[option]}" in said
    assert option in said


GOOD = {
    "zone": "America/Chicago", "host": "127.0.0.1", "web_port": 8420, "gateway_port": 8443, "nats_port": 8422,
    "speed": 1.0, "real_origin": "2026-01-01T00:00:00+00:00", "domain_origin": "2026-01-01T00:00:00+00:00",
}  # fmt: skip
BROKEN = {
    "no JSON": "{",
    "empty": "",
    "another shape": "[1]",
    "octets that are no text": "\udcff\udcfe",
    "an unknown name": json.dumps({**GOOD, "colour": "blue"}),
    "a port that is a word": json.dumps({**GOOD, "web_port": "eighty"}),
    "a port out of range": json.dumps({**GOOD, "gateway_port": 70_000}),
    "an unknown zone": json.dumps({**GOOD, "zone": "Mars/Olympus"}),
    "a speed of zero": json.dumps({**GOOD, "speed": 0}),
    "a naive instant": json.dumps({**GOOD, "real_origin": "2026-01-01T00:00:00"}),
    "no origin": json.dumps({k: v for k, v in GOOD.items() if k != "real_origin"}),
    "no such day": json.dumps({**GOOD, "domain_origin": "2026-02-30T00:00:00+00:00"}),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_broken_settings_are_named_with_their_file(home: Path, text: str) -> None:
    home.mkdir()
    (home / "settings.json").write_bytes(text.encode(errors="surrogateescape"))
    said = sentence(openami("up", "--home", str(home)), code=1)
    assert str(home / "settings.json") in said
    assert (home / "settings.json").read_bytes() == text.encode(errors="surrogateescape")


def test_a_rate_that_cannot_be_billed_is_named_with_its_file_before_anything_starts(home: Path) -> None:
    (home / "rates").mkdir(parents=True)
    (home / "rates" / "own.toml").write_text('format = "openami-rate/2"\ncode = "own"\nname = "Own"\n')
    said = sentence(openami("up", "--home", str(home)), code=1)
    assert "own.toml: versions: this clause is missing" in said
    assert not (home / "settings.json").exists()


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("a file")
    assert str(home) in sentence(openami("up", "--home", str(home)), code=1)


def test_a_home_in_a_folder_that_does_not_exist_for_keys_is_refused(home: Path) -> None:
    shipment = home.parent / "shipment.json"
    shipment.write_text("{}")
    said = sentence(openami("keys", "import", str(shipment), "--home", str(home)), code=1)
    assert "not an OpenAMI home" in said


@pytest.mark.parametrize(
    "words", [("up", "--port", "70000"), ("up", "--port", "word"), ("demo", "--speed", "0.5"), ("up", "--colour")]
)
def test_misuse_of_the_command_line_exits_with_two(home: Path, words: tuple[str, ...]) -> None:
    done = openami(*words, "--home", str(home))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


def test_the_speed_of_a_home_cannot_be_changed(home: Path) -> None:
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({**GOOD, "speed": 60.0}))
    said = sentence(openami("demo", "--home", str(home), "--speed", "30"), code=2)
    assert "speed 60" in said


def test_an_engine_that_does_not_answer_is_refused_in_one_sentence(home: Path) -> None:
    address = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"
    environment = {**os.environ, "OPENAMI_POSTGRES_URL": address}
    command = [sys.executable, "-m", "openami", "up", "--home", str(home), *options(ports())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert "PostgreSQL" in sentence(done, code=1)
