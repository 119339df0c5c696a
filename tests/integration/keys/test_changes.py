"""Keys come and go by their states, master keys are the command process's alone, and what leaked is known at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.keys.conftest import AT, shipment, superuser

from openami.app.engines.postgres import PostgresEngine
from openami.headend.listening.keyfeed import KeyFeed
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet, KeyState
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.level import SecurityLevel
from openami.security.keys.ports import KeyStateError
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError
from openami.security.keys.table import KeyTable, title_number

pytestmark = pytest.mark.engines
LATER = AT + timedelta(days=1)


def pair() -> dict[str, Secret]:
    return {"encryption_key": Secret(os.urandom(16)), "authentication_key": Secret(os.urandom(16))}


def without_masters(sent: Shipment) -> Shipment:
    return replace(sent, meters=tuple(replace(m, master_key=None) for m in sent.meters))


@pytest.fixture
async def reader(postgres: PostgresEngine) -> AsyncIterator[AsyncEngine]:
    """The head-end's connection to the vault."""
    made = create_async_engine(postgres.url("openami_keyreader"), hide_parameters=True)
    yield made
    await made.dispose()


async def test_the_master_key_comes_back_for_the_command_process_and_for_no_head_end(
    vault: PostgresVault, reader: AsyncEngine, root: FileRootKey
) -> None:
    sent = shipment(masters=True)
    report = await vault.import_shipment(sent, at=AT)
    first = report.meters[0].meter_id
    kept = await vault.master_key(first)
    assert kept is not None
    assert (kept.generation, kept.key) == (1, sent.meters[0].master_key)
    of_the_headend = PostgresVault(reader, root)
    assert await of_the_headend.master_key(first) is None
    assert len(await of_the_headend.load()) == 3
    assert await of_the_headend.revision() > 0
    async with reader.connect() as connection:
        uses = set((await connection.execute(text("select use from security.meter_key"))).scalars())
    assert uses == {"encryption", "authentication"}


@pytest.mark.parametrize(
    "statement",
    [
        "update security.meter_key set state = 'active'",
        "delete from security.meter_key",
        "select next from security.send_counter",
        "alter table security.meter_key disable row level security",
    ],
)
async def test_the_head_ends_role_changes_no_key(vault: PostgresVault, reader: AsyncEngine, statement: str) -> None:
    await vault.import_shipment(shipment(masters=True), at=AT)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        async with reader.begin() as connection:
            await connection.execute(text(statement))


async def test_a_master_key_that_two_meters_share_is_refused_with_the_serial(vault: PostgresVault) -> None:
    known = shipment(masters=True)
    await vault.import_shipment(known, at=AT)
    other = shipment("S-2", first=9, count=2, masters=True)
    stolen = replace(other.meters[1], master_key=known.meters[0].encryption_key)
    with pytest.raises(ShipmentError) as caught:
        await vault.import_shipment(replace(other, meters=(other.meters[0], stolen)), at=AT)
    assert [(f.rule, f.evidence["serial"]) for f in caught.value.findings] == [("duplicate_key", "1010")]
    assert "encryption key 1 of serial 1001" in str(caught.value.findings[0].evidence["why"])


async def test_a_shipment_that_was_taken_without_its_master_keys_gets_them_when_it_comes_again(
    vault: PostgresVault,
) -> None:
    sent = shipment(masters=True)
    report = await vault.import_shipment(without_masters(sent), at=AT)
    assert await vault.master_key(report.meters[0].meter_id) is None
    again = await vault.import_shipment(sent, at=LATER)
    assert (again.already_taken, again.meters) == (True, report.meters)
    found = await vault.master_key(report.meters[0].meter_id)
    assert found is not None
    assert found.key == sent.meters[0].master_key
    assert (await vault.import_shipment(sent, at=LATER)).already_taken


