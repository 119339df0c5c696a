"""Keys that leaked: known at once, by generation, with progress and a list of meters that still use them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.integration.keys.conftest import AT, shipment

from openami.headend.listening.keyfeed import KeyFeed
from openami.kernel.ids import SystemTitle
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet
from openami.security.keys.level import SecurityLevel
from openami.security.keys.marks import Incident
from openami.security.keys.ports import KeyStateError, VaultMeter
from openami.security.keys.secret import Secret
from openami.security.keys.table import KeyTable

pytestmark = pytest.mark.engines


def incident(reason: str = "a laptop was stolen", *, days: int = 1) -> Incident:
    return Incident(uuid4(), reason, f"user:{uuid4()}", AT + timedelta(days=days))


async def renew(vault: PostgresVault, meter_id: UUID) -> None:
    keys = {"encryption_key": Secret(os.urandom(16)), "authentication_key": Secret(os.urandom(16))}
    generation = await vault.keep_new_pair(meter_id, **keys, at=AT)
    await vault.activate(meter_id, KeySet.PAIR, generation, at=AT)


async def test_a_marked_meter_is_compromised_until_it_has_keys_that_were_made_later(vault: PostgresVault) -> None:
    report = await vault.import_shipment(shipment(masters=True), at=AT)
    first, second, _ = report.meters
    table = KeyTable()
    feed = KeyFeed(vault, table)
    await renew(vault, first.meter_id)
    await feed.refresh()
    assert _levels(table, report.meters) == [SecurityLevel.SECURED, SecurityLevel.FACTORY, SecurityLevel.FACTORY]
    said = incident()
    assert await vault.mark_compromised(said, [first.system_title, second.system_title], masters=False) == 2
    await feed.refresh()
    bad = SecurityLevel.COMPROMISED
    assert _levels(table, report.meters) == [bad, bad, SecurityLevel.FACTORY]
    assert [(r.system_title, r.pair, r.master, r.has_master) for r in await vault.residual()] == [
        (first.system_title, True, False, True),
        (second.system_title, True, False, True),
    ]
    await renew(vault, second.meter_id)
    await feed.refresh()
    assert _levels(table, report.meters) == [bad, SecurityLevel.SECURED, SecurityLevel.FACTORY]
    assert [r.system_title for r in await vault.residual()] == [first.system_title]
    (progress,) = await vault.incidents()
    assert (progress.incident, progress.meters, progress.renewed) == (said, 2, 1)


async def test_a_leaked_master_key_needs_another_master_key_too(vault: PostgresVault) -> None:
    (meter,) = (await vault.import_shipment(shipment(count=1, masters=True), at=AT)).meters
    table = KeyTable()
    feed = KeyFeed(vault, table)
    await vault.mark_compromised(incident(), [meter.system_title], masters=True)
    await renew(vault, meter.meter_id)
    await feed.refresh()
    assert table.level_of(meter.system_title.octets) is SecurityLevel.COMPROMISED
    assert [(r.pair, r.master) for r in await vault.residual()] == [(False, True)]
    await vault.keep_new_master(meter.meter_id, key=Secret(os.urandom(16)), at=AT)
    await vault.activate(meter.meter_id, KeySet.MASTER, 2, at=AT)
    await feed.refresh()
    assert table.level_of(meter.system_title.octets) is SecurityLevel.SECURED
    assert await vault.residual() == []


async def test_new_keys_that_were_under_way_when_the_old_ones_leaked_leaked_too(vault: PostgresVault) -> None:
    (meter,) = (await vault.import_shipment(shipment(count=1), at=AT)).meters
    keys = {"encryption_key": Secret(os.urandom(16)), "authentication_key": Secret(os.urandom(16))}
    await vault.keep_new_pair(meter.meter_id, **keys, at=AT)
    await vault.mark_compromised(incident(), [meter.system_title], masters=False)
    assert [(r.is_new_kept, r.has_master) for r in await vault.residual()] == [(True, False)]
    await vault.activate(meter.meter_id, KeySet.PAIR, 2, at=AT)
    assert [r.system_title for r in await vault.residual()] == [meter.system_title]


async def test_each_incident_has_a_progress_of_its_own(vault: PostgresVault) -> None:
    report = await vault.import_shipment(shipment(), at=AT)
    titles = [m.system_title for m in report.meters]
    early, late = incident("a laptop", days=1), incident("a clerk left", days=2)
    await vault.mark_compromised(early, titles[:2], masters=False)
    await renew(vault, report.meters[0].meter_id)
    await vault.mark_compromised(late, titles, masters=False)
    found = {p.incident.reason: (p.meters, p.renewed) for p in await vault.incidents()}
    assert found == {"a laptop": (2, 1), "a clerk left": (3, 0)}
    assert [r.since for r in await vault.residual()] == [early.marked_at, late.marked_at, late.marked_at]


@pytest.mark.parametrize(
    ("titles", "reason", "why"),
    [
        ([SystemTitle(b"OAM-none")], "stolen", "1 of 1 meters have no keys here, 4f414d2d6e6f6e65 among them"),
        ([], "stolen", "0 of 0"),
        ([SystemTitle(b"OAM\0\0\0\0\1")], "", "characters"),
    ],
)
async def test_a_mark_that_makes_no_sense_marks_nothing(
    vault: PostgresVault, titles: list[SystemTitle], reason: str, why: str
) -> None:
    await vault.import_shipment(shipment(), at=AT)
    with pytest.raises(KeyStateError, match=why):
        await vault.mark_compromised(incident(reason), titles, masters=False)
    assert await vault.incidents() == []


def _levels(table: KeyTable, meters: Sequence[VaultMeter]) -> list[SecurityLevel]:
    return [table.level_of(m.system_title.octets) for m in meters]
