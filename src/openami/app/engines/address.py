"""Where the engines of an installation answer: its own children, or those that the environment names."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from openami.app.engines.nats import CORE, DMZ, NatsEngine
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import CORE as CORE_ZONE
from openami.app.settings import DMZ as DMZ_ZONE
from openami.app.settings import Settings, real_now
from openami.security.pki import Identity, Role, ensure_identity

BUS_SERVER, IN_DMZ, IN_CORE = 1, 1, 2
"""Numbers of the certificates between core and the DMZ: the bus's own, and of the clients in either zone."""


def postgres_engine(settings: Settings) -> PostgresEngine:
    """Return the built-in PostgreSQL of an installation."""
    return PostgresEngine(settings.home.folder("postgres"), settings.home.socket("pg"))


def nats_engine(settings: Settings) -> NatsEngine:
    """Return the built-in NATS server of this home: with both accounts, or with that of its zone."""
    if settings.security_zone == DMZ_ZONE:
        return dmz_bus(settings)
    accounts = (CORE,) if settings.security_zone == CORE_ZONE else (DMZ, CORE)
    return NatsEngine(settings.home.folder("nats"), "127.0.0.1", settings.nats_port, accounts=accounts)


def dmz_bus(settings: Settings) -> NatsEngine:
    """Return the DMZ's own server, to be run in its home.

    Raises:
        PkiError: its certificate is not here and cannot be issued here.
    """
    host, folder = settings.dmz_bus_host or settings.gateway_address, settings.home.folder("nats")
    return NatsEngine(folder, host, settings.dmz_bus_port, bus_identity(settings), (DMZ,))


def bus_identity(settings: Settings) -> Identity:
    """Return the certificate of the DMZ's bus, for the address at which it is dialed. Raises PkiError."""
    hosts = (settings.dmz_bus_host or settings.gateway_address,)
    return ensure_identity(settings.home.folder("pki"), role=Role.BUS, number=BUS_SERVER, now=real_now(), hosts=hosts)


def service_identity(settings: Settings, number: int) -> Identity:
    """Return the certificate with which one zone's processes dial the DMZ's bus. Raises PkiError."""
    return ensure_identity(settings.home.folder("pki"), role=Role.SERVICE, number=number, now=real_now())


def dmz_bus_url(settings: Settings, user: str) -> str:
    """Return the address of the DMZ's own bus for a user of this home's zone.

    Raises:
        PkiError: the certificate to show is not here and cannot be issued here.
        KeyError: this zone does not know the user's password.
    """
    ours = service_identity(settings, IN_DMZ if settings.security_zone == DMZ_ZONE else IN_CORE)
    words = {"sslrootcert": ours.authority, "sslcert": ours.certificate, "sslkey": ours.key}
    password = json.loads((settings.home.folder("nats") / "users.json").read_text())[user]
    return f"tls://{user}:{password}@{settings.dmz_bus_host}:{settings.dmz_bus_port}?{urlencode(words)}"


def postgres_url(settings: Settings, role: str) -> str:
    """Return the database URL for a room's role, built in or by ``OPENAMI_POSTGRES_URL``."""
    if settings.postgres_url is None:
        return postgres_engine(settings).url(role)
    joint = "&" if "?" in settings.postgres_url else "?"
    return settings.postgres_url if role == SUPERUSER else f"{settings.postgres_url}{joint}options=-crole%3D{role}"


def nats_url(settings: Settings, user: str) -> str:
    """Return the bus address for a user; those whose name begins with ``core`` are core's, the rest the DMZ's."""
    if user.startswith("core"):
        return settings.nats_core_url or nats_engine(settings).url(user)
    if settings.nats_dmz_url:
        return settings.nats_dmz_url
    return dmz_bus_url(settings, user) if settings.dmz_bus_host else nats_engine(settings).url(user)
