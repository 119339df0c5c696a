"""The compromise drill: the keys of ten thousand meters leak. No switch of theirs moves from the next look at the vault
on, each is free again with its newer keys, and who is left is on a list. ``OPENAMI_DRILL_METERS`` says how many meters
the long runs take.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from tests.integration.keys.conftest import AT, shipment
from tests.unit.headend.switching.desk import ANNA, BEN, MemoryFacts, MemoryOrders, MemoryWitness
from tests.unit.headend.switching.test_switch_approvals import CUT, NOW, OPENS

from openami.contracts.command import CommandClass
from openami.headend.command.ports import ApprovalRequest, CommandRefusedError
from openami.headend.command.switching import SwitchApprovals, SwitchEngines
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.switching.order import SwitchItem
from openami.headend.switching.rules_file import rules_of
from openami.kernel.clock import FixedClock
from openami.kernel.ids import SystemTitle
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.context import KeySet
from openami.security.keys.level import SecurityLevel
from openami.security.keys.marks import Incident
from openami.security.keys.ports import VaultMeter
from openami.security.keys.secret import Secret
from openami.security.keys.table import KeyTable

pytestmark = pytest.mark.engines
METERS = int(os.environ.get("OPENAMI_DRILL_METERS", "10000"))
FEWER = 1_000
"""What a run in the suite takes."""
SPARED = 5
"""Meters of the same shipment whose keys did not leak."""


@dataclass
class Drill:
    """A vault, what the command process knows of it, and an order to open every switch."""

    vault: PostgresVault
    meters: Sequence[VaultMeter]

    def __post_init__(self) -> None:
        self.table = KeyTable()
        self.feed = KeyFeed(self.vault, self.table)
        book = MemoryOrders()
        items = [SwitchItem(m.system_title, UUID(int=1 + k), 7, 1_000) for k, m in enumerate(self.meters)]
        book.make(CUT, items, now=NOW, people=(ANNA, BEN))
        engines = SwitchEngines(book, MemoryFacts(), MemoryWitness(), self.table.level_of)
        self.rule = SwitchApprovals(
            engines, rules_of(), ZoneInfo("America/Chicago"), real_now=lambda: NOW, clock=FixedClock(NOW)
        )

    async def renew(self, meters: Sequence[VaultMeter]) -> None:
        """What the rotation does to the vault when a meter has proved its new keys."""
        for m in meters:
            pair = {"encryption_key": Secret(os.urandom(16)), "authentication_key": Secret(os.urandom(16))}
            generation = await self.vault.keep_new_pair(m.meter_id, **pair, at=AT)
            await self.vault.activate(m.meter_id, KeySet.PAIR, generation, at=AT)

    async def says(self, title: SystemTitle) -> str:
        """What the command process says to a switching command that two people approved."""
        try:
            request = ApprovalRequest(title, CommandClass.SWITCH, b"", OPENS)
            return "goes" if await self.rule.find(request) is not None else "no order"
        except CommandRefusedError as error:
            return f"{error.refusal.name}: {error}"

    def levels(self) -> dict[SecurityLevel, int]:
        found = [self.table.level_of(m.system_title.octets) for m in self.meters]
        return {level: found.count(level) for level in set(found)}


async def drilled(vault: PostgresVault, meters: int) -> Drill:
    report = await vault.import_shipment(shipment(count=meters + SPARED, masters=True), at=AT)
    return Drill(vault, report.meters)


async def mark(drill: Drill, leaked: Sequence[VaultMeter]) -> UUID:
    incident = Incident(uuid4(), "a disk of the key office was sold", f"user:{uuid4()}", AT)
    titles = [m.system_title for m in leaked]
    assert await drill.vault.mark_compromised(incident, titles, masters=False) == len(leaked)
    return incident.incident_id


async def test_no_switch_of_a_meter_moves_once_its_keys_have_leaked_until_it_has_newer_ones(
    vault: PostgresVault,
) -> None:
    await rehearse(vault, FEWER)


@pytest.mark.soak
async def test_no_switch_of_ten_thousand_meters_moves_once_their_keys_have_leaked(vault: PostgresVault) -> None:
    await rehearse(vault, METERS)


async def rehearse(vault: PostgresVault, meters: int) -> None:
    drill = await drilled(vault, meters)
    leaked, spared = drill.meters[:meters], drill.meters[meters:]
    sample = [leaked[0], leaked[meters // 2], leaked[-1]]
    await drill.renew([*sample, *spared])
    await drill.feed.refresh()
    assert {await drill.says(m.system_title) for m in (*sample, *spared)} == {"goes"}
    assert await drill.says(leaked[1].system_title) == "BELOW_SECURITY_LEVEL: factory"

    begun = time.perf_counter()
    await mark(drill, leaked)
    await drill.feed.refresh()
    took_s = time.perf_counter() - begun
    assert drill.levels() == {SecurityLevel.COMPROMISED: meters, SecurityLevel.SECURED: SPARED}
    assert {await drill.says(m.system_title) for m in sample} == {"BELOW_SECURITY_LEVEL: compromised"}
    assert {await drill.says(m.system_title) for m in spared} == {"goes"}

    await drill.renew(sample)
    await drill.feed.refresh()
    assert {await drill.says(m.system_title) for m in sample} == {"goes"}
    (progress,) = await vault.incidents()
    assert (progress.meters, progress.renewed) == (meters, 3)
    residual = await vault.residual(limit=meters + 1)
    assert {m.system_title for m in residual} == {m.system_title for m in leaked} - {m.system_title for m in sample}
    assert (await vault.status()).levels == {SecurityLevel.COMPROMISED: meters - 3, SecurityLevel.SECURED: SPARED + 3}
    print(f"\n{meters} keys marked and known to the command process in {took_s:.1f} s")  # noqa: T201 - for people


@pytest.mark.soak
async def test_ten_thousand_meters_get_newer_keys_and_the_list_empties(vault: PostgresVault) -> None:
    drill = await drilled(vault, METERS)
    leaked = drill.meters[:METERS]
    await mark(drill, leaked)
    begun = time.perf_counter()
    for start in range(0, METERS, step := max(1, METERS // 10)):
        await drill.renew(leaked[start : start + step])
        await drill.feed.refresh()
        (progress,) = await vault.incidents()
        left = len(await vault.residual(limit=METERS))
        print(f"{progress.renewed} renewed, {left} left, {time.perf_counter() - begun:.0f} s")  # noqa: T201 - for people
        assert progress.renewed + left == METERS
    assert await vault.residual() == []
    assert drill.levels() == {SecurityLevel.SECURED: METERS, SecurityLevel.FACTORY: SPARED}
    withdrawn = await vault.withdraw_expired(before=AT + timedelta(days=31), at=datetime.now(UTC))
    assert withdrawn == 2 * METERS
