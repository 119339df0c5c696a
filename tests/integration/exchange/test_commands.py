"""``openami exchange`` at the command line: what it prints, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.exchange.test_inbox import MASTER, NOW, SNAPSHOT
from typer.testing import CliRunner

from openami.app.commands.exchange_all import app
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.exchange import exchange_desk, exchange_out
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person, SignInRefusedError
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


ALTERING = (
    "delete from mdm.exchange_message", "update mdm.exchange_message set digest = digest",
    "delete from mdm.exchange_record", "update mdm.exchange_record set result = result",
    "delete from mdm.exchange_file", "update mdm.exchange_file set body = body",
    "delete from mdm.external_id", "update mdm.external_id set name = name",
    "delete from mdm.reconciliation", "update mdm.reconciliation set counts = counts",
    "delete from mdm.exchange_sent", "update mdm.exchange_sent set digest = digest",
)  # fmt: skip


async def entries_of(postgres: PostgresEngine) -> list[AuditEntry]:
    engine = create_async_engine(postgres.url(SUPERUSER))
    async with engine.connect() as connection:
        bodies = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).scalars()
        found = [AuditEntry.from_canonical(bytes(body)) for body in bodies]
    await engine.dispose()
    return found


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
    await exchange_desk.take(settings, MASTER.format(serial="SN-7", more="", count=5).encode())
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
    told = [(e.role, e.allowed, e.subjects) for e in await entries_of(postgres) if e.query == "exchange.release"]
    assert told == [("INSTALLER", False, (point,)), ("OPERATOR", True, (point,))]


async def test_reads_are_handed_out_and_billed_records_carried_out_by_the_desk_alone(
    postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=datetime.now(UTC), domain_origin=NOW).save()
    settings = Settings.load(short_tmp)
    async with room_database(settings, "openami_access") as access:
        people = {"ivan": Role.INSTALLER, "anna": Role.OPERATOR}
        new = [NewUser(n, frozenset({role}), f"{n}-secret", display_name=n) for n, role in people.items()]
        await accounts_of(settings, access, RealClock()).register_users(new)
    ivan, anna = (Person(n, f"{n}-secret") for n in people)
    octets = MASTER.format(serial="SN-8", more="", count=5).encode()
    with pytest.raises(AccessDeniedError):
        await exchange_desk.take(settings, octets, accept_billed=ivan)
    _, found = await exchange_desk.take(settings, octets, accept_billed=anna)
    assert found.counts["accepted"] == 5
    await exchange_desk.take(settings, octets, accept_billed=anna)
    async with exchange_desk.rooms_of(settings) as rooms:
        point = (await rooms.book.ids("CIS", IdKind.SERVICE_POINT, ["SP-1"]))["SP-1"]
        await rooms.sent.note("CIS", "M-9", [], "the file", form="flat", at=NOW)
    for person in (ivan, Person("anna", "wrong")):
        with pytest.raises((AccessDeniedError, SignInRefusedError)):
            await exchange_out.resend(settings, person, "CIS", "M-9")
        with pytest.raises((AccessDeniedError, SignInRefusedError)):
            async with exchange_out.handing_out(settings, person, "exchange.reads", "bill group 7", [point]):
                pytest.fail("nothing is handed out")
    assert await exchange_out.resend(settings, anna, "CIS", "M-9") == "the file"
    async with exchange_out.handing_out(settings, anna, "exchange.reads", "bill group 7", [point]):
        pass
    told = [(e.role, e.allowed, e.query, e.subjects) for e in await entries_of(postgres)]
    assert ("OPERATOR", True, "exchange.reads", (point,)) in told
    assert ("INSTALLER", False, "exchange.reads", (point,)) in told
    # Before its first message the place was nobody's; whoever lives there sees what alters their bills.
    assert [t[3] for t in told if t[:3] == ("OPERATOR", True, "exchange.take")] == [(), (point,)]


@pytest.mark.parametrize("words", ALTERING)
async def test_the_rooms_own_role_alters_nothing_of_what_was_exchanged(postgres: PostgresEngine, words: str) -> None:
    engine = create_async_engine(postgres.url("openami_mdm"))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with engine.begin() as connection:
            await connection.execute(text(words))
    await engine.dispose()
