"""What every vault must do when keys change, asked of the real one and of the one in memory."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.keys.fake_vault import FakeVault

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.reading import uuids_of
from openami.kernel.ids import SystemTitle
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet, KeyState
from openami.security.keys.ports import KeyChanges, KeyStateError
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import parse_shipment
from openami.security.keys.table import STATES, KeyColumns, KeyTable

pytestmark = pytest.mark.engines
AT = datetime(2026, 1, 6, tzinfo=UTC)
METER, BARE = UUID(int=1), UUID(int=2)
TITLES = {METER: SystemTitle(b"OAM\0\0\0\0\1"), BARE: SystemTitle(b"OAM\0\0\0\0\2")}


class Vault(KeyChanges, Protocol):
    """Changes of keys, and what a key feed asks."""

    async def revision(self) -> int: ...

    async def load(self, *, after_revision: int = 0) -> KeyColumns: ...


@dataclass(slots=True)
class Rig:
    vault: Vault

    async def states(self, meter: UUID = METER) -> dict[int, KeyState]:
        columns = await self.vault.load()
        named = zip(uuids_of(columns.meter_id), columns.generation.tolist(), columns.state.tolist(), strict=True)
        return {generation: STATES[state] for meter_id, generation, state in named if meter_id == meter}

    async def renewed(self) -> int:
        pair = {"encryption_key": fresh(), "authentication_key": fresh()}
        return await self.vault.keep_new_pair(METER, **pair, at=AT)


def fresh() -> Secret:
    return Secret(os.urandom(16))


@pytest.fixture(params=["memory", "postgres"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A vault with two meters of a factory; the second one's keys are for life."""
    rows = {
        meter: {use: os.urandom(16) for use in ("encryption_key", "authentication_key", "master_key")}
        for meter in TITLES
    }
    if request.param == "memory":
        fake = FakeVault()
        for meter, keys in rows.items():
            master = keys["master_key"] if meter == METER else None
            fake.ship(meter, TITLES[meter], list(keys.values())[:2], master=master, at=AT)
        yield Rig(fake)
        return
    postgres: PostgresEngine = request.getfixturevalue("postgres")
    root = FileRootKey(tmp_path / "root.key")
    root.ensure()
    del rows[BARE]["master_key"]
    meters = [
        {
            "meter_id": str(meter),
            "system_title": str(TITLES[meter]),
            "serial": str(meter.int),
            **{name: key.hex() for name, key in keys.items()},
        }
        for meter, keys in rows.items()
    ]
    head = {"shipment_id": "S", "made_at": "2026-01-05T08:00:00Z", "maker": "OAM", "profile": "oam-1"}
    engine = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
    vault = PostgresVault(engine, root)
    await vault.import_shipment(parse_shipment(json.dumps({**head, "meters": meters}).encode()), at=AT)
    yield Rig(vault)
    await engine.dispose()


async def test_new_keys_are_the_next_generation_and_stand_beside_those_in_use(rig: Rig) -> None:
    assert await rig.renewed() == 2
    assert await rig.states() == {1: KeyState.ACTIVE, 2: KeyState.NEW}
    assert await rig.states(BARE) == {1: KeyState.ACTIVE}


async def test_a_meter_has_one_set_of_new_keys_at_a_time(rig: Rig) -> None:
    await rig.renewed()
    with pytest.raises(KeyStateError):
        await rig.renewed()
    assert await rig.states() == {1: KeyState.ACTIVE, 2: KeyState.NEW}


async def test_proved_keys_come_into_use_and_the_others_expire_in_one_step_that_may_be_repeated(rig: Rig) -> None:
    for generation in (2, 3):
        assert await rig.renewed() == generation
        for _ in range(2):
            await rig.vault.activate(METER, KeySet.PAIR, generation, at=AT)
    assert await rig.states() == {1: KeyState.EXPIRED, 2: KeyState.EXPIRED, 3: KeyState.ACTIVE}
    with pytest.raises(KeyStateError):
        await rig.vault.activate(METER, KeySet.PAIR, 2, at=AT)
    with pytest.raises(KeyStateError):
        await rig.vault.activate(METER, KeySet.PAIR, 9, at=AT)


async def test_every_change_raises_the_revision_and_comes_with_the_next_load(rig: Rig) -> None:
    table = KeyTable()
    table.merge(await rig.vault.load())
    for change in (rig.renewed(), rig.vault.activate(METER, KeySet.PAIR, 2, at=AT)):
        before = await rig.vault.revision()
        await change
        assert await rig.vault.revision() > before == table.revision
        table.merge(await rig.vault.load(after_revision=before))
    assert table.revision == await rig.vault.revision()
    assert len(table) == 3


async def test_keys_in_use_are_never_withdrawn_and_old_ones_in_time(rig: Rig) -> None:
    await rig.renewed()
    with pytest.raises(KeyStateError):
        await rig.vault.withdraw(METER, KeySet.PAIR, 1, at=AT)
    await rig.vault.activate(METER, KeySet.PAIR, 2, at=AT)
    assert await rig.vault.withdraw_expired(before=AT, at=AT) == 0
    assert await rig.vault.withdraw_expired(before=AT + timedelta(days=1), at=AT) == 2
    assert await rig.states() == {1: KeyState.WITHDRAWN, 2: KeyState.ACTIVE}


async def test_a_master_key_is_there_or_is_not_and_has_generations_of_its_own(rig: Rig) -> None:
    assert await rig.vault.master_key(BARE) is None
    with pytest.raises(KeyStateError):
        await rig.vault.keep_new_master(BARE, key=fresh(), at=AT)
    old, new = await rig.vault.master_key(METER), fresh()
    assert await rig.vault.keep_new_master(METER, key=new, at=AT) == 2
    await rig.vault.activate(METER, KeySet.MASTER, 2, at=AT)
    found = await rig.vault.master_key(METER)
    assert old is not None
    assert found is not None
    assert (old.generation, found.generation, found.key) == (1, 2, new)
    assert await rig.states() == {1: KeyState.ACTIVE}
