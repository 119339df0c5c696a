"""The command process: wires the vault, counters and both sides of the bus to the command room.

It alone seals and signs what goes down to meters. What it keeps in ``<home>/command``: the signing key and the
installation's own system title, both random and made once. The public key goes to ``<home>/dmz/command_keys``, where
the gateway reads it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.devices.shipment import root_key
from openami.app.engines.address import nats_url
from openami.app.engines.nats import connect_until
from openami.app.engines.rooms import room_database
from openami.app.keys.group_renewal import GroupRenewal
from openami.app.orders.standing_facts import keep_told, standing_facts
from openami.app.process import ready
from openami.app.settings import Home, Settings, real_now
from openami.contracts.command import CommandClass, CommandOutcome
from openami.headend.adapters.commands import CommandServer, NatsRoad
from openami.headend.adapters.counter_epoch import CounterEpoch
from openami.headend.adapters.directives import NatsDirectiveRoad
from openami.headend.adapters.firmware_store import PostgresFirmwareStore
from openami.headend.adapters.send_counters import PostgresCounterReserve
from openami.headend.adapters.switch_facts import PostgresSwitchFacts
from openami.headend.command.approvals import CompositeApprovals
from openami.headend.command.counters import SendCounters
from openami.headend.command.epoch import RENEW_S
from openami.headend.command.firmware import FirmwareApprovals
from openami.headend.command.key_orders import KeyOrders
from openami.headend.command.pairs import Pairs
from openami.headend.command.ports import CommandUnavailableError
from openami.headend.command.rekey import KeyApprovals, KeyRotation
from openami.headend.command.service import CommandEngines, CommandService
from openami.headend.command.standing import DirectiveOffice
from openami.headend.command.switching import SwitchApprovals, SwitchEngines
from openami.headend.command.witness import AuditWitness
from openami.headend.listening.keyfeed import KeyAlarm, KeyFeed
from openami.headend.switching.rules_file import rules_of
from openami.kernel.ids import SystemTitle
from openami.kernel.time import zone_named
from openami.security.access.order import OrdersUnavailableError
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.adapters.approval_postgres import PostgresApprovals
from openami.security.adapters.audit_postgres import PostgresAuditLog
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.secret_file import secret_in
from openami.security.adapters.stolen_postgres import PostgresReports
from openami.security.adapters.vault_postgres import KeyBindingError, PostgresVault
from openami.security.closed_file import make_closed_once, write_closed
from openami.security.keys.ports import KeyChanges, RootKeyError, VaultUnavailableError
from openami.security.keys.table import KeyTable
from openami.security.suites.ed25519 import public_key_of

KEY_POLL_S = 2.0
EXPIRED_KEPT = timedelta(days=30)
"""How long keys that were changed still open: frames that a collector or a meter held back come late."""
FORGET_EVERY_S = 3_600.0
MAKER = b"OAM"
log = structlog.get_logger("openami.command")


def client_title(home: Home) -> SystemTitle:
    """Return the installation's own system title, the client of every association; made at the first call.

    It is part of every initialization vector, so a home that lost it goes on safely with another.
    """
    file = home.folder("command") / "system_title"
    make_closed_once(file, lambda: MAKER + secrets.token_bytes(5))
    return SystemTitle(file.read_bytes())


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Seal and sign for head-ends until ``stop`` is set."""
    home = settings.home
    signing_key = secret_in(home.folder("command"), "signing_key")
    write_closed(home.folder("dmz") / "command_keys", public_key_of(signing_key).hex().encode() + b"\n")
    dmz = await connect_until(stop, nats_url(settings, "command_dmz"), name="openami-command-dmz")
    core = await connect_until(stop, nats_url(settings, "core_command"), name="openami-command")
    try:
        if dmz is None or core is None:
            return
        async with (
            room_database(settings, "openami_security") as security,
            room_database(settings, "openami_audit") as audit,
        ):
            table = KeyTable()
            vault = PostgresVault(security, root_key(settings))
            keys = KeyFeed(vault, table, KeyAlarm(vault, "command", real_now))
            clock = settings.clock()
            warrants = KeyOrders(PostgresOrders(security), real_now)
            rotation = KeyRotation(
                Pairs(table, keys), vault, warrants, dice=secrets.token_bytes, now=clock.now, groups=vault
            )
            road = NatsRoad(dmz, core)
            firmware = FirmwareApprovals(PostgresApprovals(security), PostgresFirmwareStore(security), real_now)
            switching = switch_approvals(settings, security, PostgresAuditLog(audit), table)
            approvals = CompositeApprovals(
                {
                    CommandClass.FIRMWARE: firmware,
                    CommandClass.KEY: KeyApprovals(rotation, warrants),
                    CommandClass.SWITCH: switching,
                }
            )
            epoch = CounterEpoch(security, home.folder("command") / "counter_epoch", _real_now_s)
            await epoch.renew()
            service = CommandService(
                own_title=client_title(home).octets,
                table=table,
                counters=SendCounters(PostgresCounterReserve(security, epoch)),
                signing_key=signing_key,
                engines=CommandEngines(keys=keys, approvals=approvals, road=road, clock=clock, real_now=real_now),
            )
            office = DirectiveOffice(
                standing_facts(settings, security, table),
                road=NatsDirectiveRoad(dmz),
                signing_key=signing_key,
                real_now=real_now,
            )
            poller = asyncio.gather(
                poll_keys(keys, stop),
                keep_told(office, stop),
                renew_epoch(epoch, stop),
                forget_expired(vault, clock.now, stop),
                GroupRenewal(PostgresReports(security), vault, clock.now).run(stop),
            )
            try:
                heard = HeardOutcomes(service.counts, switching)
                await road.listen(heard.take)
                await CommandServer(core, service, rotation).run(stop, on_ready=ready)
            finally:
                poller.cancel()
                await asyncio.gather(poller, return_exceptions=True)
            log.info("counts", **service.counts)
    finally:
        for client in (dmz, core):
            if client is not None:
                await client.close()


