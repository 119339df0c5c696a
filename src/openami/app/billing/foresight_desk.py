"""Where people see the dry run of a read day, make one by hand, and see how good an earlier one was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from openami.app.billing.bill_room import bill_room
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.adapters.foresight_postgres import PostgresForesight
from openami.billing.cycle.foresight import Foreseen, Score, foresee, score_of
from openami.kernel.time import local_date, zone_named
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose


@dataclass(frozen=True, slots=True)
class ForesightDesk:
    """Dry runs of one installation.

    Args:
        settings: of the home.
    """

    settings: Settings

    async def foresee(self, person: Actor, read_on: date | None = None) -> tuple[date, list[Foreseen]]:
        """Make and keep the dry run of a read day, tomorrow as a rule; a look at the places that will wait.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        now = self.settings.clock().now()
        day = read_on or local_date(now, zone_named(self.settings.zone)) + timedelta(days=1)
        async with bill_room(self.settings) as billing:
            rows = await foresee(billing.run, day, now)
            named = frozenset(r.service_point_id for r in rows if r.code is not None)
            act = Act(Kind.BILLING, "bills.dry_run", day.isoformat(), Action.READ, Purpose.OPERATIONS, named)
            async with acting(self.settings, person, act), self._book() as book:
                await book.keep(rows, day, at=now)
                return day, rows

    async def score(self, person: Actor, read_on: date | None = None) -> tuple[date, Score]:
        """Return how good the dry run of a read day was, today's as a rule. Raises as :meth:`foresee`."""
        day = read_on or local_date(self.settings.clock().now(), zone_named(self.settings.zone))
        act = Act(Kind.BILLING, "bills.dry_run_score", day.isoformat(), Action.READ, Purpose.OPERATIONS)
        async with acting(self.settings, person, act), self._book() as book:
            return day, score_of(await book.outcomes(day))

    @asynccontextmanager
    async def _book(self) -> AsyncIterator[PostgresForesight]:
        async with room_database(self.settings, "openami_billing") as engine:
            yield PostgresForesight(engine)
