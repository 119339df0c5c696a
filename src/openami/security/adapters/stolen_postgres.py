"""Reports about stolen collectors in PostgreSQL, table ``access.collector_report``: added, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.security.access.row import RowSettings, seen_as
from openami.security.access.stolen import CollectorReport, ReportsUnavailableError, Whereabouts

_DESK = RowSettings("approval_desk")
_ALL = text("""
    select report_id, collector_id, whereabouts, from_at, serials, user_id, made_at, note from access.collector_report
    order by report_no
""")
_ADD = text("""
    insert into access.collector_report
        (report_id, collector_id, whereabouts, from_at, serials, user_id, made_at, note)
    values (:report_id, :collector_id, :whereabouts, :from_at, :serials, :user_id, :made_at, :note)
""")


class PostgresReports:
    """A :class:`~openami.security.access.stolen.ReportBook`, and its writer.

    Args:
        engine: row-secured as ``openami_access`` to write; as ``openami_security``, ``openami_headend`` or
            ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def reports(self) -> list[CollectorReport]:
        """Return every report, the oldest first."""
        async with self._transaction() as connection:
            rows = (await connection.execute(_ALL)).all()
        return [
            CollectorReport(
                r.report_id, r.collector_id, Whereabouts(r.whereabouts), r.from_at,
                frozenset(int(s, 16) for s in r.serials), r.user_id, r.made_at, r.note,
            )
            for r in rows
        ]  # fmt: skip

    async def add(self, report: CollectorReport) -> None:
        """Keep a report.

        Raises:
            ReportsUnavailableError: the database does not answer.
        """
        row = {
            "report_id": report.report_id,
            "collector_id": report.collector_id,
            "whereabouts": report.whereabouts.value,
            "from_at": report.from_at,
            "serials": [f"{serial:x}" for serial in sorted(report.serials)],
            "user_id": report.user_id,
            "made_at": report.made_at,
            "note": report.note,
        }
        async with self._transaction() as connection:
            await connection.execute(_ADD, row)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            with seen_as(_DESK):
                async with self._engine.begin() as connection:
                    yield connection
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise ReportsUnavailableError(f"the reports do not answer: {type(error).__name__}") from error
