"""Where people report a collector stolen, or back: an act under their own sign-in, in the audit log, then in force.

A report stands in the database; the command process tells the gateway within seconds, which ends the session, turns
the collector away and quarantines what it brought. Its certificate is revoked where the authority is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from openami.app.devices.collector_reports import CollectorReports
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, Person, acting
from openami.app.settings import Settings
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.collectors.finding import CollectorFinding
from openami.headend.collectors.judge import Standing
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import instant_from_epoch_s
from openami.security.access.policy import Kind
from openami.security.access.stolen import CollectorReport, Whereabouts, standing_of
from openami.security.adapters.stolen_postgres import PostgresReports


class UnknownCollectorError(OpenAmiError):
    """Nothing is known of a collector that something is said about; look at `openami collectors list`."""


@dataclass(frozen=True, slots=True)
class FleetOfCollectors:
    """Collectors, what is wrong with them, and which are stolen."""

    standing: Mapping[int, Standing]
    findings: Sequence[CollectorFinding]
    reports: Mapping[int, CollectorReport]


class CollectorDesk:
    """Acts of people on collectors of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def report(
        self, person: Person, collector_id: int, whereabouts: Whereabouts, *, from_at: datetime | None, note: str
    ) -> CollectorReport:
        """Keep a report, and revoke the collector's certificate where the authority is in this home.

        Args:
            person: who says so.
            collector_id: number of the collector.
            whereabouts: stolen, or back.
            from_at: since when, or until when, it was away, domain time; None: now.
            note: what happened.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            ReportRefusedError, ReportsUnavailableError: the report makes no sense, or was not kept.
        """
        domain_now = self._settings.clock().now()
        said_at = from_at or instant_from_epoch_s(int(domain_now.timestamp()))
        act = Act(
            Kind.COLLECTOR,
            f"collector.{whereabouts.value}",
            f"collector {collector_id} {whereabouts.value} from {said_at.isoformat()}: {note}",
        )
        async with acting(self._settings, person, act) as principal:
            return await CollectorReports(self._settings).keep(
                principal.user_id, collector_id, whereabouts, from_at=said_at, note=note
            )

    async def accept_home(self, person: Actor, collector_id: int, *, note: str) -> None:
        """Say that a collector belongs where its last report came from: it was put up there, or its cell was rebuilt.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            UnknownCollectorError: it has never said where it is.
        """
        act = Act(Kind.COLLECTOR, "collector.accept_home", f"collector {collector_id} belongs where it is: {note}")
        async with acting(self._settings, person, act), room_database(self._settings, "openami_headend") as engine:
            if not await PostgresCollectors(engine).accept_home(collector_id):
                raise UnknownCollectorError(f"collector {collector_id} has never said where it is")

    async def retire(self, person: Actor, collector_id: int, *, is_retired: bool, note: str) -> None:
        """Take a collector off the watch because it was taken down, or put it back.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            UnknownCollectorError: it was never heard.
        """
        query = "collector.retire" if is_retired else "collector.watch"
        act = Act(Kind.COLLECTOR, query, f"collector {collector_id}: {note}")
        async with acting(self._settings, person, act), room_database(self._settings, "openami_headend") as engine:
            if not await PostgresCollectors(engine).retire(collector_id, is_retired=is_retired):
                raise UnknownCollectorError(f"collector {collector_id} was never heard")

    async def fleet(self) -> FleetOfCollectors:
        """Return what is known of collectors."""
        async with room_database(self._settings, "openami_headend") as engine:
            book = PostgresCollectors(engine)
            reports = standing_of(await PostgresReports(engine).reports())
            return FleetOfCollectors(await book.fleet(), await book.findings(open_only=True), reports)
