"""The installation's accounts, for whoever signs people in: pages, desks at the command line, the demonstration."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.settings import Settings, real_now
from openami.security.access.password import PasswordBook
from openami.security.adapters.access_postgres import PostgresAccounts
from openami.security.adapters.secret_file import secret_in


class RealClock:
    """The host's clock."""

    def now(self) -> datetime:
        """Return the present instant."""
        return real_now()


def accounts_of(settings: Settings, engine: AsyncEngine, real: RealClock) -> PostgresAccounts:
    """Return the installation's accounts; the key of its login digests is made at the first call."""
    key = secret_in(settings.home.folder("keys"), "login.key")
    return PostgresAccounts(engine, real, key, PasswordBook())
