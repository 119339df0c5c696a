"""Usage for people of the utility, and group totals for people outside: decided, written down, computed, kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.contracts.channel import CHANNELS, Channel
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import EPOCH, Period, local_midnight, zone_named
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.adapters.usage_postgres import PostgresReleases, PostgresVirtualChannels
from openami.mdm.api import IntervalSeries, MeterData
from openami.mdm.registry.facts import Fact, FactKind
from openami.mdm.release.guard import Part, ReleaseRefusedError, require_admitted, require_releasable
from openami.mdm.release.preset import Preset
from openami.mdm.release.record import ReleaseRecord
from openami.mdm.usage.aggregate import Grain
from openami.mdm.usage.groups import GroupUsage, Member, Span, group_usage
from openami.mdm.usage.membership import Grouping, customers_of, members_of
from openami.mdm.usage.virtual import VirtualChannel, VirtualChannelError, computed
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose, Scope, system_scope

SMALL_GROUP = 15
"""Fewer places than this, and a total says much of each: the look is written down for every one of them."""
TRIES = 5


class UsageRefusedError(OpenAmiError):
    """What was asked cannot be answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage, of what, when and how it is cut.

    Args:
        channel, first, last: of local days, both included.
        grain: how totals are cut.
        grouping, names: groups; None for places.
        places: single places, each a group of its own.
        periods: for :attr:`Grain.PERIOD`: pairs of first days and the days after the last.
        as_known_at: what was known then; None for now.
    """

    channel: Channel
    first: date
    last: date
    grain: Grain = Grain.DAY
    grouping: Grouping | None = None
    names: tuple[str, ...] = ()
    places: tuple[UUID, ...] = ()
    periods: tuple[tuple[date, date], ...] = ()
    as_known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsageDesk:
    """Answers for one installation.

    Args:
        settings: of the home.
    """

    settings: Settings

    async def totals(self, person: Actor, question: Question) -> list[GroupUsage]:
        """Return the usage of places or groups, by (group, start).

        Raises:
            UsageRefusedError: no such group or place.
            AccessDeniedError: the person may not see it.
            StoreError: the store refused or did not answer.
        """
        async with self._data() as (data, _):
            period = self._period(question.first, question.last)
            members = await self._members(data, question, period)
            places = frozenset(m.service_point_id for m in members)
            async with acting(self.settings, person, _look(question, places)):
                span = self._span(question)
                return await group_usage(data, _scope("usage"), members, span)

    async def release(
        self, person: Actor, question: Question, preset: Preset, *, recipient: str, reason: str
    ) -> ReleaseRecord:
        """Release a group's totals to somebody outside, or return what was released when it was asked for before.

        Raises:
            ReleaseRefusedError: the group is too small, dominated, or too like one that was released.
            UsageRefusedError: no such group, or a grain that is not released.
        """
        if question.grouping is None or question.grain not in {Grain.HOUR, Grain.DAY, Grain.PERIOD}:
            raise UsageRefusedError("a group's totals are released by hour, by day, or as one total")
        group = f"{question.grouping} {', '.join(sorted(question.names))}"
        note = f"{group}, {question.first} to {question.last}, {preset.name}, to {recipient}: {reason}"
        act = Act(Kind.GROUP_USAGE, "usage.release", note, Action.EXPORT)
        async with acting(self.settings, person, act) as principal, self._data() as (data, engine):
            book = PostgresReleases(engine)
            for _ in range(TRIES):
                draft = await self._drafted(data, book, question, preset)
                record = replace(
                    draft.record, group=group, recipient=recipient, reason=reason, made_by=principal.user_id
                )
                try:
                    return await book.judged(draft.record.period, _judge(draft, record, preset))
                except _MovedError:
                    continue
        raise UsageRefusedError("other releases went out meanwhile: try again")

    async def releases(self, person: Actor, *, limit: int) -> list[ReleaseRecord]:
        """Return what was released, the newest first."""
        act = Act(Kind.GROUP_USAGE, "usage.releases", action=Action.READ)
        async with acting(self.settings, person, act), self._data() as (_, engine):
            return await PostgresReleases(engine).releases(limit=limit)

    async def define(self, person: Actor, name: str, definition: VirtualChannel | None, *, reason: str) -> None:
        """Keep a virtual channel by name, or end it.

        Raises:
            UsageRefusedError: a place of it is not known.
        """
        act = Act(Kind.VIRTUAL_CHANNEL, "usage.virtual", f"{name}: {reason}")
        async with acting(self.settings, person, act) as principal, self._data() as (data, engine):
            wanted = {t.service_point_id for t in definition.terms} if definition else set()
            known = {p.id for p in await data.registry.service_points(wanted)} if wanted else set()
            if wanted - known:
                raise UsageRefusedError(f"no service point {min(wanted - known)}")
            now = self.settings.clock().now()
            await PostgresVirtualChannels(engine).define(
                name, definition, by=principal.user_id, reason=reason, at=now, real=real_now()
            )

    async def virtual_channels(self) -> dict[str, VirtualChannel]:
        """Return the virtual channels in force; they hold no reading."""
        async with self._data() as (_, engine):
            return await PostgresVirtualChannels(engine).defined()

    async def virtual_series(self, person: Actor, name: str, first: date, last: date) -> IntervalSeries:
        """Return a virtual channel's intervals.

        Raises:
            VirtualChannelError: no such name, or its parts cannot be put together.
        """
        definition = (await self.virtual_channels()).get(name)
        if definition is None:
            raise VirtualChannelError(f"there is no virtual channel {name!r}: `openami usage virtual list` shows them")
        places = frozenset(t.service_point_id for t in definition.terms)
        period = self._period(first, last)
        act = Act(Kind.INTERVALS, f"usage.virtual {name}", action=Action.READ, service_points=places)
        async with acting(self.settings, person, act), self._data() as (data, _):
            scope = _scope("usage")
            parts = [await data.intervals(scope, t.service_point_id, t.channel, period) for t in definition.terms]
            return computed(definition, parts, as_channel=definition.terms[0].channel)

    async def _drafted(self, data: MeterData, book: PostgresReleases, question: Question, preset: Preset) -> _Draft:
        """Compute a release without keeping it."""
        period = self._period(question.first, question.last)
        members = await self._members(data, question, period)
        facts = await data.registry.facts.of({m.service_point_id for m in members}, period, kinds=[FactKind.ACCOUNT])
        by_customer = customers_of(members, facts)
        near = await book.overlapping(period)
        scope, now = _scope("release"), self.settings.clock().now()
        whole = replace(question, grain=Grain.PERIOD, periods=((question.first, question.last + timedelta(days=1)),))
        own = [
            replace(m, group=f"{customer} {m.service_point_id}") for customer, held in by_customer.items() for m in held
        ]
        used: dict[tuple[UUID, UUID], int] = defaultdict(int)
        joined = [replace(m, group="group") for m in members]
        rows: list[GroupUsage] = []
        for known_at, days in groupby(_days(question), lambda day: _known_at(day, near, now)):
            run = list(days)
            part = replace(whole, first=run[0], last=run[-1], as_known_at=known_at)
            for found in await group_usage(data, scope, own, self._span(part)):
                customer, _, place = found.group.partition(" ")
                used[UUID(customer), UUID(place)] += found.size
            cut = part if question.grain is Grain.PERIOD else replace(part, grain=question.grain, periods=())
            rows += await group_usage(data, scope, joined, self._span(cut))
        usage, parts = _in_it(by_customer, used)
        result = _result(rows, question.channel, usage)
        record = ReleaseRecord(
            uuid4(), "", preset.name, preset.floor, question.channel, question.grain, question.first, question.last,
            period, frozenset(usage), "", "", UUID(int=0), now, real_now(), result, parts,
        )  # fmt: skip
        return _Draft(record, usage, frozenset(r.id for r in near))

    async def _members(self, data: MeterData, question: Question, period: Period) -> list[Member]:
        if question.grouping is None:
            known = {p.id for p in await data.registry.service_points(set(question.places))}
            missing = sorted(set(question.places) - known)
            if missing or not known:
                raise UsageRefusedError(f"no service point {missing[0] if missing else 'was named'}")
            return [Member(p, str(p), period) for p in question.places]
        # Before any fact began the record itself speaks; what holds since when is told by the facts.
        points = await data.registry.service_points(at=EPOCH)
        facts: Sequence[Fact] = await data.registry.facts.of(None, period, kinds=[question.grouping.fact])
        members = members_of(question.grouping, question.names or None, points, facts, period)
        missing_names = sorted(set(question.names) - {m.group for m in members})
        if missing_names or not members:
            raise UsageRefusedError(
                f"no place belongs to {question.grouping} {missing_names[0] if missing_names else ''}"
            )
        return members

    def _period(self, first: date, last: date) -> Period:
        if last < first:
            raise UsageRefusedError("the last day is before the first")
        zone = zone_named(self.settings.zone)
        return Period(local_midnight(first, zone), local_midnight(last + timedelta(days=1), zone))

    def _span(self, question: Question) -> Span:
        periods = tuple(self._period(a, b - timedelta(days=1)) for a, b in question.periods)
        return Span(question.channel, question.first, question.last, question.grain, periods, question.as_known_at)

    @asynccontextmanager
    async def _data(self) -> AsyncIterator[tuple[MeterData, Any]]:
        store = SocketStore(self.settings.home.store_socket)
        try:
            async with room_database(self.settings, "openami_mdm") as engine:
                yield MeterData(registry=PostgresRegistry(engine), store=store, book=PostgresBook(engine)), engine
        finally:
            await store.close()


class _MovedError(Exception):
    """Another release went out between the computing of a draft and its judgement."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A release before it is judged: its figures, each customer's use, and the releases that it was made beside."""

    record: ReleaseRecord
    usage: dict[UUID, int]
    beside: frozenset[UUID]


