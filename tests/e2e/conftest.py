"""The whole platform as its users start it, on free ports, in a folder that is thrown away."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import free_port
from tests.scheduling import PLATFORMS

HOMES = 24
CHROMIUM = shutil.which("chromium")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
CHROMIUM_FLAGS += ["--disable-background-networking", "--disable-component-update"]
DAYS = 400
"""Enough to hold both clock changes and a whole bill of every month."""


@dataclass(slots=True)
class Demo:
    """A running demonstration.

    Args:
        home: its state folder.
        portal: address of its pages.
        people: made-up people that can sign in: ``customer`` and ``staff``, each with login and password.
        process: the supervisor.
    """

    home: Path
    portal: str
    people: dict[str, dict[str, str]]
    process: subprocess.Popen[str]

    def status(self) -> dict[str, Any]:
        """Return what the supervisor says of its children."""
        found: dict[str, Any] = json.loads((self.home / "run" / "status.json").read_text())
        return found

    def pid_of(self, name: str) -> int:
        """Return the process id of a child."""
        return next(int(p["pid"]) for p in self.status()["processes"] if p["name"] == name and p["pid"])

    def history(self) -> dict[str, Any]:
        """Return how far the history has been loaded."""
        found: dict[str, Any] = json.loads((self.home / "history.json").read_text())
        return found


def start_demo(home: Path, *options: str, timeout_s: float = 240) -> Demo:
    """Start ``openami demo`` on free ports and wait until its pages answer."""
    ports = [str(free_port()) for _ in range(3)]
    options = (*options, "--port", ports[0], "--gateway-port", ports[1], "--nats-port", ports[2])
    process, document = announced(home, "demo", options, timeout_s=timeout_s)
    people = json.loads((home / "people.json").read_text())
    return Demo(home, document["portal"], people, process)


def restart_demo(demo: Demo, *, verb: str = "demo", timeout_s: float = 240) -> None:
    """Start a demonstration again that was stopped; it keeps its ports."""
    demo.process, document = announced(demo.home, verb, (), timeout_s=timeout_s)
    demo.portal = document["portal"]


def announced(
    home: Path, verb: str, options: tuple[str, ...], *, timeout_s: float
) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start ``openami demo`` or ``up`` and wait for the one line that it prints when it is ready."""
    command = [sys.executable, "-m", "openami", verb, "--home", str(home), "--json", *options]
    printed, log = home.parent / f"{verb}.out", home.parent / f"{verb}.log"
    with printed.open("w") as out, log.open("a") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, text=True)
    deadline = time.monotonic() + timeout_s
    try:
        while not printed.read_text().endswith("\n"):
            assert process.poll() is None, f"{verb} ended:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"not ready in time:\n{log.read_text()[-3000:]}"
            time.sleep(0.05)
    except BaseException:
        stop(process)
        raise
    return process, json.loads(printed.read_text())


def stop(process: subprocess.Popen[str]) -> None:
    """Stop a platform as Ctrl-C would."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(120)


_WAITING: set[str] = set()
"""Tests that still want the shared demonstration."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those that share the demonstration follow each other: it is ended when the last of them has run."""
    wants = {item.nodeid for item in items if "demo" in getattr(item, "fixturenames", ())}
    _WAITING.update(wants)
    # Whole platforms stay in front, and a sort leaves equals as they stand.
    items.sort(key=lambda item: 0 if item.nodeid in wants else 1 if item.nodeid.startswith(PLATFORMS) else 2)


@pytest.fixture(autouse=True)
def ended_demonstration(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the shared demonstration behind the last test that wants it: its meters would go on pushing for nobody."""
    if request.node.nodeid not in _WAITING:
        yield
        return
    shared: Demo = request.getfixturevalue("demo")
    yield
    _WAITING.discard(request.node.nodeid)
    if not _WAITING:
        stop(shared.process)


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A demonstration with 13 months of history, shared by the tests that only look."""
    folder = Path(tempfile.mkdtemp(prefix="oa-demo-"))
    folder.chmod(0o755)
    running = start_demo(folder / "home", "--homes", str(HOMES), "--days", str(DAYS))
    try:
        wait_until_loaded(running)
        yield running
    finally:
        stop(running.process)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_loaded(demo: Demo, *, timeout_s: float = 180) -> None:
    """Wait until the whole history is in."""
    deadline = time.monotonic() + timeout_s
    while not demo.history().get("done"):
        assert time.monotonic() < deadline, "the history was not loaded in time"
        time.sleep(0.2)
