"""An office with people and a command line, over a database and a store of the test's choice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.mdm.test_decisions import DAY, Desk
from tests.integration.mdm.test_validation import FIRST, NOW, ZONE
from typer.testing import CliRunner

from openami.app.commands import cases, worklist
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.readings import editing_desk
from openami.app.settings import Home, Settings, real_now
from openami.kernel.errors import OpenAmiError
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.vee.grid import Grid, grid_of
from openami.security.access.account import NewUser
from openami.security.access.role import Role
from openami.security.adapters.row_security import row_secured_engine
from openami.security.audit.entry import AuditEntry

PEOPLE = {"anna": Role.ENGINEER, "ben": Role.OPERATOR, "vera": Role.VIEWER}
LATER = NOW + timedelta(hours=2)
SOON = FIRST + timedelta(days=DAY + 2)


class Office(Desk):
    """A desk with a command line."""

    home: Path
    audit: Any

    async def says(self, *words: str, by: str = "anna", app: typer.Typer = worklist.app) -> Any:
        """Return the document that a command prints; raise what it is refused with."""
        line = [*words, "--home", str(self.home), "--json", "--as", by]
        result = await asyncio.to_thread(CliRunner().invoke, app, line, input=f"{by}-secret\n")
        if isinstance(result.exception, OpenAmiError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        lines = [line for line in result.stdout.splitlines() if line.startswith(("{", "["))]
        return json.loads(lines[-1]) if lines else result.output

    async def cases(self, *words: str, by: str = "anna") -> Any:
        """Return what a command of cases prints."""
        return await self.says(*words, by=by, app=cases.app)

    async def edit(self, *more: str, by: str = "anna", values: str = "11,12") -> Any:
        """Replace half an hour of the first place."""
        day = self.grid.day(DAY)
        span = (f"{day}T10:00", f"{day}T10:30", "--values", values, "--reason", "the display said so")
        return await self.says("replace", str(self.points[0]), *span, *more, by=by)

    async def looks(self) -> list[tuple[str, str, bool, int]]:
        """Return what the log holds, oldest first."""
        async with self.audit.connect() as connection:
            bodies = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).scalars()
            entries = [AuditEntry.from_canonical(bytes(body)) for body in bodies]
        return [(e.query, e.action, e.allowed, len(e.subjects)) for e in entries]


@asynccontextmanager
async def office_over(
    postgres: PostgresEngine, store: Any, home: Path, monkeypatch: pytest.MonkeyPatch, *, grid: Grid | None = None
) -> AsyncIterator[Office]:
    """Open an office whose desk asks this store, two hours of domain time after the last day."""
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(home), real_origin=real_now(), domain_origin=LATER).save()
    settings = Settings.load(home)

    class Connected:
        def __init__(self, _: Path) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def close(self) -> None:
            pass

    monkeypatch.setattr(editing_desk, "SocketStore", Connected)
    access, mdm = row_secured_engine(postgres.url("openami_access")), create_async_engine(postgres.url("openami_mdm"))
    people = [NewUser(n, frozenset({role}), f"{n}-secret", display_name=n) for n, role in PEOPLE.items()]
    await accounts_of(settings, access, RealClock()).register_users(people)
    made = Office(PostgresRegistry(mdm), PostgresBook(mdm), store, grid or grid_of(ZONE, FIRST, SOON, 900))
    made.decisions, made.home = PostgresDecisions(mdm), home
    made.audit = create_async_engine(postgres.url(SUPERUSER))
    yield made
    for engine in (access, mdm, made.audit):
        await engine.dispose()