def _judge(draft: _Draft, record: ReleaseRecord, preset: Preset) -> Callable[[Sequence[ReleaseRecord]], ReleaseRecord]:
    def judge(near: Sequence[ReleaseRecord]) -> ReleaseRecord:
        if frozenset(r.id for r in near) != draft.beside:
            raise _MovedError
        require_admitted(draft.usage, preset, record.parts)
        for earlier in near:
            if earlier.answers(record):
                # The same figures go to whoever asks; who has got them is on record.
                same = replace(record, result=earlier.result, known_at=earlier.known_at)
                return earlier if earlier.recipient == record.recipient else same
        require_releasable(draft.usage, record.period, preset, [r.as_released() for r in near], record.parts)
        return record

    return judge


def _in_it(
    by_customer: Mapping[UUID, Sequence[Member]], used: Mapping[tuple[UUID, UUID], int]
) -> tuple[dict[UUID, int], frozenset[Part]]:
    """Return each customer's use, and the places that make it up.

    A place that used nothing (it has no such channel, or stood empty) adds nothing to a total and hides nobody in it.
    """
    usage: dict[UUID, int] = defaultdict(int)
    parts = set()
    for customer, held in by_customer.items():
        for member in held:
            if used.get((customer, member.service_point_id), 0):
                parts.add(Part(member.service_point_id, customer, member.period))
    for (customer, _), size in used.items():
        if size:
            usage[customer] += size
    return dict(usage), frozenset(parts)


