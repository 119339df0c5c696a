"""The registry in PostgreSQL, schema ``mdm``. Exclusion constraints refuse overlaps, so no race can make one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.channel import Channel
from openami.kernel.time import Period, zone_named
from openami.mdm.adapters.registry_changes import carry_out, install, meters_named
from openami.mdm.adapters.registry_facts import PostgresFacts
from openami.mdm.adapters.registry_rows import Entry, Row, among, installation_of, reads_of, refusal, steps_of
from openami.mdm.adapters.registry_tables import (
    INSTALLATION,
    INSTALLATION_BEFORE,
    METER,
    METER_REGISTER,
    REGISTRY_CHANGE,
    SERVICE_POINT,
    UNMETERED_ESTIMATE,
)
from openami.mdm.ports import MeterSpan
from openami.mdm.registry.change import Change, LoggedChange, Unmetered
from openami.mdm.registry.facts import FactKind
from openami.mdm.registry.records import (
    Affected,
    Installation,
    InstalledMeter,
    Meter,
    RegisterForm,
    ServicePoint,
    ServicePointStatus,
    UnknownRecordError,
)

IN_THE_ROW = (FactKind.TRANSFORMER, FactKind.FEEDER, FactKind.CELL, FactKind.BILL_GROUP)
"""Facts whose first value stands in the service point's own row."""
_MOMENT = timedelta(microseconds=1)


