"""Broadcast keys: one a group, gone at once when a collector is stolen, and a list of meters that are behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.integration.keys.conftest import AT, shipment, superuser

from openami.app.engines.postgres import PostgresEngine
from openami.app.keys.group_renewal import GroupRenewal
from openami.kernel.ids import SystemTitle
from openami.security.access.stolen import CollectorReport, Whereabouts
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.groups import KeyGroup
from openami.security.keys.ports import KeyStateError, VaultMeter
from openami.security.keys.secret import MASK

pytestmark = pytest.mark.engines
LATER = AT + timedelta(days=1)


async def village(vault: PostgresVault, *, count: int = 3) -> tuple[VaultMeter, ...]:
    """Meters in group ``north``, served by collectors 7 and 8."""
    report = await vault.import_shipment(shipment(count=count, masters=True), at=AT)
    await vault.make_group("north", [7, 8], at=AT)
    await vault.join_group("north", [m.system_title for m in report.meters])
    return report.meters


async def north(vault: PostgresVault) -> KeyGroup:
    return next(g for g in await vault.groups() if g.name == "north")


async def given(vault: PostgresVault, meter: VaultMeter, pair_generation: int) -> int | None:
    """What a key change does: fixes, sends and proves; returns which of the group's keys went."""
    await vault.send_group_key_with(meter.meter_id, pair_generation)
    sent = await vault.group_key_to_send(meter.meter_id, pair_generation)
    await vault.group_key_held(meter.meter_id, pair_generation)
    return None if sent is None else sent.generation


async def test_members_get_their_groups_key_with_a_pair_and_are_behind_until_then(vault: PostgresVault) -> None:
    meters = await village(vault)
    found = await north(vault)
    assert (found.generation, found.members, found.behind, found.collectors) == (1, 3, 3, frozenset({7, 8}))
    await vault.send_group_key_with(meters[0].meter_id, 2)
    sent = await vault.group_key_to_send(meters[0].meter_id, 2)
    assert sent is not None
    assert (sent.generation, len(sent.key), MASK in repr(sent)) == (1, 16, True)
    assert await vault.group_key_to_send(meters[0].meter_id, 2) == sent
    assert await vault.group_key_to_send(meters[0].meter_id, 3) is None
    assert (await north(vault)).behind == 3
    await vault.group_key_held(meters[0].meter_id, 2)
    assert await vault.behind() == [m.system_title for m in meters[1:]]


