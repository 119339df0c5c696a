"""The processes of one installation, in the order in which they start; they stop in the reverse order.

Engines first; then gateway, head-end, command, store, worker and web together; the demonstration's territory last. On
a stop the territory ends first, then the gateway, so that what was acknowledged flows through before the engines close.
A home of one zone runs that zone's engines and processes alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from openami.app.engines.address import nats_engine, nats_url, postgres_engine, postgres_url
from openami.app.engines.migrate import migrate
from openami.app.engines.nats import ensure_streams
from openami.app.engines.positions import next_frame
from openami.app.engines.postgres import SUPERUSER
from openami.app.settings import CORE, DMZ, FIELD, WHOLE, Settings
from openami.app.supervisor.child import Child
from openami.kernel.errors import OpenAmiError

SERVICES = ("store", "gateway", "headend", "command", "worker", "web")
ZONE_SERVICES = {
    WHOLE: SERVICES,
    DMZ: ("gateway",),
    CORE: ("store", "headend", "command", "worker", "web"),
    FIELD: (),
}
LISTENER = "listener"
"""Runs where the settings give it a port."""
STATUS_EVERY_S = 1.0


class PlatformError(OpenAmiError):
    """The platform cannot start here; the text says what is in the way and the mend."""


@dataclass(slots=True)
class Platform:
    """One installation under supervision.

    Args:
        settings: of the installation.
        tell: takes one line of progress for people.
        services: which of ours run; None for those of the home's zone. A benchmark may leave some out.
    """

    settings: Settings
    tell: Callable[[str], None] = lambda _line: None
    services: tuple[str, ...] | None = None
    children: list[Child] = field(default_factory=list)
    _watchers: list[asyncio.Task[None]] = field(default_factory=list)
    _lock: IO[str] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Platform]:
        """Hold the platform up for the length of the block.

        Raises:
            PlatformError: the home or a port is taken, or an engine does not start.
        """
        self._take_home()
        try:
            self._check_ports()
            # Not earlier: a start that is refused changes nothing, least of all the ports of one that runs.
            self.settings.save()
            await self._start_engines()
            await self._start_services()
            writer = asyncio.create_task(self._write_status())
            try:
                yield self
            finally:
                writer.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await writer
        finally:
            await self._stop_all()
            self._status_file.unlink(missing_ok=True)
            if self._lock:
                self._lock.close()

    async def start_territory(self) -> None:
        """Start the simulated meters; the world must be loaded."""
        child = self._service("territory")
        await self._watch(child)
        await child.wait_ready(120)

    @property
    def _status_file(self) -> Path:
        return self.settings.home.folder("run") / "status.json"

    def _take_home(self) -> None:
        place = self.settings.home.folder("run") / "lock"
        self._lock = place.open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise PlatformError(
                f"{self.settings.home.path} is in use by the OpenAMI with process id {holder}: "
                "run `openami stop` first, or give another folder with --home"
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _check_ports(self) -> None:
        s, names = self.settings, self._names()
        ports: list[tuple[str, int, str, str]] = []
        if "web" in names:
            ports.append((s.host, s.web_port, "--port", "portal"))
        if "gateway" in names:
            ports.append((s.gateway_address, s.gateway_port, "--gateway-port", "gateway"))
        if LISTENER in names:
            ports.append((s.listener_host, s.listener_port or 0, "--listen", "meters that push"))
        if self._has_bus():
            bus = nats_engine(s)
            ports.append((bus.host, bus.port, "--nats-port", "bus"))
        for host, port, option, what in ports:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise PlatformError(
                        f"port {port} on {host}, wanted for the {what}, cannot be used ({error.strerror}): "
                        f"stop the program that holds it or choose another with {option}"
                    ) from error

    async def _start_engines(self) -> None:
        s, log = self.settings, self.settings.home.folder("log")
        if self._has_bus():
            nats = nats_engine(s)
            nats.prepare()
            await self._watch(
                Child("nats", nats.command(), log / "nats.log", nats.is_ready, stop_signal=signal.SIGUSR2)
            )
        if self._has_database() and s.postgres_url is None:
            engine = postgres_engine(s)
            self.tell("PostgreSQL")
            await asyncio.to_thread(engine.prepare)
            command, user = engine.command(), engine.user()
            child = Child("postgres", command, log / "postgres.log", engine.is_ready, user=user)
            child.stop_signal = signal.SIGINT
            await self._watch(child)
            await child.wait_ready(300)
            await asyncio.to_thread(engine.ensure_database)
        if self._has_database():
            self.tell("database schema")
            await asyncio.to_thread(migrate, postgres_url(s, SUPERUSER))
        for child in self.children:
            await child.wait_ready(60)
        self.tell("streams")
        # Each zone makes its own: whoever may alter the DMZ's streams has no business in core.
        await ensure_streams(
            dmz_url=nats_url(s, "dmz_admin") if s.security_zone in {WHOLE, DMZ} else None,
            core_url=nats_url(s, "core_admin") if s.security_zone in {WHOLE, CORE} else None,
            frames_from=await asyncio.to_thread(next_frame, s) if s.security_zone == WHOLE else 1,
        )

    async def _start_services(self) -> None:
        started = [self._service(name) for name in self._names()]
        for child in started:
            await self._watch(child)
        for child in started:
            self.tell(child.name)
            await child.wait_ready(120)

    def _names(self) -> tuple[str, ...]:
        s = self.settings
        names = ZONE_SERVICES[s.security_zone] if self.services is None else self.services
        # The listener is a collector: where the zones are apart it is the field's.
        has_listener = s.listener_port is not None and s.security_zone in {WHOLE, FIELD}
        return (*names, LISTENER) if has_listener else names

    def _has_bus(self) -> bool:
        s = self.settings
        wanted = {WHOLE: (s.nats_core_url, s.nats_dmz_url), DMZ: (s.nats_dmz_url,), CORE: (s.nats_core_url,), FIELD: ()}
        return None in wanted[s.security_zone]

    def _has_database(self) -> bool:
        return self.settings.security_zone in {WHOLE, CORE}

    def _service(self, name: str) -> Child:
        home = self.settings.home
        command = [sys.executable, "-m", "openami.app.process", name, "--home", str(home.path)]
        return Child(name, command, home.folder("log") / f"{name}.log", ready_file=home.folder("run") / f"{name}.ready")

    async def _watch(self, child: Child) -> None:
        await child.start()
        self.children.append(child)
        self._watchers.append(asyncio.create_task(child.keep_alive()))

    async def _stop_all(self) -> None:
        order = {
            name: i
            for i, name in enumerate(("territory", LISTENER, "gateway", "headend", "command", "store", "worker", "web"))
        }
        services = sorted((c for c in self.children if c.name in order), key=lambda c: order[c.name])
        engines = [c for c in self.children if c.name not in order]
        for child in self.children:
            child.stopping = child.name in order
        for child in (*services, *engines):
            await child.stop()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    def status(self) -> dict[str, object]:
        """Return what runs, as JSON for ``openami status`` and the staff page."""
        return {
            "pid": os.getpid(),
            "portal": f"{'https' if self.settings.web_certificate else 'http'}://{self.settings.host}:{self.settings.web_port}",
            "gateway": f"{self.settings.gateway_address}:{self.settings.gateway_port}",
            "zone": self.settings.security_zone,
            "speed": self.settings.speed,
            "processes": [
                {
                    "name": c.name,
                    "pid": c.pid,
                    "serves": c.serves(),
                    "restarts": c.restarts,
                    "uptime_s": round(time.monotonic() - c.started_at, 1) if c.pid else 0.0,
                }
                for c in self.children
            ],
        }

    async def _write_status(self) -> None:
        while True:
            text = json.dumps(await asyncio.to_thread(self.status))
            temporary = self._status_file.with_suffix(".new")
            temporary.write_text(text)
            temporary.replace(self._status_file)
            await asyncio.sleep(STATUS_EVERY_S)
