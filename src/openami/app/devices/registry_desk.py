"""Late changes of the registry: what they affect, days and bills alike, is answered before they are accepted.

A change is tried first. What it would touch is shown with a short mark; accepting looks again and refuses if the answer
has changed meanwhile, so that nobody accepts what they did not see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.rate_files import home_rates
from openami.app.engines.rooms import room_database
from openami.app.settings import Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Assignment, Bill, Billing
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import local_date, zone_named
from openami.mdm.adapters.hand_reads_postgres import PostgresHandReads
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData
from openami.mdm.registry.change import (
    Change,
    EndReads,
    EnterFacts,
    Exchange,
    Hang,
    SwapPlaces,
    TakeDown,
    Unmetered,
)
from openami.mdm.registry.desk import RegistryDesk, Store
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Affected
from openami.security.access.scope import Purpose, system_scope

MARK_LETTERS = 12


class EffectChangedError(OpenAmiError):
    """What a change affects is not what was looked at: look again."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would touch.

    Args:
        change: the change, with every read settled.
        affected: local days by service point.
        bills: issued bills over those days.
        notes: what else to know, in sentences.
    """

    change: Change
    affected: tuple[Affected, ...]
    bills: tuple[Bill, ...]
    notes: tuple[str, ...]

    @property
    def days(self) -> int:
        """How many service point days are touched."""
        spans = {a.service_point_id: a for a in sorted(self.affected, key=lambda a: a.last - a.first)}
        return sum((a.last - a.first).days + 1 for a in spans.values())

    @property
    def mark(self) -> str:
        """A short mark of all that was answered; accepting asks for the same."""
        told = [repr(a) for a in self.affected] + [f"{b.bill_id} {b.version}" for b in self.bills] + list(self.notes)
        # Two values of one fact may touch the same days: whoever accepts one has not looked at the other.
        if isinstance(self.change, EnterFacts):
            told += [repr(e) for e in self.change.entries]
        return sha256("\n".join(told).encode()).hexdigest()[:MARK_LETTERS]


@dataclass(frozen=True, slots=True)
class RegistryWork:
    """Tries changes and accepts them.

    Args:
        registry: where they go.
        billing: bills that stand on the days, and rates.
    """

    registry: Registry
    billing: Billing

    async def look(self, change: Change, *, at: datetime) -> Effect:
        """Answer what a change affects, and change nothing.

        Raises:
            RegistryError: it would be refused; the text says why.
        """
        affected = _joined(await self.registry.change(change, at=at, is_trial=True))
        bills: list[Bill] = []
        spans: dict[tuple[date, date], list[UUID]] = {}
        for a in affected:
            spans.setdefault((a.first, a.last), []).append(a.service_point_id)
        for (first, last), points in spans.items():
            bills += await self.billing.issued_at(points, first, last)
        unique = {b.bill_id: b for b in bills}
        return Effect(change, tuple(affected), tuple(unique.values()), tuple(self._notes(change, at)))

    async def accept(self, change: Change, *, at: datetime, by: str, reason: str, mark: str | None = None) -> Effect:
        """Carry a change out.

        Args:
            change: what :meth:`look` was asked about.
            at: domain time.
            by: login of the person, or name of the file.
            reason: why.
            mark: of the effect that was looked at; None accepts whatever it affects.

        Raises:
            EffectChangedError: it affects something else by now.
            RateOverlapError: a later rate is entered already.
            RegistryError: it is refused.
        """
        effect = await self.look(change, at=at)
        if mark is not None and mark != effect.mark:
            raise EffectChangedError("this change affects something else than what was looked at; look again")
        if isinstance(change, EnterFacts):
            await self.put_on_rates(change.entries, at=at)
        await self.registry.change(change, at=at, by=by, reason=reason)
        return effect

    async def put_on_rates(self, entries: Sequence[FactEntry], *, at: datetime) -> None:
        """Put places on the rates that bills are made by, all or none, where billing knows them.

        Raises:
            RateOverlapError: a later rate is entered already.
        """
        rates = [e for e in entries if e.kind is FactKind.RATE and e.value in self.billing.rates]
        points = {p.id: p for p in await self.registry.service_points({e.service_point_id for e in rates})}
        rows = []
        for entry in rates:
            zone = zone_named(points[entry.service_point_id].zone)
            first, value = local_date(entry.start, zone), entry.value or ""
            code = self.billing.code_for(value, first)
            end = local_date(entry.end, zone) if entry.end is not None else None
            rows.append(Assignment(entry.service_point_id, code, first, end))
        await self.billing.book.reassign(rows, at=at)

    def _notes(self, change: Change, at: datetime) -> list[str]:
        notes = [
            f"{u.value_wh:,} Wh {u.channel.name.lower()} passed while no meter hung there: an estimate "
            f"({u.method.replace('_', ' ')}), kept apart from both meters"
            for u in _between(change)
        ]
        for what, reads in _ends(change):
            notes += [
                f"the {what} of {c.name.lower()} is an estimate, {r.value:,}: {r.estimated_because}"
                for c, r in reads.items()
                if r.estimated_because
            ]
        if isinstance(change, EnterFacts):
            if coming := sum(e.start >= at for e in change.entries):
                notes.append(f"{coming:,} of the facts hold from a later day on: bills of those days follow them")
            notes += [
                f"billing knows no rate {e.value!r}: the registry keeps it, bills stay on the rate they are on"
                for e in change.entries
                if e.kind is FactKind.RATE and e.value is not None and e.value not in self.billing.rates
            ]
        return notes


def _joined(parts: Sequence[Affected]) -> list[Affected]:
    """Return one span for each service point, and one more where bills alone may change."""
    spans: dict[tuple[UUID, bool], Affected] = {}
    for a in parts:
        key = (a.service_point_id, a.is_validated)
        known = spans.get(key, a)
        spans[key] = replace(a, first=min(a.first, known.first), last=max(a.last, known.last))
    validated = {p: a for (p, is_validated), a in spans.items() if is_validated}
    return [
        a
        for (point, is_validated), a in spans.items()
        if is_validated or point not in validated or a.first < validated[point].first or a.last > validated[point].last
    ]


def _between(change: Change) -> tuple[Unmetered, ...]:
    return change.between if isinstance(change, Exchange) else ()


def _ends(change: Change) -> list[tuple[str, EndReads]]:
    match change:
        case TakeDown():
            return [("out-read", change.out_reads)]
        case Hang():
            return [("in-read", change.in_reads), ("out-read", change.out_reads)]
        case Exchange():
            return [("out-read", change.gone.out_reads), ("in-read", change.new.in_reads)]
        case SwapPlaces():
            return [(f"read at {at.isoformat()} of meter {meter}", r) for (meter, at), r in change.reads.items()]
        case _:
            return []


@dataclass(frozen=True, slots=True)
class RegistryRoom:
    """What commands of the registry work with, open for a while, and the domain time at which it was opened."""

    now: datetime
    registry: PostgresRegistry
    data: MeterData
    desk: RegistryDesk
    work: RegistryWork
    hand_reads: PostgresHandReads


@asynccontextmanager
async def registry_room(settings: Settings) -> AsyncIterator[RegistryRoom]:
    """Hold the registry with store and billing of an installation."""
    async with AsyncExitStack() as stack:
        mdm = await stack.enter_async_context(room_database(settings, "openami_mdm"))
        own = await stack.enter_async_context(room_database(settings, "openami_billing"))
        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        registry = PostgresRegistry(mdm)
        data = MeterData(registry=registry, store=store, book=PostgresBook(mdm))
        scope = system_scope(process="registry", purpose=Purpose.OPERATIONS)
        yield RegistryRoom(
            settings.clock().now(),
            registry,
            data,
            RegistryDesk(registry, Store(store, store), scope),
            RegistryWork(
                registry,
                Billing(
                    meters=data,
                    book=PostgresBillBook(own),
                    rates=home_rates(settings.home),
                    setting=bill_setting(settings),
                ),
            ),
            PostgresHandReads(mdm),
        )


def place_ids(affected: Sequence[Affected]) -> frozenset[UUID]:
    """Return the service points of days."""
    return frozenset(a.service_point_id for a in affected)


def facts_of(change: Change) -> frozenset[UUID]:
    """Return the service points of the facts of a change: one that holds from a later day on affects no day yet."""
    return frozenset(e.service_point_id for e in change.entries) if isinstance(change, EnterFacts) else frozenset()
