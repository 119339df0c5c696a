"""Take a manufacturer's shipment: keys to the vault, meters to the registry. Used by the command line and the demo."""

from __future__ import annotations

import os
from pathlib import Path

from openami.app.engines.rooms import room_database
from openami.app.root_key import root_keys
from openami.app.settings import Settings
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.records import Meter
from openami.security.adapters.shipment_file import read_shipment
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.ports import ShipmentReport
from openami.security.keys.roots import RootKeys

REGISTER_CAPACITY_WH = {"oam-1": 2**32}
"""Where registers of a profile roll over to zero [Wh]; a profile that is not named here has no known capacity."""


def root_key(settings: Settings) -> RootKeys:
    """Return the installation's root key, see :mod:`openami.app.root_key`."""
    return root_keys(settings.home, os.environ)


async def take_shipment(settings: Settings, path: Path) -> ShipmentReport:
    """Keep every key of the shipment and enter its meters, or change nothing. A repeat changes nothing.

    Raises:
        ShipmentError: a line is not sound, or a key or title is in the vault already.
        VaultUnavailableError: the database does not answer.
    """
    shipment = read_shipment(path)
    now = settings.clock().now()
    async with room_database(settings, "openami_security") as security, room_database(settings, "openami_mdm") as mdm:
        report = await PostgresVault(security, root_key(settings)).import_shipment(shipment, at=now)
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
        await PostgresRegistry(mdm).add_meters(meters)
    return report
