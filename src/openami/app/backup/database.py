"""The database's side of a backup: a snapshot that stands still, its dump, counts and checksums, and the way back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from openami.app.backup.manifest import BackupError
from openami.app.engines.postgres import DATABASE, PostgresEngine, binary

_BLOCK = 1024 * 1024
_TABLES = (
    "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema') "
    "order by 1, 2"
)
_ROLE = "create role {} login nosuperuser nocreatedb nocreaterole nobypassrls"


@dataclass(frozen=True, slots=True)
class DatabaseSnapshot:
    """A transaction that sees one instant for as long as it is open."""

    dsn: str
    name: str
    connection: psycopg.Connection[Any]

    def roles(self) -> list[str]:
        """Return the roles of our rooms."""
        found = self.connection.execute("select rolname from pg_roles where rolname like 'openami\\_%' order by 1")
        return [name for (name,) in found.fetchall()]

    def revision(self) -> str:
        """Return the revision of the schema."""
        row = self.connection.execute("select version_num from alembic_version").fetchone()
        return str(row[0]) if row else ""

    def tables(self) -> dict[str, tuple[int, str]]:
        """Return rows and checksum of each table."""
        return _tables(self.connection)

    def dump(self, sink: IO[bytes]) -> None:
        """Write what ``pg_dump`` makes of this instant.

        Raises:
            BackupError: it refused; the text holds its last words.
        """
        address, environment = _apart(self.dsn)
        command = [str(binary("pg_dump")), "--format=custom", "--compress=1", f"--snapshot={self.name}"]
        command.append(f"--dbname={address}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            while block := child.stdout.read(_BLOCK):
                sink.write(block)
            words = child.stderr.read().decode(errors="replace")
        if child.returncode:
            raise BackupError(f"pg_dump failed: {words.strip()[-300:]}")


def _apart(dsn: str) -> tuple[str, dict[str, str]]:
    """Return the address without its password, and the environment with it: every user sees a command's words."""
    words = conninfo_to_dict(dsn)
    password = words.pop("password", None)
    mine = {} if password is None else {"PGPASSWORD": str(password)}
    return make_conninfo("", **words), os.environ | mine


@contextmanager
def snapshot(url: str) -> Iterator[DatabaseSnapshot]:
    """Hold a snapshot of the database for the length of the block.

    Args:
        url: SQLAlchemy URL of the superuser.

    Raises:
        BackupError: the database does not answer.
    """
    dsn = url.replace("postgresql+psycopg://", "postgresql://")
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            row = connection.execute("select pg_export_snapshot()").fetchone()
            assert row is not None
            yield DatabaseSnapshot(dsn, str(row[0]), connection)
            connection.rollback()
    except psycopg.OperationalError as error:
        # The error's own text holds the address, which may hold a password.
        raise BackupError(f"the database does not answer ({type(error).__name__}): is the platform up?") from None


@contextmanager
def running(engine: PostgresEngine, log: IO[bytes]) -> Iterator[None]:
    """Run a built-in database for the length of the block."""
    engine.prepare()
    child = subprocess.Popen(engine.command(), stdout=log, stderr=log, cwd="/", **engine.rights())
    try:
        engine.wait_ready()
        yield
    finally:
        child.terminate()
        child.wait(120)


def restore(engine: PostgresEngine, roles: list[str], source: IO[bytes]) -> None:
    """Make the database of a dump in a running, new cluster.

    Raises:
        BackupError: ``pg_restore`` refused; the text holds its last words.
    """
    engine.ensure_database()
    admin = engine.url("postgres").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(admin, autocommit=True) as connection:
        there = {name for (name,) in connection.execute("select rolname from pg_roles").fetchall()}
        for role in roles:
            if role not in there:
                connection.execute(sql.SQL(_ROLE).format(sql.Identifier(role)))
    command = [str(binary("pg_restore")), "--exit-on-error", "--single-transaction", f"--dbname={admin}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        try:
            while block := source.read(_BLOCK):
                child.stdin.write(block)
            child.stdin.close()
        except BrokenPipeError:
            pass  # Its last words say why.
        words = child.stderr.read().decode(errors="replace")
    if child.returncode:
        raise BackupError(f"pg_restore of {DATABASE} failed: {words.strip()[-300:]}")


def tables_of(engine: PostgresEngine) -> dict[str, tuple[int, str]]:
    """Return rows and checksum of each table of a running database."""
    with psycopg.connect(engine.url("postgres").replace("postgresql+psycopg://", "postgresql://")) as connection:
        return _tables(connection)


def _tables(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, str]]:
    found = {}
    for schema, name in connection.execute(_TABLES).fetchall():
        # A sum of digests of rows: the same in whatever order the rows lie.
        row = connection.execute(
            sql.SQL("select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from {} t").format(
                sql.Identifier(schema, name)
            )
        ).fetchone()
        assert row is not None
        found[f"{schema}.{name}"] = (int(row[0]), str(row[1]))
    return found
