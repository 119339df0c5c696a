"""The whole platform as its users start it, on free ports, in a folder that is thrown away."""

from __future__ import annotations

import json
import os
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

HOMES = 24
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
    """Start ``openami demo`` and wait until its pages answer."""
    ports = [str(free_port()) for _ in range(3)]
    command = [sys.executable, "-m", "openami", "demo", "--home", str(home), "--json"]
    command += ["--port", ports[0], "--gateway-port", ports[1], "--nats-port", ports[2], *options]
    log = (home.parent / "demo.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ))
    deadline = time.monotonic() + timeout_s
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    line = ""
    while not line.endswith("\n"):
        assert process.poll() is None, f"the demonstration ended:\n{(home.parent / 'demo.log').read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"not ready in time:\n{(home.parent / 'demo.log').read_text()[-3000:]}"
        line += process.stdout.read() or ""
        time.sleep(0.05)
    people = json.loads((home / "people.json").read_text())
    return Demo(home, json.loads(line)["portal"], people, process)


def stop_demo(demo: Demo) -> None:
    """Stop it as Ctrl-C would."""
    if demo.process.poll() is None:
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(120)


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """A demonstration with 13 months of history, shared by the tests that only look."""
    folder = Path(tempfile.mkdtemp(prefix="oa-demo-"))
    folder.chmod(0o755)
    running = start_demo(folder / "home", "--homes", str(HOMES), "--days", str(DAYS))
    deadline = time.monotonic() + 180
    while not running.history().get("done"):
        assert time.monotonic() < deadline, "the history was not loaded in time"
        time.sleep(0.2)
    try:
        yield running
    finally:
        stop_demo(running)
        shutil.rmtree(folder, ignore_errors=True)
