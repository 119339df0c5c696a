"""Homes for the zones of one installation: what each must hold, and nothing else.

The home that an installation began with becomes core's. A *kit* is the home of another zone, written by core: its
settings, its certificates without the authority's key, and of the bus's passwords its own alone. No key of a meter, no
root key, no signing key and no password of core leaves core.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from openami.app.engines.address import IN_DMZ, bus_identity, service_identity
from openami.app.engines.nats import DMZ as DMZ_ACCOUNT
from openami.app.engines.nats import USERS, NatsEngine
from openami.app.settings import CORE, DMZ, FIELD, WHOLE, Home, Settings, real_now
from openami.kernel.errors import OpenAmiError
from openami.security.adapters.secret_file import secret_in
from openami.security.closed_file import write_closed
from openami.security.pki import Identity, Role, ensure_identity
from openami.security.suites.ed25519 import public_key_of

DMZ_ALONE = ("dmz_admin", "gateway")
"""Users of the DMZ's bus that core has no business with."""


class ZoneError(OpenAmiError):
    """The zones cannot be set apart as asked; the text says what is in the way."""


@dataclass(frozen=True, slots=True)
class DmzPlace:
    """Where the DMZ is.

    Args:
        gateway_host: address that the gateway listens on and collectors dial.
        bus_host, bus_port: address of the DMZ's bus, which core dials.
    """

    gateway_host: str
    bus_host: str
    bus_port: int


def core_settings(settings: Settings, place: DmzPlace) -> Settings:
    """Return the settings of the home as core's.

    Raises:
        ZoneError: the home is another zone's.
    """
    if settings.security_zone not in {WHOLE, CORE}:
        raise ZoneError(f"{settings.home.path} is the home of the zone {settings.security_zone}: kits come from core's")
    return replace(
        settings,
        security_zone=CORE,
        gateway_host=place.gateway_host,
        dmz_bus_host=place.bus_host,
        dmz_bus_port=place.bus_port,
        listener_port=None,
    )


def write_dmz_kit(core: Settings, to: Path) -> Settings:
    """Write the home of the DMZ into a new folder and return its settings.

    Args:
        core: as :func:`core_settings` gives them.
        to: an empty folder, or one that is not there yet.

    Raises:
        ZoneError: the folder holds something.
    """
    kit = _new_home(to)
    gateway = core.gateway_host or core.host
    settings = replace(
        core, home=kit, security_zone=DMZ, host=gateway, postgres_url=None, clickhouse_url=None,
        web_certificate=None, web_key=None,
    )  # fmt: skip
    pki = core.home.folder("pki")
    identities = [ensure_identity(pki, role=Role.GATEWAY, number=core.gateway_id, now=real_now())]
    identities += [bus_identity(core), service_identity(core, IN_DMZ)]
    _hand_over(identities, kit)
    _copy(pki / "revoked", kit.folder("pki") / "revoked")
    _copy(core.home.path / "dmz" / "known_titles", kit.folder("dmz") / "known_titles")
    signing_key = secret_in(core.home.folder("command"), "signing_key")
    write_closed(kit.folder("dmz") / "command_keys", public_key_of(signing_key).hex().encode() + b"\n")
    write_closed(kit.folder("nats") / "users.json", json.dumps(_dmz_passwords(core)).encode())
    settings.save()
    return settings


def write_field_kit(
    core: Settings,
    to: Path,
    *,
    collectors: Iterable[int],
    listener_host: str | None = None,
    listener_port: int | None = None,
) -> Settings:
    """Write the home of collectors, and of a listener where it has a port, into a new folder; return its settings.

    Raises:
        ZoneError: the folder holds something.
    """
    kit = _new_home(to)
    gateway = core.gateway_host or core.host
    settings = replace(
        core, home=kit, security_zone=FIELD, host=gateway, listener_port=listener_port,
        listener_host=listener_host or core.listener_host, postgres_url=None, clickhouse_url=None,
        dmz_bus_host=None, web_certificate=None, web_key=None,
    )  # fmt: skip
    pki = core.home.folder("pki")
    _hand_over([ensure_identity(pki, role=Role.COLLECTOR, number=n, now=real_now()) for n in collectors], kit)
    settings.save()
    return settings


def _new_home(to: Path) -> Home:
    if to.exists() and any(to.iterdir()):
        raise ZoneError(f"{to} is not empty: give a new folder, so that nothing of another zone stays in it")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Home(to)


def _hand_over(identities: Iterable[Identity], kit: Home) -> None:
    pki = kit.folder("pki")
    for identity in identities:
        for file in (identity.authority, identity.certificate, identity.key):
            write_closed(pki / file.name, file.read_bytes())


def _copy(file: Path, to: Path) -> None:
    if file.exists():
        write_closed(to, file.read_bytes())


def _dmz_passwords(core: Settings) -> dict[str, str]:
    """Return the passwords of the DMZ's users; core keeps those alone with which it dials."""
    dialing = [user for user in USERS[DMZ_ACCOUNT] if user not in DMZ_ALONE]
    bus = NatsEngine(
        core.home.folder("nats"), core.dmz_bus_host or core.host, core.dmz_bus_port, accounts=(DMZ_ACCOUNT,)
    )
    kept = bus.ensure_users(dialing, but_not=DMZ_ALONE)
    return {user: kept[user] for user in dialing} | {user: secrets.token_urlsafe(24) for user in DMZ_ALONE}
