"""The vault keeps a shipment whole, gives its keys back, and notices a row that was moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from structlog.testing import capture_logs
from tests.integration.keys.conftest import AT, shipment, superuser

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.reading import uuids_of
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.listening.snapshot import encode_page, restore_page
from openami.headend.listening.window import CounterWindows
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import ShipmentReport, VaultUnavailableError
from openami.security.keys.shipment import ShipmentError
from openami.security.keys.table import U64, KeyTable, title_number

pytestmark = pytest.mark.engines


async def test_keys_come_back_as_they_were_shipped(engine: AsyncEngine, root: FileRootKey) -> None:
    vault, sent = PostgresVault(engine, root), shipment()
    report = await vault.import_shipment(sent, at=AT)
    table = KeyTable()
    table.merge(await PostgresVault(engine, root).load())
    assert len(table) == 3
    for row in range(3):
        meter = sent.meters[
            [m.system_title.octets for m in sent.meters].index(int(table.title[row]).to_bytes(8, "big"))
        ]
        assert table.key_pairs(np.array([row])) == [meter.encryption_key.reveal() + meter.authentication_key.reveal()]
    assert [m.system_title for m in report.meters] == [m.system_title for m in sent.meters]
    assert await vault.meters() == sorted(report.meters, key=lambda m: m.system_title)


async def test_the_same_shipment_again_changes_nothing(engine: AsyncEngine, root: FileRootKey) -> None:
    vault, sent = PostgresVault(engine, root), shipment()
    first = await vault.import_shipment(sent, at=AT)
    revision = await vault.revision()
    again = await vault.import_shipment(sent, at=AT)
    assert (again.already_taken, again.meters, await vault.revision()) == (True, first.meters, revision)


@pytest.mark.attack("A10")
async def test_a_shipment_that_repeats_a_title_or_a_key_is_refused_whole(
    engine: AsyncEngine, root: FileRootKey
) -> None:
    vault, sent = PostgresVault(engine, root), shipment()
    await vault.import_shipment(sent, at=AT)
    with pytest.raises(ShipmentError) as caught:
        await vault.import_shipment(shipment("S-2", first=3, count=2), at=AT)
    assert [(f.rule, f.subject) for f in caught.value.findings] == [("duplicate_title", "meters[0]")]
    stolen = sent.meters[0].authentication_key.reveal().hex()
    with pytest.raises(ShipmentError) as caught:
        await vault.import_shipment(shipment("S-3", first=9, count=1, key=stolen), at=AT)
    assert [f.rule for f in caught.value.findings] == ["duplicate_key"]
    with pytest.raises(ShipmentError, match="other content"):
        await vault.import_shipment(shipment("S-1", first=20), at=AT)
    assert len(await vault.meters()) == 3


async def test_only_what_changed_since_a_revision_is_loaded(engine: AsyncEngine, root: FileRootKey) -> None:
    vault = PostgresVault(engine, root)
    await vault.import_shipment(shipment(), at=AT)
    seen = await vault.load()
    await vault.import_shipment(shipment("S-2", first=10, count=2), at=AT)
    later = await vault.load(after_revision=seen.revision)
    assert (len(seen), len(later), later.revision) == (3, 2, await vault.revision())
    assert len(await vault.load(after_revision=later.revision)) == 0


@pytest.mark.attack("A13")
async def test_a_wrapped_key_copied_to_another_meter_is_noticed(
    engine: AsyncEngine, root: FileRootKey, postgres: PostgresEngine
) -> None:
    vault = PostgresVault(engine, root)
    await vault.import_shipment(shipment(count=2), at=AT)
    with superuser(postgres) as connection:
        connection.execute(
            "update security.meter_key k set wrapped = o.wrapped from security.meter_key o "
            "where k.use = 'encryption' and o.use = 'encryption' and k.meter_id <> o.meter_id"
        )
    loaded = await vault.load()
    assert sorted(loaded.spoiled) == [0, 1]
    assert all("encryption key of meter" in words for words in loaded.spoiled.values())


@pytest.mark.parametrize("what", ["wrapped = substr(wrapped, 1, 30)", "suite = suite + 1"])
async def test_a_spoiled_row_is_named_and_stops_no_other(
    engine: AsyncEngine, root: FileRootKey, postgres: PostgresEngine, what: str
) -> None:
    report = await PostgresVault(engine, root).import_shipment(shipment(), at=AT)
    bad = report.meters[1].meter_id
    with superuser(postgres) as connection:
        connection.execute(f"update security.meter_key set {what} where use = 'encryption' and meter_id = %s", [bad])  # noqa: S608 - constants
    table = KeyTable()
    feed = KeyFeed(PostgresVault(engine, root), table)
    with capture_logs() as logs:
        await feed.refresh()
        await feed.refresh()
    usable = table.row_at(np.arange(2))
    assert sorted(uuids_of(table.meter_id[usable])) == sorted(report.meters[i].meter_id for i in (0, 2))
    assert table.candidates(_numbers(report))[1].tolist() == [1, 0, 1]
    assert [(entry["event"], entry["count"]) for entry in logs] == [("vault_rows_spoiled", 1)]
    assert str(bad) in str(logs)


async def test_withdrawn_keys_stop_though_their_row_is_spoiled(
    engine: AsyncEngine, root: FileRootKey, postgres: PostgresEngine
) -> None:
    report = await PostgresVault(engine, root).import_shipment(shipment(), at=AT)
    table = KeyTable()
    feed = KeyFeed(PostgresVault(engine, root), table)
    await feed.refresh()
    with superuser(postgres) as connection:
        connection.execute(
            "update security.meter_key set state = 'withdrawn', wrapped = 'x', "
            "revision = nextval('security.key_revision') where meter_id = %s",
            [report.meters[1].meter_id],
        )
    await feed.refresh()
    assert table.candidates(_numbers(report))[1].tolist() == [1, 0, 1]


async def test_keys_in_use_stay_so_when_their_row_is_spoiled_and_its_counters_have_a_place_after_a_restart(
    engine: AsyncEngine, root: FileRootKey, postgres: PostgresEngine
) -> None:
    report = await PostgresVault(engine, root).import_shipment(shipment(), at=AT)
    table = KeyTable()
    feed = KeyFeed(PostgresVault(engine, root), table)
    await feed.refresh()
    pairs = table.key_pairs(np.arange(3))
    windows = CounterWindows()
    windows.grow(3)
    page = encode_page(windows, table, np.arange(3))
    with superuser(postgres) as connection:
        connection.execute(
            "update security.meter_key set wrapped = 'x', revision = nextval('security.key_revision') "
            "where use = 'authentication' and meter_id = %s",
            [report.meters[1].meter_id],
        )
    await feed.refresh()
    assert table.candidates(_numbers(report))[1].tolist() == [1, 1, 1]
    assert table.key_pairs(np.arange(3)) == pairs
    again = KeyTable()
    await KeyFeed(PostgresVault(engine, root), again).refresh()
    assert len(restore_page(CounterWindows(), again, page)) == 3


def _numbers(report: ShipmentReport) -> U64:
    return np.array([title_number(m.system_title.octets) for m in report.meters], np.uint64)


async def test_another_root_key_opens_nothing_and_says_why(
    engine: AsyncEngine, root: FileRootKey, tmp_path: Path
) -> None:
    await PostgresVault(engine, root).import_shipment(shipment(), at=AT)
    other = FileRootKey(tmp_path / "other.key")
    other.ensure()
    with pytest.raises(KeyBindingError, match="not the one this vault was made with"):
        await PostgresVault(engine, other).load()


@pytest.mark.attack("A34")
async def test_no_plain_key_lies_in_the_database(
    engine: AsyncEngine, root: FileRootKey, postgres: PostgresEngine
) -> None:
    sent = shipment(count=1)
    await PostgresVault(engine, root).import_shipment(sent, at=AT)
    with superuser(postgres) as connection:
        rows = connection.execute(
            "select k.*::text, h.*::text from security.meter_key k, security.key_holder h"
        ).fetchall()
    assert len(rows) == 2
    assert sent.meters[0].encryption_key.reveal().hex() not in str(rows)


async def test_a_database_that_is_away_is_a_declared_error(root: FileRootKey, tmp_path: Path) -> None:
    away = create_async_engine(f"postgresql+psycopg://openami_security@/openami?host={tmp_path}")
    with pytest.raises(VaultUnavailableError):
        await PostgresVault(away, root).revision()
    await away.dispose()