async def test_a_renewed_key_is_another_the_old_one_goes_and_everybody_is_behind(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    meters = await village(vault)
    assert [await given(vault, m, 2) for m in meters] == [1, 1, 1]
    first = await vault.group_key_to_send(meters[0].meter_id, 2)
    assert await vault.renew_groups(names=["north"], at=LATER) == ["north"]
    found = await north(vault)
    assert (found.generation, found.behind, found.made_at) == (2, 3, LATER)
    assert await vault.group_key_to_send(meters[0].meter_id, 2) is None
    await vault.send_group_key_with(meters[0].meter_id, 3)
    second = await vault.group_key_to_send(meters[0].meter_id, 3)
    assert first is not None
    assert second is not None
    assert first.key != second.key
    with superuser(postgres) as connection:
        rows = connection.execute("select generation, state, octet_length(wrapped) from security.group_key").fetchall()
    assert sorted(rows) == [(1, "withdrawn", 0), (2, "active", 45)]


async def test_a_key_renewed_while_it_was_under_way_leaves_its_meter_behind(vault: PostgresVault) -> None:
    meter = (await village(vault, count=1))[0]
    await vault.send_group_key_with(meter.meter_id, 2)
    await vault.renew_groups(names=["north"], at=LATER)
    await vault.send_group_key_with(meter.meter_id, 2)
    assert await vault.group_key_to_send(meter.meter_id, 2) is None
    await vault.group_key_held(meter.meter_id, 2)
    assert (await north(vault)).behind == 1
    assert await given(vault, meter, 3) == 2
    assert (await north(vault)).behind == 0


async def test_a_meter_that_joins_another_group_has_nothing_of_it(vault: PostgresVault) -> None:
    meters = await village(vault)
    await given(vault, meters[0], 2)
    await vault.make_group("south", [], at=AT)
    assert await vault.join_group("south", [meters[0].system_title]) == 1
    assert await vault.group_key_to_send(meters[0].meter_id, 2) is None
    assert [(g.name, g.members, g.behind) for g in await vault.groups()] == [("north", 2, 2), ("south", 1, 1)]
    await vault.join_group("south", [meters[0].system_title])
    assert await given(vault, meters[0], 3) == 1


@dataclass
class Reports:
    said: list[CollectorReport] = field(default_factory=list)

    async def reports(self) -> Sequence[CollectorReport]:
        return self.said

    def say(self, collector_id: int, whereabouts: Whereabouts = Whereabouts.STOLEN) -> None:
        report = CollectorReport(uuid4(), collector_id, whereabouts, AT, frozenset(), uuid4(), AT, "gone")
        self.said.append(report)


@pytest.mark.attack("A32")
async def test_the_groups_that_a_stolen_collector_may_have_served_have_new_keys_once_a_report(
    vault: PostgresVault,
) -> None:
    await village(vault)
    await vault.make_group("south", [9], at=AT)
    await vault.make_group("anywhere", [], at=AT)
    reports = Reports()

    async def generations() -> dict[str, int]:
        # A command process that was just started knows nothing of what its predecessor did.
        await GroupRenewal(reports, vault, lambda: LATER).look()
        return {g.name: g.generation for g in await vault.groups()}

    assert await generations() == {"north": 1, "south": 1, "anywhere": 1}
    reports.say(7)
    assert await generations() == {"north": 2, "south": 1, "anywhere": 2}
    assert await generations() == {"north": 2, "south": 1, "anywhere": 2}
    reports.say(7, Whereabouts.BACK)
    reports.say(9)
    assert await generations() == {"north": 2, "south": 2, "anywhere": 3}
    reports.say(7)
    assert await generations() == {"north": 3, "south": 2, "anywhere": 4}


async def test_two_command_processes_renew_a_group_once(vault: PostgresVault) -> None:
    await village(vault)
    report = uuid4()
    done = await asyncio.gather(
        *(vault.renew_groups(collector_id=7, because=report, at=LATER) for _ in range(4)),
    )
    assert sorted(done) == [[], [], [], ["north"]]


async def test_groups_keys_come_under_the_new_installation_key_too(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    meters = await village(vault, count=1)
    await vault.renew_groups(names=["north"], at=AT)
    await vault.send_group_key_with(meters[0].meter_id, 2)
    before = await vault.group_key_to_send(meters[0].meter_id, 2)
    await vault.new_installation_key(at=AT)
    step = await vault.rewrap_some(at=AT)
    assert (step.rewrapped, step.retired, step.spoiled) == (4, (1,), ())
    assert await vault.group_key_to_send(meters[0].meter_id, 2) == before
    with superuser(postgres) as connection:
        connection.execute("update security.group_key set wrapped = set_byte(wrapped, 20, 0) where state = 'active'")
        connection.execute("update security.group_key set wrapped = set_byte(wrapped, 21, 0) where state = 'active'")
    with pytest.raises(KeyBindingError, match="broadcast key"):
        await vault.group_key_to_send(meters[0].meter_id, 2)


@pytest.mark.attack("A13")
async def test_a_key_of_another_group_in_its_place_does_not_open(
    vault: PostgresVault, postgres: PostgresEngine
) -> None:
    meters = await village(vault, count=1)
    await vault.make_group("south", [], at=AT)
    await vault.send_group_key_with(meters[0].meter_id, 2)
    with superuser(postgres) as connection:
        connection.execute(
            "update security.group_key k set wrapped = o.wrapped from security.group_key o "
            "where k.group_id <> o.group_id"
        )
    with pytest.raises(KeyBindingError):
        await vault.group_key_to_send(meters[0].meter_id, 2)


async def test_what_makes_no_sense_changes_nothing(vault: PostgresVault) -> None:
    await village(vault)
    for name, why in (("north", "already"), ("", "name"), ("x" * 81, "name"), ("a\nb", "name")):
        with pytest.raises(KeyStateError, match=why):
            await vault.make_group(name, [], at=AT)
    with pytest.raises(KeyStateError, match="no group west"):
        await vault.join_group("west", [])
    with pytest.raises(KeyStateError, match="1 meters have no keys here"):
        await vault.join_group("north", [SystemTitle(b"OAM-none")])
    with pytest.raises(KeyStateError, match="no group west; nothing was renewed"):
        await vault.renew_groups(names=["north", "west"], at=LATER)
    assert (await north(vault)).generation == 1
    assert await vault.group_key_to_send(UUID(int=1), 1) is None
