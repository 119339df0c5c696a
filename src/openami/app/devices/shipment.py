"""Take a manufacturer's shipment: keys to the vault, meters to the registry. Used by the command line and the demo."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from openami.app.engines.rooms import room_database
from openami.app.keys.root_key import root_keys
from openami.app.settings import Settings, real_now
from openami.kernel.finding import Finding, Severity
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.records import Meter
from openami.security.adapters.shipment_file import read_shipment_octets
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.makers import MakerKey, Makers
from openami.security.keys.ports import ShipmentReport
from openami.security.keys.roots import RootKeys
from openami.security.keys.sealed_shipment import is_sealed_shipment, open_shipment, parse_head
from openami.security.keys.shipment import Shipment, ShipmentError, parse_shipment
from openami.security.suites.curve import public_key_of

REGISTER_CAPACITY_WH = {"oam-1": 2**32}
"""Where registers of a profile roll over to zero [Wh]; a profile that is not named here has no known capacity."""


def root_key(settings: Settings) -> RootKeys:
    """Return the installation's root key, see :mod:`openami.app.keys.root_key`."""
    return root_keys(settings.home, os.environ)


async def take_shipment(settings: Settings, path: Path, *, plain: bool = False) -> ShipmentReport:
    """Keep every key of the shipment and enter its meters, or change nothing. A repeat changes nothing.

    Args:
        settings: of the installation.
        path: the file.
        plain: take a file that nobody sealed, too: whoever hands it over has read its keys.

    Raises:
        ShipmentError: it is not sealed by a maker that is registered, a line is not sound, or a key or title is in the
            vault already.
        VaultUnavailableError: the database does not answer.
    """
    octets = read_shipment_octets(path)
    if not (plain or is_sealed_shipment(octets)):
        raise ShipmentError(
            f"{path} is not sealed: ask its maker to seal it to `openami keys public`, or say --plain and know that "
            "whoever carried it may have read and changed it"
        )
    now = settings.clock().now()
    async with room_database(settings, "openami_security") as security, room_database(settings, "openami_mdm") as mdm:
        vault = PostgresVault(security, root_key(settings))
        sealed = is_sealed_shipment(octets)
        shipment = await _opened(vault, octets, at=now) if sealed else parse_shipment(octets)
        registry = PostgresRegistry(mdm)
        # The registry has each serial once. What it would refuse must not be in the vault before it says so.
        _refuse_known_serials(shipment, await registry.meters())
        report = await vault.import_shipment(shipment, at=now, is_signed=sealed)
        meters = [
            Meter(
                id=m.meter_id,
                serial=m.serial,
                made_at=now,
                system_title=m.system_title.octets,
                profile=m.profile,
                capacity_wh=REGISTER_CAPACITY_WH.get(m.profile),
            )
            for m in report.meters
        ]
        await registry.add_meters(meters)
    return report


async def _opened(vault: Makers, octets: bytes, *, at: datetime) -> Shipment:
    keys_of_maker = await vault.keys_of_maker(parse_head(octets).maker)
    return open_shipment(octets, own_key=await vault.shipment_key(at=at), keys_of_maker=keys_of_maker)


def _refuse_known_serials(shipment: Shipment, registered: Iterable[Meter]) -> None:
    """Pass if every serial is one meter's.

    Raises:
        ShipmentError: each that is not has a finding.
    """
    holders = {meter.serial: meter.system_title for meter in registered}
    findings: list[Finding] = []
    for meter in shipment.meters:
        holder = holders.setdefault(meter.serial, meter.system_title.octets)
        if holder != meter.system_title.octets:
            evidence = {"why": f"serial {meter.serial} is another meter's", "serial": meter.serial}
            findings.append(Finding("duplicate_serial", Severity.FAIL, meter.line, evidence=evidence))
    if findings:
        raise ShipmentError(
            f"shipment {shipment.shipment_id}: {len(findings)} serials are taken, first at {findings[0].subject}: "
            f"{findings[0].evidence['why']}; nothing was taken",
            tuple(findings),
        )


async def public_shipment_key(settings: Settings) -> bytes:
    """Return what makers encrypt shipments to, ``X || Y`` on P-256; made at its first use.

    Raises:
        VaultUnavailableError: the database does not answer.
    """
    async with room_database(settings, "openami_security") as security:
        key = await PostgresVault(security, root_key(settings)).shipment_key(at=settings.clock().now())
    return public_key_of(key.reveal())


async def register_maker(settings: Settings, maker: str, public_key: bytes, *, by: str) -> None:
    """Believe a maker's signature from now on. Again changes nothing.

    Raises:
        ShipmentError: the key is none, another maker's, or was withdrawn.
        VaultUnavailableError: the database does not answer.
    """
    async with room_database(settings, "openami_security") as security:
        vault = PostgresVault(security, root_key(settings))
        await vault.register_maker(MakerKey(maker, public_key, by, real_now()))
