"""Another installation key while everything runs: nobody waits long, kills lose nothing, and the old key goes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.keys.conftest import AT, shipment, superuser

from openami.app.engines.postgres import PostgresEngine
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet
from openami.security.keys.ports import KeyStateError, VaultUnavailableError
from openami.security.keys.rewrap import Place, RewrapStep
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError

pytestmark = pytest.mark.engines


async def rewrap(vault: PostgresVault, *, limit: int = 10) -> list[RewrapStep]:
    steps: list[RewrapStep] = []
    place: Place | None = None
    while not steps or place is not None:
        steps.append(await vault.rewrap_some(after=place, limit=limit, at=AT))
        place = steps[-1].reached
    return steps


def versions(postgres: PostgresEngine) -> dict[int, int]:
    """Keys under each installation key, and whether its octets are still there."""
    with superuser(postgres) as connection:
        rows = connection.execute(
            "select i.version, count(k.meter_id) from security.installation_key i left join security.meter_key k "
            "on k.installation_version = i.version where octet_length(i.wrapped) > 0 group by i.version"
        ).fetchall()
    return dict(rows)


async def test_every_key_comes_under_the_new_installation_key_and_the_old_one_goes(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    sent = shipment(count=7, masters=True)
    report = await vault.import_shipment(sent, at=AT)
    gone = await vault.keep_new_pair(report.meters[0].meter_id, **fresh(), at=AT)
    await vault.withdraw(report.meters[0].meter_id, KeySet.PAIR, gone, at=AT)
    before = await vault.load()
    assert await vault.new_installation_key(at=AT) == 2
    steps = await rewrap(vault)
    assert [(s.rewrapped, s.retired) for s in steps] == [(10, ()), (10, ()), (1, (1,))]
    assert versions(postgres) == {2: 23}
    after = await vault.load()
    assert (after.encryption_keys, after.authentication_keys) == (before.encryption_keys, before.authentication_keys)
    assert after.revision == before.revision
    master = await vault.master_key(report.meters[5].meter_id)
    assert master is not None
    assert master.key == sent.meters[5].master_key
    assert await vault.new_installation_key(at=AT) == 3


async def test_a_shipment_and_its_keys_are_known_again_under_every_installation_key(vault: PostgresVault) -> None:
    sent = shipment(masters=True)
    await vault.import_shipment(sent, at=AT)
    await vault.new_installation_key(at=AT)
    assert (await vault.import_shipment(sent, at=AT)).already_taken
    await rewrap(vault)
    assert (await vault.import_shipment(sent, at=AT)).already_taken
    with pytest.raises(ShipmentError, match="another meter's"):
        await vault.import_shipment(
            shipment("S-2", first=9, count=1, key=sent.meters[1].encryption_key.reveal().hex()), at=AT
        )


async def test_a_vault_of_before_fingerprints_had_a_key_of_their_own_knows_its_keys_again(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    sent = await old_vault(vault, postgres)
    await vault.new_installation_key(at=AT)
    await rewrap(vault)
    assert (await vault.import_shipment(sent, at=AT)).already_taken
    with pytest.raises(ShipmentError, match="another meter's"):
        await vault.import_shipment(
            shipment("S-2", first=9, count=1, key=sent.meters[1].encryption_key.reveal().hex()), at=AT
        )


async def test_a_second_new_key_waits_for_the_first_to_end(vault: PostgresVault) -> None:
    await vault.import_shipment(shipment(), at=AT)
    await vault.new_installation_key(at=AT)
    with pytest.raises(KeyStateError, match="6 keys are not under installation key 2 yet"):
        await vault.new_installation_key(at=AT)


async def test_a_spoiled_key_stays_where_it_is_and_keeps_its_installation_key(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    report = await vault.import_shipment(shipment(), at=AT)
    bad = report.meters[1].meter_id
    with superuser(postgres) as connection:
        connection.execute(
            "update security.meter_key set wrapped = 'x' where use = 'encryption' and meter_id = %s", [bad]
        )
    await vault.new_installation_key(at=AT)
    steps = await rewrap(vault, limit=2)
    assert sum(s.rewrapped for s in steps) == 5
    assert [str(bad) in words for s in steps for words in s.spoiled] == [True]
    assert steps[-1].retired == ()
    assert versions(postgres) == {1: 1, 2: 5}


@dataclass
class Traffic:
    """What goes on while keys are re-wrapped."""

    vault: PostgresVault
    loads: int = 0
    changes: int = 0
    shipped: int = 0

    async def load(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            assert not (await self.vault.load()).spoiled
            self.loads += 1

    async def change(self, stop: asyncio.Event, meter_id: UUID) -> None:
        while not stop.is_set():
            generation = await self.vault.keep_new_pair(meter_id, **fresh(), at=AT)
            await self.vault.activate(meter_id, KeySet.PAIR, generation, at=AT)
            self.changes += 1

    async def ship(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.shipped += 1
            await self.vault.import_shipment(shipment(f"T-{self.shipped}", first=10_000 + 3 * self.shipped), at=AT)


async def test_heads_load_keys_change_and_shipments_come_in_while_keys_are_rewrapped(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    report = await vault.import_shipment(shipment(count=60, masters=True), at=AT)
    traffic, stop = Traffic(vault), asyncio.Event()
    tasks = [
        asyncio.create_task(work)
        for work in (traffic.load(stop), traffic.change(stop, report.meters[0].meter_id), traffic.ship(stop))
    ]
    await vault.new_installation_key(at=AT)
    steps = await rewrap(vault, limit=9)
    assert len(steps) > 20
    stop.set()
    await asyncio.gather(*tasks)
    assert min(traffic.loads, traffic.changes, traffic.shipped) > 0
    assert list(versions(postgres)) == [2]
    assert len((await vault.load()).spoiled) == 0


async def test_a_rewrap_that_is_killed_again_and_again_ends_with_every_key_in_its_place(
    vault: PostgresVault, root: FileRootKey, postgres: PostgresEngine
) -> None:
    sent = shipment(count=60, masters=True)
    await vault.import_shipment(sent, at=AT)
    before = await vault.load()
    await vault.new_installation_key(at=AT)
    victim_url = postgres.url("openami_security") + "&application_name=victim"
    killed = 0
    for wait_ms in range(40):
        engine = create_async_engine(victim_url, hide_parameters=True)
        task = asyncio.create_task(rewrap(PostgresVault(engine, root), limit=7))
        await asyncio.sleep(0.02 + wait_ms / 200)
        killed += kill_victims(postgres)
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        await engine.dispose()
        assert not isinstance(outcome, BaseException) or isinstance(outcome, VaultUnavailableError | DBAPIError)
        assert not (await vault.load()).spoiled
        if list(versions(postgres)) == [2]:
            break
    assert killed
    assert versions(postgres) == {2: 180}
    after = await vault.load()
    assert (after.encryption_keys, after.authentication_keys) == (before.encryption_keys, before.authentication_keys)


def kill_victims(postgres: PostgresEngine) -> int:
    with superuser(postgres) as connection:
        rows = connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'"
        ).fetchall()
    return len(rows)


async def old_vault(vault: PostgresVault, postgres: PostgresEngine) -> Shipment:
    """Make a vault as they were: with fingerprints under the first installation key, and no key for them."""
    sent = shipment(masters=True)
    for one in (shipment("first", first=50), sent):
        await vault.import_shipment(one, at=AT)
        with superuser(postgres) as connection:
            connection.execute("delete from security.vault_key")
    return sent


def fresh() -> dict[str, Secret]:
    return {"encryption_key": Secret(os.urandom(16)), "authentication_key": Secret(os.urandom(16))}
