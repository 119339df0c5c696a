"""Alerts in PostgreSQL, table ``security.alert``: raised, seen to, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.time import EPOCH
from openami.security.watch.alert import MAX_WORDS, Alert, AlertGroup, AlertsUnavailableError

_RAISE = text("""
    insert into security.alert (alert_id, at, rule, words, order_id, device)
    values (:alert_id, :at, :rule, :words, :order_id, :device) on conflict (alert_id) do nothing
""")
_NEWEST = text("""
    select alert_id, at, rule, words, order_id, device, seen_by, seen_at from (
        select *, row_number() over (partition by seen_at is not null, rule order by at desc, alert_id) place
        from security.alert
    ) a order by seen_at is not null, place, at desc, alert_id limit :limit
""")
"""The newest of each rule, then the next of each: a flood of one rule crowds no other out of a page."""
_FOLDED = text("""
    select * from (
        select alert_id, at, rule, words, order_id, device, seen_by, seen_at, count(*) over (partition by rule) unseen,
               row_number() over (partition by rule order by at desc, alert_id) place
        from security.alert where seen_at is null
    ) a where place <= :each order by unseen, rule, place
""")
_SEEN = text("""
    update security.alert set seen_by = :by, seen_at = :at where alert_id = :alert_id and seen_at is null
    returning alert_id
""")


class PostgresAlerts:
    """An :class:`~openami.security.watch.alert.AlertBook`.

    Args:
        engine: connected as ``openami_security``; as ``openami_headend`` to raise alone, as ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def raise_alert(self, alert: Alert) -> None:
        """Keep an alert once."""
        row = {
            "alert_id": alert.alert_id, "at": alert.at, "rule": alert.rule, "words": alert.words[:MAX_WORDS],
            "order_id": alert.order_id, "device": alert.device,
        }  # fmt: skip
        async with self._transaction() as connection:
            await connection.execute(_RAISE, row)

    async def newest(self, *, limit: int) -> Sequence[Alert]:
        """Return alerts, those that nobody has seen to first."""
        async with self._transaction() as connection:
            rows = (await connection.execute(_NEWEST, {"limit": limit})).all()
        rows = sorted(rows, key=lambda r: (r.seen_at is not None, EPOCH - r.at, r.alert_id))
        return [Alert(r.alert_id, r.at, r.rule, r.words, r.order_id, r.device, r.seen_by, r.seen_at) for r in rows]

    async def folded(self, *, each: int) -> Sequence[AlertGroup]:
        """Return what nobody has seen to, by rule; the rarest first, for a storm is no hiding place.

        Args:
            each: at most so many alerts of each rule.

        Raises:
            AlertsUnavailableError: the database does not answer.
        """
        async with self._transaction() as connection:
            rows = (await connection.execute(_FOLDED, {"each": each})).all()
        groups: dict[str, list[Alert]] = {}
        unseen: dict[str, int] = {}
        for r in rows:
            unseen[r.rule] = r.unseen
            groups.setdefault(r.rule, []).append(
                Alert(r.alert_id, r.at, r.rule, r.words, r.order_id, r.device, r.seen_by, r.seen_at)
            )
        return [AlertGroup(rule, unseen[rule], tuple(found)) for rule, found in groups.items()]

    async def seen(self, alert_id: UUID, *, by: UUID, at: datetime) -> bool:
        """Note that somebody has seen to an alert."""
        async with self._transaction() as connection:
            found = await connection.execute(_SEEN, {"alert_id": alert_id, "by": by, "at": at})
            return found.first() is not None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise AlertsUnavailableError(f"alerts cannot be kept: {type(error).__name__}") from error
