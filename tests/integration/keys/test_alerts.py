"""A key that does not open in its place raises KEY_BINDING, once, until it opens again (attack A13)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from structlog.testing import capture_logs
from tests.integration.keys.conftest import AT, shipment, superuser

from openami.app.engines.postgres import PostgresEngine
from openami.headend.listening.keyfeed import KeyAlarm, KeyFeed
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.table import KeyTable

pytestmark = pytest.mark.engines
SWAP = (
    "update security.meter_key k set wrapped = o.wrapped, revision = nextval('security.key_revision') "
    "from security.meter_key o where k.use = 'encryption' and o.use = 'encryption' and k.meter_id <> o.meter_id "
    "and k.meter_id = any(%s) and o.meter_id = any(%s)"
)


def alarm(vault: PostgresVault, seen_by: str) -> KeyAlarm:
    return KeyAlarm(vault, seen_by, lambda: AT + timedelta(hours=1))


@pytest.mark.attack("A13")
async def test_a_row_copied_to_another_meter_raises_key_binding_until_it_is_back(
    vault: PostgresVault, root: FileRootKey, engine: AsyncEngine, postgres: PostgresEngine
) -> None:
    report = await vault.import_shipment(shipment(), at=AT)
    ids = [m.meter_id for m in report.meters[:2]]
    reader = create_async_engine(postgres.url("openami_keyreader"), hide_parameters=True)
    of_headend = PostgresVault(reader, root)
    headend = KeyFeed(of_headend, KeyTable(), alarm(of_headend, "headend"))
    command = KeyFeed(vault, KeyTable(), alarm(vault, "command"))
    await headend.refresh()
    assert await vault.alerts() == []
    with superuser(postgres) as connection:
        connection.execute(SWAP, [ids, ids])
    with capture_logs() as logs:
        await headend.refresh()
    await command.refresh()
    assert [(entry["alert"], entry["count"]) for entry in logs] == [("KEY_BINDING", 2)]
    found = await vault.alerts()
    assert {a.spoiled.meter_id for a in found} == set(ids)
    assert {(a.seen_by, a.ended_at) for a in found} == {("headend", None)}
    assert all("does not open" in a.spoiled.words for a in found)
    listed = await PostgresAlerts(engine).newest(limit=9)
    assert {(a.rule, a.device) for a in listed} == {("key_binding", str(m.system_title)) for m in report.meters[:2]}
    assert (await vault.status()).spoiled == 2
    with superuser(postgres) as connection:
        connection.execute(SWAP, [ids, ids])
    await headend.refresh()
    assert {a.ended_at for a in await vault.alerts()} == {AT + timedelta(hours=1)}
    assert (await vault.status()).spoiled == 0
    with superuser(postgres) as connection:
        connection.execute(SWAP, [ids, ids])
    await command.refresh()
    assert {(a.seen_by, a.ended_at) for a in await vault.alerts()} == {("command", None)}
    await reader.dispose()


@pytest.mark.attack("A13")
@pytest.mark.parametrize(
    "change",
    [
        "generation = generation + 1",
        "suite = suite + 1",
        "use = 'master'",
        "wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)",
    ],
)
async def test_a_row_moved_to_another_generation_use_or_suite_never_opens(
    vault: PostgresVault, postgres: PostgresEngine, change: str
) -> None:
    report = await vault.import_shipment(shipment(count=1), at=AT)
    with superuser(postgres) as connection:
        connection.execute("delete from security.meter_key where use = 'authentication'")
        connection.execute(
            "insert into security.meter_key select meter_id, 'authentication', generation, suite, state, "
            "installation_version, wrapped, sha256(fingerprint), made_at, nextval('security.key_revision'), active_at "
            "from security.meter_key where use = 'encryption'"
        )
        connection.execute(f"update security.meter_key set {change} where use = 'encryption'")  # noqa: S608 - constants
    table = KeyTable()
    await KeyFeed(vault, table, alarm(vault, "command")).refresh()
    assert table.level_of(report.meters[0].system_title.octets).name == "NONE"


async def test_the_consoles_role_reads_where_keys_stand_and_no_octet_of_them(
    vault: PostgresVault, postgres: PostgresEngine, tmp_path: Path
) -> None:
    await vault.import_shipment(shipment(masters=True), at=AT)
    portal = create_async_engine(postgres.url("openami_portal"), hide_parameters=True)
    seen = PostgresVault(portal, FileRootKey(tmp_path / "none"))
    status = await seen.status()
    assert (status.meters, status.without_master, status.installation_version) == (3, 0, 1)
    assert len(await seen.meter_keys(limit=2)) == 2
    assert await seen.incidents() == []
    assert await seen.residual() == []
    assert await seen.alerts() == []
    await _refused(portal, "select wrapped from security.meter_key")
    await _refused(portal, "select fingerprint from security.meter_key")
    await _refused(portal, "select wrapped from security.installation_key")
    await _refused(portal, "select wrapped from security.vault_key")
    await _refused(portal, "update security.key_alert set ended_at = now()")
    await portal.dispose()


async def _refused(engine: AsyncEngine, statement: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    with pytest.raises(ProgrammingError, match="permission denied"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))


async def test_a_vault_that_is_spoiled_as_a_whole_does_not_bury_the_list_of_alerts(
    vault: PostgresVault, engine: AsyncEngine, postgres: PostgresEngine
) -> None:
    await vault.import_shipment(shipment(count=30), at=AT)
    with superuser(postgres) as connection:
        connection.execute("update security.meter_key set suite = 1 where use = 'encryption'")
    await KeyFeed(vault, KeyTable(), alarm(vault, "command")).refresh()
    listed = await PostgresAlerts(engine).newest(limit=100)
    assert (len(listed), sum("10 keys more" in a.words for a in listed)) == (20, 1)
    assert (await vault.status()).spoiled == 30
