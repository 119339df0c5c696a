"""The audit log on a real PostgreSQL: written first, insert-only, sealed in order, provable from a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.security.access.gate import AccessDeniedError, AuditUnavailableError, Gate, Look
from openami.security.access.policy import Action, Kind
from openami.security.access.role import Grant, Principal, Role
from openami.security.access.scope import Purpose
from openami.security.adapters.audit_postgres import AuditLogBrokenError, AuditSequencer, PostgresAuditLog
from openami.security.audit.head import public_key_of, verify_head
from openami.security.audit.merkle import includes, leaf_hash
from openami.security.audit.verify import verify_export

pytestmark = pytest.mark.engines
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = bytes(range(32))
HOME = UUID(int=42)
ERA = Period(NOW - timedelta(days=100), NOW + timedelta(days=100))
OWNER = Principal(uuid4(), frozenset({Role.CUSTOMER}), (Grant(HOME, ERA),))
READ = Look(Action.READ, Kind.INTERVALS, Purpose.OWN_DATA, "intervals", frozenset({HOME}), ERA)


@pytest.fixture
async def engine(postgres: PostgresEngine) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres.url("openami_audit"))
    yield engine
    await engine.dispose()


def gate(log: PostgresAuditLog) -> Gate:
    return Gate(log, FixedClock(NOW), FixedClock(NOW))


async def test_looks_are_logged_sealed_proved_and_verified_from_a_file(engine: AsyncEngine) -> None:
    log, sequencer = PostgresAuditLog(engine), AuditSequencer(engine, FixedClock(NOW), KEY)
    scopes = await asyncio.gather(*(gate(log).open(OWNER, READ) for _ in range(20)))
    assert (await sequencer.seal()) is not None
    with pytest.raises(AccessDeniedError):
        await gate(log).open(Principal(uuid4(), frozenset({Role.CUSTOMER})), READ)
    head = await sequencer.seal()
    assert head is not None
    assert head.size == 21
    assert await sequencer.seal() is None
    lines = [line async for line in log.export()]
    report = verify_export(lines, public_key=public_key_of(KEY))
    assert report.is_whole
    assert (report.entries, report.heads, report.unsigned_tail) == (21, 2, 0)
    assert await log.unsealed() == (0, 0)
    assert scopes[7].audit_id is not None
    proof = await log.prove(scopes[7].audit_id)
    assert proof is not None
    signed = verify_head(proof.note, public_key=public_key_of(KEY))
    assert includes(leaf=leaf_hash(proof.body), index=proof.index, size=signed.size, proof=proof.path, root=signed.root)
    looks = await log.who_looked(scopes[0], HOME, limit=100)
    assert [e.allowed for e in looks].count(False) == 1
    assert len(looks) == 21


@pytest.mark.parametrize("table", ["entry", "leaf", "tree_head"])
@pytest.mark.parametrize("act", ["update audit.{} set {} = {}", "delete from audit.{}", "truncate audit.{} cascade"])
async def test_the_rooms_own_role_cannot_change_what_is_written(
    engine: AsyncEngine, postgres: PostgresEngine, table: str, act: str
) -> None:
    log = PostgresAuditLog(engine)
    await gate(log).open(OWNER, READ)
    await AuditSequencer(engine, FixedClock(NOW), KEY).seal()
    column = {"entry": "at", "leaf": "leaf_index", "tree_head": "size"}[table]
    statement = act.format(table, column, column).encode()
    with (
        psycopg.connect(f"host={postgres.sockets} user=openami_audit dbname=openami") as c,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        c.execute(statement)
    if act.startswith(("update", "delete")):
        with (
            psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c,
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        ):
            c.execute(statement)


async def test_an_edit_by_a_superuser_who_removes_the_guard_is_found(
    engine: AsyncEngine, postgres: PostgresEngine
) -> None:
    log = PostgresAuditLog(engine)
    for _ in range(5):
        await gate(log).open(OWNER, READ)
    await AuditSequencer(engine, FixedClock(NOW), KEY).seal()
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        c.execute("set session_replication_role = replica")
        c.execute(
            "update audit.entry set body = "
            "convert_to(replace(convert_from(body, 'UTF8'), 'customer', 'OPERATOR'), 'UTF8') "
            "where entry_id = (select entry_id from audit.leaf where leaf_index = 3)"
        )
    report = verify_export([line async for line in log.export()], public_key=public_key_of(KEY))
    assert {f.rule for f in report.findings} == {"altered"}


async def test_an_altered_frontier_stops_the_sequencer(engine: AsyncEngine, postgres: PostgresEngine) -> None:
    log, sequencer = PostgresAuditLog(engine), AuditSequencer(engine, FixedClock(NOW), KEY)
    await gate(log).open(OWNER, READ)
    await sequencer.seal()
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami") as c:
        c.execute("set session_replication_role = replica")
        c.execute("update audit.tree_head set frontier = decode(repeat('00', 32), 'hex')")
    await gate(log).open(OWNER, READ)
    with pytest.raises(AuditLogBrokenError):
        await sequencer.seal()


async def test_two_sequencers_give_every_row_one_place(engine: AsyncEngine) -> None:
    log = PostgresAuditLog(engine)
    sequencers = [AuditSequencer(engine, FixedClock(NOW), KEY) for _ in range(2)]
    for _ in range(5):
        await asyncio.gather(*(gate(log).open(OWNER, READ) for _ in range(10)), *(s.seal() for s in sequencers))
    await sequencers[0].seal()
    report = verify_export([line async for line in log.export()], public_key=public_key_of(KEY))
    assert report.is_whole
    assert report.entries == 50


async def test_without_the_log_there_is_no_scope() -> None:
    engine = create_async_engine("postgresql+psycopg://nobody@/none?host=/nonexistent")
    try:
        with pytest.raises(AuditUnavailableError):
            await gate(PostgresAuditLog(engine)).open(OWNER, READ)
    finally:
        await engine.dispose()


async def test_a_new_occupant_does_not_see_who_looked_at_the_old_one(engine: AsyncEngine) -> None:
    log = PostgresAuditLog(engine)
    await gate(log).open(OWNER, READ)
    later = Principal(uuid4(), frozenset({Role.CUSTOMER}), (Grant(HOME, Period(NOW + timedelta(days=1), ERA.end)),))
    scope = await gate(log).open(later, READ)
    assert await log.who_looked(scope, HOME, limit=100) == []
