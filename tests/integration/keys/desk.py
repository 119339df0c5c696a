"""People, a factory and the command line of keys, for tests of what people do with keys."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from openami.app.commands.keys import app
from openami.app.devices.shipment import public_shipment_key
from openami.app.engines.rooms import room_database
from openami.app.keys.key_desk import KeyDesk
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person
from openami.app.settings import Settings
from openami.security.access.account import NewUser
from openami.security.access.role import Role
from openami.security.suites.curve import public_key_of
from openami.sim.factory import MAKER, make_meters, sealed_shipment, shipment_document
from openami.sim.maker import make_maker

SAM = Person("sam@utility.example", "a long enough password of Sam")
VERA = Person("vera@utility.example", "a long enough password of Vera")
MADE = datetime(2026, 1, 5, tzinfo=UTC)
FACTORY = make_maker(os.urandom)


async def register_people(settings: Settings) -> None:
    people = [
        NewUser(SAM.login, frozenset({Role.SECADM}), SAM.password, display_name="Sam"),
        NewUser(VERA.login, frozenset({Role.VIEWER}), VERA.password, display_name="Vera"),
    ]
    async with room_database(settings, "openami_access") as access:
        await accounts_of(settings, access, RealClock()).register_users(people)


def ship(settings: Settings, *, count: int = 3, name: str = "S-1", sealed: bool = True) -> Path:
    """Let the factory write a shipment for this utility."""
    meters = [replace(m, serial=f"{name}/{m.serial}") for m in make_meters(count, secret=os.urandom)]
    document = shipment_document(meters, shipment_id=name, made_at=MADE)
    place = settings.home.path / f"{name}.shipment"
    place.touch(mode=0o600)
    if sealed:
        key = asyncio.run(public_shipment_key(settings))
        octets = sealed_shipment(document, maker=FACTORY, recipient_key=key, dice=os.urandom)
        place.write_bytes(octets)
        place.chmod(0o644)
    else:
        place.write_text(document)
    return place


def register(settings: Settings) -> None:
    asyncio.run(KeyDesk(settings).register_maker(SAM, MAKER, public_key_of(FACTORY.signing_key)))


def openami_keys(settings: Settings, *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(settings.home.path)], input=typed)


def printed(settings: Settings, *words: str, typed: str | None = None) -> Any:
    result = openami_keys(settings, *words, "--json", typed=typed)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])
