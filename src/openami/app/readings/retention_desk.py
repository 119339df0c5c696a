"""How long readings are kept: rules are entered, a plan is looked at, and exactly that plan is carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.kernel.time import Period, local_date, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.retention_postgres import PostgresRetention
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.retention.policy import (
    Removal,
    RetentionError,
    Rule,
    check_second,
    digest_of,
    first_of_next,
    month_before,
    plan,
)
from openami.mdm.store.schema import Table
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose, system_scope

_SCOPE = system_scope(process="retention", purpose=Purpose.MAINTENANCE)
_BILLED = text("select distinct service_point_id, first_day, end_day from billing.bill where first_day < :before")


@dataclass(frozen=True, slots=True)
class RetentionDesk:
    """Rules and removals of one installation.

    Args:
        settings: of the home.
    """

    settings: Settings

    async def rules(self) -> list[Rule]:
        """Return the rules; they are no secret."""
        async with room_database(self.settings, "openami_mdm") as engine:
            return await PostgresRetention(engine).rules()

    async def enter(self, person: Actor, rule: Rule) -> None:
        """Enter a rule."""
        kept = "for ever" if rule.months is None else f"{rule.months} months"
        act = Act(Kind.RETENTION, "retention.set", f"{rule.table} {kept} from {rule.effective}: {rule.reason}")
        mdm = room_database(self.settings, "openami_mdm")
        async with acting(self.settings, person, act) as principal, mdm as engine:
            await PostgresRetention(engine).add(rule, by=principal.user_id, real=real_now())

    async def planned(self, person: Actor) -> list[Removal]:
        """Return what is due to go today."""
        act = Act(Kind.RETENTION, "retention.plan", action=Action.READ)
        async with acting(self.settings, person, act), self._store() as store:
            return await self._plan(store)

    async def carry_out(self, person: Actor, digest: str) -> list[Removal]:
        """Remove what a plan says, the oldest month first; repeated after a crash, it goes on.

        Raises:
            RetentionError: the plan is another by now, or empty, or this person set a rule that it carries out.
        """
        act = Act(Kind.RETENTION, "retention.run", f"plan {digest}")
        async with acting(self.settings, person, act) as principal, self._store() as store:
            removals = await self._plan(store)
            if not removals or digest_of(removals) != digest:
                raise RetentionError("the plan is another by now: look at it again with `openami retention plan`")
            check_second(await self.rules(), removals, self._today(), principal.user_id)
            async with room_database(self.settings, "openami_mdm") as engine:
                book, registry = PostgresRetention(engine), PostgresRegistry(engine)
                for removal in removals:
                    await book.begin(removal, digest, by=principal.user_id, real=real_now())
                    keep = await _kept_ids(registry, removal)
                    await store.forget(_SCOPE, removal.table, removal.month, keep=keep)
                    await book.end(removal, digest, real=real_now())
            return removals

    def _today(self) -> date:
        return local_date(self.settings.clock().now(), zone_named(self.settings.zone))

    async def _plan(self, store: SocketStore) -> list[Removal]:
        rules, months = await self.rules(), await store.months(_SCOPE)
        today = self._today()
        async with room_database(self.settings, "openami_billing") as engine, engine.connect() as connection:
            bills = (await connection.execute(_BILLED, {"before": today})).all()
        held: dict[int, set[UUID]] = defaultdict(set)
        for place, first, end in bills:
            for month in _months_of(first, end - timedelta(days=1)):
                held[month].add(place)
        return plan(rules, months, {m: frozenset(places) for m, places in held.items()}, today)

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[SocketStore]:
        store = SocketStore(self.settings.home.store_socket)
        try:
            yield store
        finally:
            await store.close()


async def _kept_ids(registry: PostgresRegistry, removal: Removal) -> frozenset[UUID]:
    """Return whose rows stay: the held places, or the meters that hung there in that month."""
    if removal.table is Table.READING_DAY or not removal.held:
        return removal.held
    # A day before and after: the engine's months are UTC's, a bill's days are local.
    first, end = first_of_next(month_before(removal.month, 1)), first_of_next(removal.month)
    period = Period(_midnight(first) - timedelta(days=1), _midnight(end) + timedelta(days=1))
    installed = await registry.installed(removal.held, period)
    return frozenset(i.meter.id for i in installed)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _months_of(first: date, last: date) -> Sequence[int]:
    """Return the months of the days, and those of a day more on either side: the store's months are UTC's."""
    first, last = first - timedelta(days=1), last + timedelta(days=1)
    month, found = first.year * 100 + first.month, []
    while month <= last.year * 100 + last.month:
        found.append(month)
        month = month_before(month, -1)
    return found
