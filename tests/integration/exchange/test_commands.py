"""``openami exchange`` at the command line: what it prints, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.exchange.test_inbox import MASTER, NOW, SNAPSHOT
from typer.testing import CliRunner

from openami.app import exchange_desk
from openami.app.accounts import RealClock, accounts_of
from openami.app.commands.exchange_all import app
from openami.app.desk import Person
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.settings import Home, Settings
from openami.mdm.exchange.acknowledgement import Answer, Result
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.ports import Answered, IdKind
from openami.mdm.exchange.record import MasterRecord, record_of
from openami.mdm.exchange.taking import record_digest
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.role import Role
from openami.security.audit.entry import AuditEntry

pytestmark = pytest.mark.engines


def run(home: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--home", str(home)])


def test_a_message_is_taken_its_rejects_are_listed_and_a_snapshot_is_compared(
    postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=datetime.now(UTC), domain_origin=NOW).save()
    master, answer = short_tmp / "m.csv", short_tmp / "a.csv"
    wrong = "rate,6,,SP-9,,,,,,,,R-1,2026-02-01T06:00:00Z,\n"
    master.write_text(MASTER.format(serial="SN-1", more=wrong, count=6))
    taken = run(short_tmp, "take", str(master), "--out", str(answer), "--json")
    assert taken.exit_code == 1, taken.output
    document = json.loads(taken.stdout)
    assert (document["accepted"], document["rejected"], document["repeat"]) == (5, 1, False)
    assert answer.read_text().startswith("openami acknowledgement 1,openami,M-1,")
    (waiting,) = [json.loads(line) for line in run(short_tmp, "rejects", "--json").stdout.splitlines()]
    assert (waiting["id"], waiting["code"]) == ("6", "unknown")
    snapshot = short_tmp / "s.csv"
    snapshot.write_text(SNAPSHOT.format(number="S-1", rows="SP-1,SN-1,R-1,7\n", count=1))
    compared = run(short_tmp, "reconcile", str(snapshot), "--json")
    assert json.loads(compared.stdout)["counts"] == {}
    assert compared.exit_code == 1, "a record still waits"
    broken = short_tmp / "b.csv"
    broken.write_text(master.read_text().replace("end,6", "end,7"))
    refused = run(short_tmp, "take", str(broken))
    assert isinstance(refused.exception, MessageRefusedError)
    assert "counts" in str(refused.exception)


async def test_a_held_record_is_released_by_the_desk_alone_and_who_lives_there_sees_it(
    postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=datetime.now(UTC), domain_origin=NOW).save()
    settings = Settings.load(short_tmp)
    await exchange_desk.take(settings, MASTER.format(serial="SN-7", more="", count=5).encode(), accept_billed=False)
    async with room_database(settings, "openami_access") as access:
        people = {"ivan": Role.INSTALLER, "anna": Role.OPERATOR}
        new = [NewUser(n, frozenset({role}), f"{n}-secret", display_name=n) for n, role in people.items()]
        await accounts_of(settings, access, RealClock()).register_users(new)
    cells = {"service_point": "SP-1", "rate": "R-2", "at": "2026-03-01T06:00:00Z"}
    record = record_of("rate", "9", 3, cells)
    assert isinstance(record, MasterRecord)
    async with exchange_desk.rooms_of(settings) as rooms:
        held = Answer("rate", "9", 3, Result.HELD, "billed", "alters days of 1 issued bills", 1, 1)
        message = Message("CIS", "M-2", NOW, "flat", (), bytes(32))
        await rooms.book.note(message, [Answered(record, record_digest(record), held)], at=NOW)
        point = (await rooms.book.ids("CIS", IdKind.SERVICE_POINT, ["SP-1"]))["SP-1"]
    with pytest.raises(AccessDeniedError):
        await exchange_desk.release(settings, Person("ivan", "ivan-secret"), "CIS", "9")
    answer = await exchange_desk.release(settings, Person("anna", "anna-secret"), "CIS", "9")
    assert answer.result is Result.ACCEPTED
    engine = create_async_engine(postgres.url(SUPERUSER))
    async with engine.connect() as connection:
        bodies = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).scalars()
        entries = [AuditEntry.from_canonical(bytes(body)) for body in bodies]
    await engine.dispose()
    told = [(e.role, e.allowed, e.subjects) for e in entries if e.query == "exchange.release"]
    assert told == [("INSTALLER", False, (point,)), ("OPERATOR", True, (point,))]
