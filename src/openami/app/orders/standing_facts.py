"""What the command process tells the DMZ as standing facts: every source is wired here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.settings import Settings, real_now
from openami.headend.command.ordered_facts import OrderedReleases, OrderedThresholds
from openami.headend.command.revoked import RevokedCollectors
from openami.headend.command.standing import DirectiveOffice, KnownMeters, StandingFact
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.stolen_postgres import PostgresReports
from openami.security.keys.table import KeyTable
from openami.security.pki import RevocationList

LOOK_EVERY_S = 2.0
"""A person who reports a collector stolen should see it gone at once; the promise is fifteen minutes."""


def standing_facts(settings: Settings, security: AsyncEngine, table: KeyTable) -> Sequence[StandingFact]:
    """Return the sources.

    Args:
        settings: of the home.
        security: the database as ``openami_security``.
        table: key pairs, kept up to date.
    """
    revoked = RevocationList(settings.home.folder("pki") / "revoked")
    orders = PostgresOrders(security)
    return [
        KnownMeters(table),
        RevokedCollectors(PostgresReports(security), revoked, real_now),
        OrderedThresholds(orders, real_now),
        OrderedReleases(orders, real_now),
    ]


async def keep_told(office: DirectiveOffice, stop: asyncio.Event) -> None:
    """Publish what has changed until ``stop`` is set."""
    while not stop.is_set():
        await office.publish_changed()
        await asyncio.sleep(LOOK_EVERY_S)