async def test_new_keys_come_into_use_once_and_the_old_ones_expire_then_go(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    report = await vault.import_shipment(shipment(count=1, masters=True), at=AT)
    meter, title = report.meters[0].meter_id, report.meters[0].system_title.octets
    table = KeyTable()
    feed = KeyFeed(vault, table)
    await feed.refresh()
    assert table.level_of(title) is SecurityLevel.FACTORY
    assert await vault.keep_new_pair(meter, **pair(), at=LATER) == 2
    with pytest.raises(KeyStateError, match="generation 2"):
        await vault.keep_new_pair(meter, **pair(), at=LATER)
    await feed.refresh()
    assert table.level_of(title) is SecurityLevel.FACTORY
    for _ in range(2):
        await vault.activate(meter, KeySet.PAIR, 2, at=LATER)
    await feed.refresh()
    assert table.level_of(title) is SecurityLevel.SECURED
    assert _states(table, title) == {2: KeyState.ACTIVE, 1: KeyState.EXPIRED}
    with pytest.raises(KeyStateError, match="in use"):
        await vault.withdraw(meter, KeySet.PAIR, 2, at=LATER)
    with pytest.raises(KeyStateError, match="expired"):
        await vault.activate(meter, KeySet.PAIR, 1, at=LATER)
    assert await vault.withdraw_expired(before=LATER, at=LATER) == 0
    assert await vault.withdraw_expired(before=LATER + timedelta(seconds=1), at=LATER + timedelta(days=30)) == 2
    await feed.refresh()
    assert _states(table, title) == {2: KeyState.ACTIVE}
    with superuser(postgres) as connection:
        rows = connection.execute(
            "select generation, state, octet_length(wrapped), active_at, expired_at, withdrawn_at "
            "from security.meter_key where use = 'encryption' order by generation"
        ).fetchall()
    assert rows == [
        (1, "withdrawn", 0, AT, LATER, LATER + timedelta(days=30)),
        (2, "active", 45, LATER, None, None),
    ]


async def test_new_keys_that_were_never_proved_are_withdrawn_and_others_can_be_made(vault: PostgresVault) -> None:
    report = await vault.import_shipment(shipment(count=1), at=AT)
    meter = report.meters[0].meter_id
    generation = await vault.keep_new_pair(meter, **pair(), at=AT)
    for _ in range(2):
        await vault.withdraw(meter, KeySet.PAIR, generation, at=AT)
    with pytest.raises(KeyStateError, match="withdrawn"):
        await vault.activate(meter, KeySet.PAIR, generation, at=AT)
    assert await vault.keep_new_pair(meter, **pair(), at=AT) == 3


async def test_a_master_key_has_generations_of_its_own_and_a_meter_without_one_cannot_get_one(
    vault: PostgresVault,
) -> None:
    with_one = (await vault.import_shipment(shipment(count=1, masters=True), at=AT)).meters[0].meter_id
    without = (await vault.import_shipment(shipment("S-2", first=5, count=1), at=AT)).meters[0].meter_id
    key = Secret(os.urandom(16))
    assert await vault.keep_new_master(with_one, key=key, at=AT) == 2
    kept = await vault.master_key(with_one, state=KeyState.NEW)
    assert kept is not None
    assert kept.key == key
    await vault.activate(with_one, KeySet.MASTER, 2, at=AT)
    in_use = await vault.master_key(with_one)
    assert in_use is not None
    assert in_use.generation == 2
    with pytest.raises(KeyStateError, match="never had"):
        await vault.keep_new_master(without, key=key, at=AT)


async def test_a_key_that_is_in_the_vault_already_is_not_kept_as_new(vault: PostgresVault) -> None:
    sent = shipment(count=2)
    report = await vault.import_shipment(sent, at=AT)
    with pytest.raises(KeyStateError, match="already"):
        await vault.keep_new_pair(
            report.meters[0].meter_id,
            encryption_key=sent.meters[1].encryption_key,
            authentication_key=Secret(os.urandom(16)),
            at=AT,
        )


async def test_a_master_key_moved_to_another_meter_does_not_open(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    report = await vault.import_shipment(shipment(count=2, masters=True), at=AT)
    with superuser(postgres) as connection:
        connection.execute(
            "update security.meter_key k set wrapped = o.wrapped from security.meter_key o "
            "where k.use = 'master' and o.use = 'master' and k.meter_id <> o.meter_id"
        )
    with pytest.raises(KeyBindingError, match="master key of meter"):
        await vault.master_key(report.meters[0].meter_id)


def _states(table: KeyTable, title: bytes) -> dict[int, KeyState]:
    from openami.security.keys.table import STATES

    first, count = table.candidates(np.array([title_number(title)], np.uint64))
    rows = table.row_at(np.arange(first[0], first[0] + count[0]))
    return {int(table.generation[r]): STATES[int(table.state[r])] for r in rows}