def _known_at(day: date, near: Sequence[ReleaseRecord], now: datetime) -> datetime:
    """Return the instant whose knowledge a day is told by: that of its first release, or a correction would show."""
    return min((r.known_at for r in near if r.first <= day <= r.last), default=now)


def _days(question: Question) -> list[date]:
    return [question.first + timedelta(days=n) for n in range((question.last - question.first).days + 1)]


def _result(rows: Sequence[GroupUsage], channel: Channel, usage: dict[UUID, int]) -> dict[str, Any]:
    """Return what leaves: totals and shares, and no number of intervals, which would tell how many meters were out."""
    merged: dict[tuple[datetime, datetime], GroupUsage] = {}
    for row in rows:
        key = (row.start, row.end)
        merged[key] = merged[key].plus(row) if key in merged else row
    return {
        "unit": f"10^{CHANNELS[channel].power_of_ten} {CHANNELS[channel].unit.name}",
        "customers": len(usage),
        "rows": [
            {
                "start": row.start.isoformat(),
                "end": row.end.isoformat(),
                "total": row.total,
                "estimated_share": round(row.estimated_share, 2),
                "missing_share": round(row.missing_share, 2),
            }
            for _, row in sorted(merged.items())
        ],
    }


def _look(question: Question, places: frozenset[UUID]) -> Act:
    what = f"{question.channel.name.lower()} by {question.grain}, {question.first} to {question.last}"
    if question.grouping is None or len(places) < SMALL_GROUP:
        return Act(Kind.INTERVALS, "usage.totals", what, Action.READ, Purpose.OPERATIONS, places)
    return Act(
        Kind.GROUP_USAGE, "usage.totals", f"{question.grouping} {', '.join(question.names)}: {what}", Action.READ
    )


def _scope(process: str) -> Scope:
    return system_scope(process=process, purpose=Purpose.OPERATIONS)


__all__ = ["Question", "ReleaseRefusedError", "UsageDesk", "UsageRefusedError"]
