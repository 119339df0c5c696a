"""One supervised child process: started, watched, restarted with growing patience, stopped in good order."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openami.app.process import READY_FILE
from openami.kernel.errors import OpenAmiError

MAX_LOG_OCTETS = 10 * 1024 * 1024
RESTART_WAIT_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
CALM_S = 30.0
"""A child that ran this long is healthy again: its next restart waits the shortest time."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ChildError(OpenAmiError):
    """A child did not become ready; the text holds the end of its log."""


@dataclass(slots=True)
class Child:
    """A program and how to know that it serves.

    Args:
        name: one word, also the name of its log.
        command: program and arguments.
        log: file that takes what it prints.
        is_ready: asked until it is true; None where the ready file tells.
        ready_file: file into which the child writes its process id when it serves; None for engines.
        user: system user to run as, or None for ours.
        stop_signal: what asks it to drain.
        drain_s: how long it may drain before it is killed.
    """

    name: str
    command: list[str]
    log: Path
    is_ready: Callable[[], bool] | None = None
    ready_file: Path | None = None
    user: str | None = None
    stop_signal: int = signal.SIGTERM
    drain_s: float = 30.0
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    stopping: bool = False
    started_at: float = 0.0
    _quick_deaths: int = field(default=0)

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        return self.process.pid if self.process and self.process.returncode is None else None

    def serves(self) -> bool:
        """Tell whether it lives and serves now."""
        if self.pid is None:
            return False
        if self.ready_file is not None:
            try:
                return self.ready_file.read_text() == str(self.pid)
            except OSError:
                return False
        return self.is_ready is None or self.is_ready()

    async def start(self) -> None:
        """Start the program; it dies with us, whatever happens to us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_OCTETS:
            self.log.replace(self.log.with_suffix(".log.1"))
        environment = dict(os.environ)
        # Eight processes start together: compiling the same modules eight times costs more than anything they do.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.ready_file is not None:
            self.ready_file.unlink(missing_ok=True)
            environment[READY_FILE] = str(self.ready_file)
        # Our own groups must go too: as a member of root's group the other user would be judged by the group's rights.
        options: dict[str, Any] = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/" if self.user else None,
                env=environment,
                start_new_session=True,
                preexec_fn=self._die_with_parent if sys.platform == "linux" else None,
                **options,
            )
        self.started_at = time.monotonic()

    def _die_with_parent(self) -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(self.stop_signal))

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until it serves.

        Raises:
            ChildError: it died or is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self.serves():
            if self.process is not None and self.process.returncode is not None:
                raise ChildError(f"{self.name} stopped while starting:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise ChildError(f"{self.name} is not ready after {timeout_s:.0f} s:\n{self.last_words()}")
            await asyncio.sleep(0.03)

    async def keep_alive(self) -> None:
        """Restart it whenever it dies, until it is being stopped."""
        while True:
            assert self.process is not None
            await self.process.wait()
            if self._ends():
                return
            calm = time.monotonic() - self.started_at > CALM_S
            self._quick_deaths = 0 if calm else min(self._quick_deaths + 1, len(RESTART_WAIT_S) - 1)
            await asyncio.sleep(RESTART_WAIT_S[self._quick_deaths])
            if self._ends():
                return
            self.restarts += 1
            await self.start()

    def _ends(self) -> bool:
        return self.stopping

    async def stop(self) -> None:
        """Ask it to drain; kill it when its time is over."""
        self.stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.drain_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def last_words(self) -> str:
        """Return the last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
        except OSError:
            return "(it wrote no log)"
