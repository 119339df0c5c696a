"""A store process that can be killed and started again over one home, for tests of the store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

from openami.app.settings import Home, Settings
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.mdm.adapters.store_socket import SocketStore

START_S = 1_772_928_000
"""2026-03-08T00:00Z."""


@dataclass(slots=True)
class StoreChild:
    """The store process of a home."""

    home: Home
    nats_port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        if not self.home.settings_file.exists():
            Settings(self.home, nats_port=self.nats_port).save()
        ready = self.home.path / "ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "openami.app.process", "store", "--home", str(self.home.path)]
        environment = {**os.environ, "OPENAMI_READY_FILE": str(ready)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, "the store did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> int:
        """Ask it to end; returns its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(40)

    @property
    def log(self) -> Path:
        """What it logged."""
        return self.home.path / "store.log"

    def client(self) -> SocketStore:
        """A client of it."""
        return SocketStore(self.home.store_socket, timeout_s=30)


def quarter_hours(
    meter: UUID, count: int, *, first_s: int = START_S, step: int = 900, message: int = 1
) -> ReadingBatch:
    """Readings of one meter whose values are 0 to ``count`` - 1."""
    return ReadingBatch(
        meter_id=uuid_column([meter] * count),
        channel=np.full(count, 1, np.uint8),
        start=first_s + step * np.arange(count, dtype=np.int64),
        interval_s=np.full(count, 900, np.uint32),
        value=np.arange(count, dtype=np.int64),
        quality=np.zeros(count, np.uint16),
        source=np.full(count, 1, np.uint8),
        message_id=np.full(count, message, np.uint64),
    )