def switch_approvals(
    settings: Settings, security: AsyncEngine, audit: PostgresAuditLog, table: KeyTable
) -> SwitchApprovals:
    """Return the judge of switching orders over this process's tables."""
    clock = settings.clock()
    facts = PostgresSwitchFacts(security, real_now=real_now, domain_now=clock.now)
    witness = AuditWitness(audit, PostgresAlerts(security), real_now, clock)
    engines = SwitchEngines(PostgresOrders(security), facts, witness, table.level_of)
    zone = zone_named(settings.zone)
    return SwitchApprovals(engines, rules_of(), zone, real_now=real_now, clock=clock)


@dataclass(slots=True)
class HeardOutcomes:
    """Takes the network's word about commands: counts it, and lets items of switching orders be used up by it.

    Args:
        counts: of the service.
        switching: whose items they are.
    """

    counts: Counter[str]
    switching: SwitchApprovals
    _working: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, outcome: CommandOutcome) -> None:
        """Take one word."""
        self.counts.update([f"outcome_{outcome.kind.name.lower()}"])
        task = asyncio.get_running_loop().create_task(self._heard(outcome))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _heard(self, outcome: CommandOutcome) -> None:
        try:
            await self.switching.heard(outcome)
        except OrdersUnavailableError as error:
            # The item may be used as often as its order lets it; the meter's own state is asked before that.
            log.warning("order_use_not_kept", error=str(error))


async def renew_epoch(epoch: CounterEpoch, stop: asyncio.Event) -> None:
    """Change the counters' token every minute until ``stop`` is set."""
    while not stop.is_set():
        await asyncio.sleep(RENEW_S)
        try:
            await epoch.renew()
        except CommandUnavailableError as error:
            log.warning("counter_epoch_not_renewed", error=str(error))


async def poll_keys(keys: KeyFeed, stop: asyncio.Event) -> None:
    """Keep the table of keys up to date until ``stop`` is set, whatever the vault says meanwhile."""
    while not stop.is_set():
        try:
            await keys.refresh()
        except VaultUnavailableError as error:
            log.warning("vault_unavailable", error=str(error))
        except (KeyBindingError, RootKeyError) as error:
            # Keys that were withdrawn since must not be sealed with for ever because one row is spoiled.
            log.error("vault_row_spoiled", error=str(error))  # noqa: TRY400 - the text names the row, the trace nothing
        await asyncio.sleep(KEY_POLL_S)


async def forget_expired(vault: KeyChanges, now: Callable[[], datetime], stop: asyncio.Event) -> None:
    """Withdraw, once an hour, keys that expired longer ago than late frames may come."""
    while not stop.is_set():
        try:
            count = await vault.withdraw_expired(before=now() - EXPIRED_KEPT, at=now())
        except VaultUnavailableError as error:
            log.warning("vault_unavailable", error=str(error))
        else:
            if count:
                log.info("keys_withdrawn", count=count)
        await asyncio.sleep(FORGET_EVERY_S)


def _real_now_s() -> int:
    return int(real_now().timestamp())
