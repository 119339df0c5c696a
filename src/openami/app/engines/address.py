"""Where the engines of an installation answer: its own children, or those that the environment names."""

from __future__ import annotations

from openami.app.engines.nats import NatsEngine
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.settings import Settings


def postgres_engine(settings: Settings) -> PostgresEngine:
    """Return the built-in PostgreSQL of an installation."""
    return PostgresEngine(settings.home.folder("postgres"), settings.home.socket("pg"))


def nats_engine(settings: Settings) -> NatsEngine:
    """Return the built-in NATS server of an installation."""
    return NatsEngine(settings.home.folder("nats"), "127.0.0.1", settings.nats_port)


def postgres_url(settings: Settings, role: str) -> str:
    """Return the database URL for a room's role, built in or by ``OPENAMI_POSTGRES_URL``."""
    if settings.postgres_url is None:
        return postgres_engine(settings).url(role)
    joint = "&" if "?" in settings.postgres_url else "?"
    return settings.postgres_url if role == SUPERUSER else f"{settings.postgres_url}{joint}options=-crole%3D{role}"


def nats_url(settings: Settings, user: str) -> str:
    """Return the bus address for a user; those whose name begins with ``core`` are core's, the rest the DMZ's."""
    given = settings.nats_core_url if user.startswith("core") else settings.nats_dmz_url
    return given or nats_engine(settings).url(user)
