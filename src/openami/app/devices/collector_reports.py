"""How a report about a collector is kept, whoever has decided that its maker may: at the command line or on a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.settings import Settings, real_now
from openami.security.access.stolen import CollectorReport, Whereabouts, require_sensible, standing_of
from openami.security.adapters.stolen_postgres import PostgresReports
from openami.security.pki import Role, certificate_serial, revoke


@dataclass(frozen=True, slots=True)
class CollectorReports:
    """Keeps reports of one installation.

    Args:
        settings: of the home.
    """

    settings: Settings

    async def keep(
        self, user_id: UUID, collector_id: int, whereabouts: Whereabouts, *, from_at: datetime, note: str
    ) -> CollectorReport:
        """Keep a report, and revoke the collector's certificate where the authority is in this home.

        Args:
            user_id: who says so; the audit log has it already.
            collector_id: number of the collector.
            whereabouts: stolen, or back.
            from_at: since when, or until when, it was away, domain time.
            note: what happened.

        Raises:
            ReportRefusedError, ReportsUnavailableError: the report makes no sense, or was not kept.
        """
        async with room_database(self.settings, "openami_access") as engine:
            book = PostgresReports(engine)
            standing = standing_of(await book.reports())
            domain_now = self.settings.clock().now()
            require_sensible(whereabouts, collector_id, standing, from_at=from_at, domain_now=domain_now)
            report = CollectorReport(
                uuid4(), collector_id, whereabouts, from_at, self._serials(collector_id), user_id, real_now(), note
            )
            await book.add(report)
        self._revoke(collector_id)
        return report

    def _serials(self, collector_id: int) -> frozenset[int]:
        serial = certificate_serial(self.settings.home.folder("pki"), role=Role.COLLECTOR, number=collector_id)
        return frozenset() if serial is None else frozenset({serial})

    def _revoke(self, collector_id: int) -> None:
        """Take the certificate's files away, so that whoever puts the collector up again makes a new one."""
        if self._serials(collector_id):
            revoke(self.settings.home.folder("pki"), role=Role.COLLECTOR, number=collector_id)