class PostgresRegistry:
    """Implements :class:`~openami.mdm.registry.ports.Registry`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._facts = PostgresFacts(engine)

    @property
    def facts(self) -> PostgresFacts:
        """See the port."""
        return self._facts

    async def add_service_points(self, rows: Sequence[ServicePoint]) -> None:
        """See the port."""
        for row in rows:
            zone_named(row.zone)
        await self._add(SERVICE_POINT, [_service_point_row(r) for r in rows])

    async def add_meters(self, rows: Sequence[Meter]) -> None:
        """See the port."""
        await self._add(METER, [_meter_row(r) for r in rows])
        await self._add(METER_REGISTER, [r for m in rows for r in _register_rows(m)])

    async def install(self, rows: Sequence[Installation], *, at: datetime) -> list[Affected]:
        """See the port."""
        if not rows:
            return []
        try:
            async with self._engine.begin() as connection:
                return await install(connection, rows, Entry(at))
        except IntegrityError as error:
            raise refusal(error) from error

    async def change(
        self, change: Change, *, at: datetime, by: str = "", reason: str = "", is_trial: bool = False
    ) -> list[Affected]:
        """See the port."""
        named = meters_named(change)
        meters = {m.id: m for m in await self.meters(named)} if named else {}
        return await carry_out(self._engine, change, meters=meters, entry=Entry(at, by, reason), is_trial=is_trial)

    async def changes(self, service_point_id: UUID) -> list[LoggedChange]:
        """See the port."""
        t = REGISTRY_CHANGE
        rows = await self._rows(select(t).where(t.c.subject == service_point_id).order_by(t.c.id))
        return [LoggedChange(r["at"], r["kind"], r["subject"], r["detail"], r["made_by"], r["reason"]) for r in rows]

    async def unmetered(self, service_points: Collection[UUID] | None) -> list[tuple[UUID, Unmetered]]:
        """See the port."""
        t = UNMETERED_ESTIMATE
        query = select(t).where(t.c.superseded_at.is_(None)).order_by(t.c.service_point_id, func.lower(t.c.period))
        if service_points is not None:
            query = query.where(t.c.service_point_id == among(service_points))
        return [(r["service_point_id"], _unmetered(r)) for r in await self._rows(query)]

    async def service_point(self, service_point_id: UUID) -> ServicePoint:
        """See the port."""
        found = await self.service_points([service_point_id])
        if not found:
            raise UnknownRecordError(f"no service point {service_point_id}")
        return found[0]

    async def service_points(
        self, ids: Collection[UUID] | None = None, *, at: datetime | None = None
    ) -> list[ServicePoint]:
        """See the port."""
        query = select(SERVICE_POINT).order_by(SERVICE_POINT.c.id)
        if ids is not None:
            query = query.where(SERVICE_POINT.c.id == among(ids))
        rows = await self._rows(query)
        dated: dict[UUID, dict[str, str]] = {}
        # Facts come by start, so that the last one that has begun stays.
        for fact in await self._facts.of(ids, kinds=IN_THE_ROW):
            if at is None or fact.start <= at < (fact.end or at + _MOMENT):
                dated.setdefault(fact.service_point_id, {})[fact.kind.value] = fact.value
        return [_service_point(row, dated.get(row["id"], {})) for row in rows]

    async def members_of_cells(self, cells: Collection[str]) -> dict[str, list[UUID]]:
        """See the port."""
        return await self._members(FactKind.CELL, cells)

    async def members_of_transformers(self, transformers: Collection[str]) -> dict[str, list[UUID]]:
        """See the port."""
        return await self._members(FactKind.TRANSFORMER, transformers)

    async def _members(self, kind: FactKind, names: Collection[str]) -> dict[str, list[UUID]]:
        """Return the places that are on something of the network now."""
        if not names:
            return {}
        column = SERVICE_POINT.c[kind.value]
        rows = await self._rows(select(SERVICE_POINT.c.id).where(column == any_(literal(list(names), ARRAY(Text)))))
        told = [f.service_point_id for f in await self._facts.of(None, kinds=[kind]) if f.value in names]
        members: dict[str, list[UUID]] = {}
        # Of those that ever were there, the ones that are.
        for point in await self.service_points({*told, *(row["id"] for row in rows)}):
            name: str = getattr(point, kind.value)
            if name in names:
                members.setdefault(name, []).append(point.id)
        return members

    async def meter(self, meter_id: UUID) -> Meter:
        """See the port."""
        found = await self.meters([meter_id])
        if not found:
            raise UnknownRecordError(f"no meter {meter_id}")
        return found[0]

    async def meters(self, ids: Collection[UUID] | None = None) -> list[Meter]:
        """See the port."""
        query = select(METER).order_by(METER.c.id)
        return await self._meters(query if ids is None else query.where(METER.c.id == among(ids)))

    async def meters_titled(self, titles: Collection[bytes]) -> list[Meter]:
        """Return the meters of these system titles, by id; unknown titles are absent."""
        return await self._meters(select(METER).order_by(METER.c.id).where(METER.c.system_title.in_(list(titles))))

    async def meters_of_serials(self, serials: Collection[str]) -> list[Meter]:
        """See the port."""
        wanted = any_(literal(list(serials), ARRAY(Text)))
        return await self._meters(select(METER).order_by(METER.c.id).where(METER.c.serial == wanted))

    async def installed(
        self,
        service_points: Collection[UUID] | None,
        period: Period,
        *,
        meters: Collection[UUID] | None = None,
        as_known_at: datetime | None = None,
    ) -> list[InstalledMeter]:
        """See the port."""
        asked = partial(_asked, service_points=service_points, period=period, meters=meters)
        query = asked(INSTALLATION).order_by(INSTALLATION.c.service_point_id, func.lower(INSTALLATION.c.period))
        if as_known_at is not None:
            query = query.where(INSTALLATION.c.entered_at <= as_known_at)
        # One connection and one transaction for all of it: to borrow one costs as much as a question.
        async with self._engine.connect() as connection:
            rows = await _rows_of(connection, query)
            before = (
                await _rows_of(connection, _believed(asked(INSTALLATION_BEFORE), as_known_at)) if as_known_at else []
            )
            ids = [r["id"] for r in rows] + [r["installation_id"] for r in before]
            if not ids:
                return []
            reads = await reads_of(connection, [r["id"] for r in rows])
            steps = await steps_of(connection, ids, as_known_at=as_known_at)
            named = select(METER).where(METER.c.id == among({r["meter_id"] for r in rows + before}))
            known = {m.id: m for m in await _formed(connection, await _rows_of(connection, named))}
        found = [installation_of(r, reads.get(r["id"], ()), steps.get(r["id"], ())) for r in rows]
        for row in before:
            row["id"] = row["installation_id"]
            found.append(installation_of(row, row["reads"], steps.get(row["id"], ())))
        if before:
            found.sort(key=lambda i: (i.service_point_id.int, i.start))
        return [InstalledMeter(i, known[i.meter_id]) for i in found]

    async def spans(self, service_points: Collection[UUID] | None, period: Period) -> list[MeterSpan]:
        """See the port."""
        return [span for i in await self.installed(service_points, period) if (span := span_in(i, period)) is not None]

    async def meters_unassigned(self, known_meter_ids: Collection[UUID]) -> list[UUID]:
        """See the port."""
        query = select(INSTALLATION.c.meter_id).where(INSTALLATION.c.meter_id == among(known_meter_ids)).distinct()
        hung = {row["meter_id"] for row in await self._rows(query)}
        return sorted(set(known_meter_ids) - hung)

    async def zones(self) -> dict[str, datetime]:
        """See the port."""
        query = (
            select(SERVICE_POINT.c.zone, func.min(func.lower(INSTALLATION.c.period)).label("first"))
            .join(INSTALLATION, INSTALLATION.c.service_point_id == SERVICE_POINT.c.id)
            .join(METER, METER.c.id == INSTALLATION.c.meter_id)
            .where(METER.c.is_virtual.is_(False))
            .group_by(SERVICE_POINT.c.zone)
        )
        return {row["zone"]: row["first"] for row in await self._rows(query)}

    async def _add(self, table: Any, rows: list[Row]) -> None:
        if not rows:
            return
        try:
            async with self._engine.begin() as connection:
                keys = [c.name for c in table.primary_key]
                await connection.execute(insert(table).on_conflict_do_nothing(index_elements=keys), rows)
        except IntegrityError as error:
            raise refusal(error) from error

    async def _rows(self, query: Select[Any]) -> list[Row]:
        async with self._engine.connect() as connection:
            return await _rows_of(connection, query)

    async def _meters(self, query: Select[Any]) -> list[Meter]:
        async with self._engine.connect() as connection:
            return await _formed(connection, await _rows_of(connection, query))


async def _rows_of(connection: AsyncConnection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in (await connection.execute(query)).mappings()]


async def _formed(connection: AsyncConnection, rows: Sequence[Row]) -> list[Meter]:
    """Return meters with the registers that have a form of their own."""
    query = select(METER_REGISTER).where(METER_REGISTER.c.meter_id == among([r["id"] for r in rows]))
    forms: dict[UUID, dict[Channel, RegisterForm]] = {}
    for row in await _rows_of(connection, query):
        form = RegisterForm(row["resolution"], row["capacity"])
        forms.setdefault(row["meter_id"], {})[Channel(row["channel"])] = form
    return [_meter(row, forms.get(row["id"], {})) for row in rows]


def _asked(
    table: Table, *, service_points: Collection[UUID] | None, period: Period, meters: Collection[UUID] | None
) -> Select[Any]:
    query = select(table).where(table.c.period.overlaps(Range(period.start, period.end, bounds="[)")))
    if service_points is not None:
        query = query.where(table.c.service_point_id == among(service_points))
    if meters is not None:
        query = query.where(table.c.meter_id == among(meters))
    return query


def _believed(query: Select[Any], at: datetime) -> Select[Any]:
    t = INSTALLATION_BEFORE
    return query.where(t.c.entered_at <= at, t.c.superseded_at > at)


def span_in(installed: InstalledMeter, period: Period) -> MeterSpan | None:
    """Return the installation cut to the period, or None where they do not meet."""
    i = installed.installation
    whole = Period(i.start, i.end if i.end is not None else max(period.end, i.start + (period.end - period.start)))
    cut = whole.intersection(period)
    return MeterSpan(i.service_point_id, i.meter_id, cut) if cut is not None else None


def _unmetered(row: Row) -> Unmetered:
    period = Period(row["period"].lower, row["period"].upper)
    return Unmetered(Channel(row["channel"]), period, row["value_wh"], row["method"], row["evidence"])


def _service_point(row: Row, dated: Mapping[str, str]) -> ServicePoint:
    """Return a service point with what was entered of it later."""
    told: Row = {**row, **dated}
    return ServicePoint(**{**told, "bill_group": int(told["bill_group"]), "status": ServicePointStatus(row["status"])})


def _service_point_row(point: ServicePoint) -> Row:
    names = ("id", "zone", "made_at", "transformer", "feeder", "cell", "bill_group")
    return {**{n: getattr(point, n) for n in names}, "status": point.status.value}


def _meter_row(meter: Meter) -> Row:
    return {
        "id": meter.id,
        "serial": meter.serial,
        "made_at": meter.made_at,
        "system_title": meter.system_title,
        "profile": meter.profile,
        "interval_s": meter.interval_s,
        "channels": [int(c) for c in meter.channels],
        "capacity_wh": meter.capacity_wh,
        "resolution_wh": meter.resolution_wh,
        "max_power_w": meter.max_power_w,
        "is_virtual": meter.is_virtual,
    }


def _register_rows(meter: Meter) -> list[Row]:
    return [
        {"meter_id": meter.id, "channel": int(c), "resolution": f.resolution, "capacity": f.capacity}
        for c, f in meter.registers.items()
    ]


def _meter(row: Row, registers: Mapping[Channel, RegisterForm]) -> Meter:
    title = row["system_title"]
    channels = tuple(Channel(c) for c in row["channels"])
    own = {"channels": channels, "system_title": bytes(title) if title is not None else None, "registers": registers}
    return Meter(**{**row, **own})
