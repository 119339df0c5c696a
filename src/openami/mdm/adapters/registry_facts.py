"""Dated facts and calendars in PostgreSQL, schema ``mdm``. An exclusion constraint refuses two facts at one time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, column, delete, exists, func, literal, or_, select, update, values
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import BigInteger, Text, Uuid

from openami.kernel.time import Period, local_date, zone_named
from openami.mdm.adapters.registry_tables import (
    CALENDAR_DAY,
    PLACE_FACT,
    PLACE_NEWS,
    REGISTRY_CHANGE,
    SERVICE_POINT,
    VEE_REQUEST,
)
from openami.mdm.registry.calendar import DEFAULT_CALENDAR, SHIPPED, shipped_holidays
from openami.mdm.registry.errors import RegistryError, UnknownRecordError
from openami.mdm.registry.facts import REBILLING, REVALIDATING, Fact, FactEntry, FactKind, PlaceNews
from openami.mdm.registry.records import Affected
from openami.mdm.registry.timeline import Cut, cut_in

_KINDS = values(column("kind", Text), name="kinds").data([(k.value,) for k in FactKind])
_KIND = _KINDS.c.kind


class PostgresFacts:
    """Implements :class:`~openami.mdm.registry.ports.FactBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(
        self,
        service_points: Collection[UUID] | None,
        period: Period | None = None,
        *,
        kinds: Collection[FactKind] | None = None,
        as_known_at: datetime | None = None,
    ) -> list[Fact]:
        """See the port."""
        query = select(PLACE_FACT).order_by(
            PLACE_FACT.c.service_point_id, PLACE_FACT.c.kind, func.lower(PLACE_FACT.c.period)
        )
        if service_points is not None:
            query = query.where(PLACE_FACT.c.service_point_id == any_(literal(list(service_points), ARRAY(Uuid))))
        if period is not None:
            query = query.where(PLACE_FACT.c.period.overlaps(Range(period.start, period.end, bounds="[)")))
        if kinds is not None:
            query = query.where(PLACE_FACT.c.kind == any_(literal([k.value for k in kinds], ARRAY(Text))))
        if as_known_at is None:
            query = query.where(PLACE_FACT.c.superseded_at.is_(None))
        else:
            later = or_(PLACE_FACT.c.superseded_at.is_(None), PLACE_FACT.c.superseded_at > as_known_at)
            query = query.where(PLACE_FACT.c.entered_at <= as_known_at, later)
        async with self._engine.connect() as connection:
            return [_fact(dict(r)) for r in (await connection.execute(query)).mappings()]

    async def enter(
        self, entries: Sequence[FactEntry], *, at: datetime, by: str = "", reason: str = ""
    ) -> list[Affected]:
        """See the port."""
        if not entries:
            return []
        try:
            async with self._engine.begin() as connection:
                return await enter_facts(connection, entries, at=at, by=by, reason=reason)
        except IntegrityError as error:
            raise fact_refusal(error) from error

    async def news(self, *, limit: int | None) -> list[PlaceNews]:
        """See the port. A trigger of the facts' table writes them."""
        query = select(PLACE_NEWS.c.number, PLACE_NEWS.c.service_point_id).order_by(PLACE_NEWS.c.number).limit(limit)
        async with self._engine.connect() as connection:
            return [PlaceNews(*row) for row in (await connection.execute(query)).all()]

    async def end_news(self, numbers: Collection[int]) -> None:
        """See the port."""
        wanted = PLACE_NEWS.c.number == any_(literal(list(numbers), ARRAY(BigInteger)))
        async with self._engine.begin() as connection:
            await connection.execute(delete(PLACE_NEWS).where(wanted))

    async def kinds(self) -> frozenset[FactKind]:
        """See the port. Each kind is one step into an index, however many facts there are."""
        believed = exists().where(PLACE_FACT.c.kind == _KIND, PLACE_FACT.c.superseded_at.is_(None))
        query = select(_KIND).where(believed)
        async with self._engine.connect() as connection:
            return frozenset(FactKind(k) for k in (await connection.execute(query)).scalars())

    async def touched_since(self, kinds: Collection[FactKind], since: datetime) -> frozenset[UUID]:
        """See the port."""
        query = select(PLACE_FACT.c.service_point_id).distinct().where(
            PLACE_FACT.c.kind == any_(literal([k.value for k in kinds], ARRAY(Text))),
            or_(PLACE_FACT.c.entered_at >= since, PLACE_FACT.c.superseded_at >= since),
        )  # fmt: skip
        async with self._engine.connect() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def entered_by(self, by: str, kinds: Collection[FactKind], *, since: datetime) -> frozenset[UUID]:
        """Return the places of which somebody entered facts of these kinds since an instant (domain time)."""
        t = REGISTRY_CHANGE
        query = select(t.c.subject).where(t.c.made_by == by, t.c.at >= since, t.c.kind.in_([k.value for k in kinds]))
        async with self._engine.connect() as connection:
            return frozenset((await connection.execute(query.distinct())).scalars())

    async def is_entered(self, by: str, reason: str) -> bool:
        """Tell whether anything was entered by somebody for exactly this reason."""
        t = REGISTRY_CHANGE
        query = select(exists().where(t.c.made_by == by, t.c.reason == reason))
        async with self._engine.connect() as connection:
            return bool((await connection.execute(query)).scalar())

    async def holidays(self, first: date, last: date) -> dict[str, frozenset[date]]:
        """See the port."""
        query = select(CALENDAR_DAY.c.calendar, CALENDAR_DAY.c.local_day)
        own: dict[str, set[date]] = {}
        async with self._engine.connect() as connection:
            names = (await connection.execute(select(CALENDAR_DAY.c.calendar).distinct())).scalars().all()
            for row in await connection.execute(query.where(CALENDAR_DAY.c.local_day.between(first, last))):
                own.setdefault(row.calendar, set()).add(row.local_day)
        shipped = {n: shipped_holidays(n, first, last) for n in (*SHIPPED, DEFAULT_CALENDAR)}
        return shipped | {n: frozenset(own.get(n, ())) for n in names}

    async def set_calendar(self, name: str, days: Mapping[date, str], *, at: datetime, by: str = "") -> None:
        """See the port."""
        detail = {"calendar": name, "days": len(days), "name": name}
        async with self._engine.begin() as connection:
            await connection.execute(delete(CALENDAR_DAY).where(CALENDAR_DAY.c.calendar == name))
            rows = [{"calendar": name, "local_day": d, "name": n} for d, n in sorted(days.items())]
            if rows:
                await connection.execute(insert(CALENDAR_DAY), rows)
            change = {"at": at, "kind": "calendar", "subject": UUID(int=0), "detail": detail, "made_by": by}
            await connection.execute(insert(REGISTRY_CHANGE), [change])


async def enter_facts(
    connection: AsyncConnection, entries: Sequence[FactEntry], *, at: datetime, by: str, reason: str
) -> list[Affected]:
    """Enter facts in the caller's transaction; see :meth:`~openami.mdm.registry.ports.FactBook.enter`."""
    timelines, row_of = await _timelines(connection, entries)
    closed: list[Fact] = []
    opened: dict[Fact, None] = {}
    told: list[tuple[FactEntry, Cut]] = []
    for entry in entries:
        key = (entry.service_point_id, entry.kind)
        cut = cut_in(timelines.get(key, []), entry, at=at, by=by, reason=reason)
        if cut.is_empty:
            continue
        timelines[key] = sorted(
            [f for f in timelines.get(key, []) if f not in cut.closed] + list(cut.opened), key=lambda f: f.start
        )
        # What this very call opened and closes again was never believed: it leaves no row.
        closed += [f for f in cut.closed if f in row_of]
        for gone in cut.closed:
            opened.pop(gone, None)
        opened |= dict.fromkeys(cut.opened)
        told.append((entry, cut))
    await _write(connection, [row_of[f] for f in closed], list(opened), at=at)
    await _note(connection, told, at=at, by=by, reason=reason)
    return await _ask_again(connection, [e for e, _ in told if e.kind in REVALIDATING | REBILLING], at=at)


def fact_refusal(error: IntegrityError) -> RegistryError:
    """Return the refusal of a fact in words."""
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", "") or ""
    if constraint == "one_fact_at_a_time":
        return RegistryError("someone else entered a fact for the same time just now: look again, then repeat")
    if "service_point_id_fkey" in constraint:
        return UnknownRecordError("a fact names a service point that is not registered")
    return RegistryError(f"the registry refuses the facts: {constraint or type(error.orig).__name__}")


async def _timelines(
    connection: AsyncConnection, entries: Sequence[FactEntry]
) -> tuple[dict[tuple[UUID, FactKind], list[Fact]], dict[Fact, int]]:
    points, kinds = list({e.service_point_id for e in entries}), list({e.kind.value for e in entries})
    query = (
        select(PLACE_FACT)
        .where(
            PLACE_FACT.c.superseded_at.is_(None),
            PLACE_FACT.c.service_point_id == any_(literal(points, ARRAY(Uuid))),
            PLACE_FACT.c.kind == any_(literal(kinds, ARRAY(Text))),
        )
        .with_for_update()
    )
    timelines: dict[tuple[UUID, FactKind], list[Fact]] = {}
    row_of: dict[Fact, int] = {}
    for row in (await connection.execute(query)).mappings():
        fact = _fact(dict(row))
        timelines.setdefault((fact.service_point_id, fact.kind), []).append(fact)
        row_of[fact] = row["id"]
    return timelines, row_of


async def _write(connection: AsyncConnection, closed: Sequence[int], opened: Sequence[Fact], *, at: datetime) -> None:
    if closed:
        ids = literal(list(closed), ARRAY(BigInteger))
        await connection.execute(update(PLACE_FACT).where(PLACE_FACT.c.id == any_(ids)).values(superseded_at=at))
    if opened:
        await connection.execute(insert(PLACE_FACT), [_row(f) for f in opened])


async def _note(
    connection: AsyncConnection, told: Sequence[tuple[FactEntry, Cut]], *, at: datetime, by: str, reason: str
) -> None:
    """Keep in the log of changes what was believed and what is now."""
    rows = [
        {
            "at": at,
            "kind": entry.kind.value,
            "subject": entry.service_point_id,
            "detail": {
                "value": entry.value,
                "start": entry.start.isoformat(),
                "end": entry.end.isoformat() if entry.end else None,
                "before": [
                    {"value": f.value, "start": f.start.isoformat(), "end": f.end.isoformat() if f.end else None}
                    for f in cut.closed
                ],
            },
            "made_by": by,
            "reason": reason,
        }
        for entry, cut in told
    ]
    if rows:
        await connection.execute(insert(REGISTRY_CHANGE), rows)


async def _ask_again(connection: AsyncConnection, entries: Sequence[FactEntry], *, at: datetime) -> list[Affected]:
    """Return the days that have passed; those of kinds that validation looks at go on its queue."""
    wanted = select(SERVICE_POINT.c.id, SERVICE_POINT.c.zone).where(
        SERVICE_POINT.c.id == any_(literal(list({e.service_point_id for e in entries}), ARRAY(Uuid)))
    )
    zones = {row.id: zone_named(row.zone) for row in await connection.execute(wanted)}
    affected = [
        Affected(
            e.service_point_id,
            local_date(e.start, zone),
            local_date(min(e.end or at, at), zone),
            e.kind in REVALIDATING,
        )
        for e in entries
        if e.start < at and (zone := zones.get(e.service_point_id)) is not None
    ]
    rows = [
        {
            "service_point_id": a.service_point_id,
            "first_day": a.first,
            "last_day": a.last,
            "reason": "master data",
            "made_at": at,
        }
        for a in affected
        if a.is_validated
    ]
    if rows:
        await connection.execute(insert(VEE_REQUEST), rows)
    return affected


def _row(fact: Fact) -> dict[str, Any]:
    return {
        "service_point_id": fact.service_point_id,
        "kind": fact.kind.value,
        "value": fact.value,
        "period": Range(fact.start, fact.end, bounds="[)"),
        "entered_at": fact.entered_at,
        "entered_by": fact.entered_by,
        "reason": fact.reason,
    }


def _fact(row: dict[str, Any]) -> Fact:
    return Fact(
        row["service_point_id"], FactKind(row["kind"]), row["value"], row["period"].lower, row["period"].upper,
        row["entered_at"], row["superseded_at"], row["entered_by"], row["reason"],
    )  # fmt: skip
