"""The registry in PostgreSQL, schema ``mdm``. Exclusion constraints refuse overlaps, so no race can make one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, any_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Uuid

from openami.contracts.channel import Channel
from openami.kernel.time import Period, local_date, require_utc, zone_named
from openami.mdm.adapters.registry_facts import PostgresFacts
from openami.mdm.adapters.registry_tables import (
    INSTALLATION,
    INSTALLATION_READ,
    METER,
    METER_REGISTER,
    MULTIPLIER_STEP,
    REGISTRY_CHANGE,
    SERVICE_POINT,
    VEE_REQUEST,
)
from openami.mdm.ports import MeterSpan
from openami.mdm.registry.multiplier import Multiplier, MultiplierStep
from openami.mdm.registry.records import (
    Affected,
    Installation,
    InstalledMeter,
    Meter,
    OverlapError,
    RegisterForm,
    RegistryError,
    ServicePoint,
    ServicePointStatus,
    UnknownRecordError,
)

Row = dict[str, Any]


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
                return await _install(connection, rows, at)
        except IntegrityError as error:
            raise _refusal(error) from error

    async def remove(
        self, meter_id: UUID, *, removed_at: datetime, out_reads: Mapping[Channel, int], at: datetime
    ) -> list[Affected]:
        """See the port."""
        async with self._engine.begin() as connection:
            held = await _holding(connection, INSTALLATION.c.meter_id == meter_id, removed_at)
            if held is None:
                raise UnknownRecordError(f"meter {meter_id} is installed nowhere at {removed_at.isoformat()}")
            return await _end(connection, held, removed_at=removed_at, out_reads=out_reads, at=at)

    async def exchange(
        self, new: Installation, *, removed_at: datetime, out_reads: Mapping[Channel, int], at: datetime
    ) -> list[Affected]:
        """See the port."""
        try:
            async with self._engine.begin() as connection:
                place = new.service_point_id
                held = await _holding(connection, INSTALLATION.c.service_point_id == place, removed_at)
                if held is None:
                    raise UnknownRecordError(f"nothing hangs at service point {place} at {removed_at.isoformat()}")
                ended = await _end(connection, held, removed_at=removed_at, out_reads=out_reads, at=at)
                return ended + await _install(connection, [new], at)
        except IntegrityError as error:
            raise _refusal(error) from error

    async def service_point(self, service_point_id: UUID) -> ServicePoint:
        """See the port."""
        found = await self.service_points([service_point_id])
        if not found:
            raise UnknownRecordError(f"no service point {service_point_id}")
        return found[0]

    async def service_points(self, ids: Collection[UUID] | None = None) -> list[ServicePoint]:
        """See the port."""
        query = select(SERVICE_POINT).order_by(SERVICE_POINT.c.id)
        if ids is not None:
            query = query.where(SERVICE_POINT.c.id == _among(ids))
        return [ServicePoint(**{**row, "status": ServicePointStatus(row["status"])}) for row in await self._rows(query)]

    async def meter(self, meter_id: UUID) -> Meter:
        """See the port."""
        found = await self.meters([meter_id])
        if not found:
            raise UnknownRecordError(f"no meter {meter_id}")
        return found[0]

    async def meters(self, ids: Collection[UUID] | None = None) -> list[Meter]:
        """See the port."""
        query = select(METER).order_by(METER.c.id)
        if ids is not None:
            query = query.where(METER.c.id == _among(ids))
        return await self._formed(await self._rows(query))

    async def meters_titled(self, titles: Collection[bytes]) -> list[Meter]:
        """Return the meters of these system titles, by id; unknown titles are absent."""
        query = select(METER).order_by(METER.c.id).where(METER.c.system_title.in_(list(titles)))
        return await self._formed(await self._rows(query))

    async def meters_of_serials(self, serials: Collection[str]) -> list[Meter]:
        """See the port."""
        wanted = any_(literal(list(serials), ARRAY(Text)))
        return await self._formed(await self._rows(select(METER).order_by(METER.c.id).where(METER.c.serial == wanted)))

    async def installed(
        self,
        service_points: Collection[UUID] | None,
        period: Period,
        *,
        meters: Collection[UUID] | None = None,
    ) -> list[InstalledMeter]:
        """See the port."""
        span = Range(period.start, period.end, bounds="[)")
        query = select(INSTALLATION).where(INSTALLATION.c.period.overlaps(span))
        query = query.order_by(INSTALLATION.c.service_point_id, func.lower(INSTALLATION.c.period))
        if service_points is not None:
            query = query.where(INSTALLATION.c.service_point_id == _among(service_points))
        if meters is not None:
            query = query.where(INSTALLATION.c.meter_id == _among(meters))
        rows = await self._rows(query)
        ids = [r["id"] for r in rows]
        reads, steps = await self._reads(ids), await self._steps(ids)
        known = {m.id: m for m in await self.meters({r["meter_id"] for r in rows})}
        return [
            InstalledMeter(installation_of(r, reads.get(r["id"], ()), steps.get(r["id"], ())), known[r["meter_id"]])
            for r in rows
        ]

    async def spans(self, service_points: Collection[UUID] | None, period: Period) -> list[MeterSpan]:
        """See the port."""
        return [span for i in await self.installed(service_points, period) if (span := span_in(i, period)) is not None]

    async def meters_unassigned(self, known_meter_ids: Collection[UUID]) -> list[UUID]:
        """See the port."""
        query = select(INSTALLATION.c.meter_id).where(INSTALLATION.c.meter_id == _among(known_meter_ids)).distinct()
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
            raise _refusal(error) from error

    async def _rows(self, query: Select[Any]) -> list[Row]:
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _formed(self, rows: Sequence[Row]) -> list[Meter]:
        """Return meters with the registers that have a form of their own."""
        query = select(METER_REGISTER).where(METER_REGISTER.c.meter_id == _among([r["id"] for r in rows]))
        forms: dict[UUID, dict[Channel, RegisterForm]] = {}
        for row in await self._rows(query):
            form = RegisterForm(row["resolution"], row["capacity"])
            forms.setdefault(row["meter_id"], {})[Channel(row["channel"])] = form
        return [_meter(row, forms.get(row["id"], {})) for row in rows]

    async def _reads(self, installations: Collection[UUID]) -> dict[UUID, list[Row]]:
        query = select(INSTALLATION_READ).where(INSTALLATION_READ.c.installation_id == _among(installations))
        found: dict[UUID, list[Row]] = {}
        for row in await self._rows(query):
            found.setdefault(row["installation_id"], []).append(row)
        return found

    async def _steps(self, installations: Collection[UUID]) -> dict[UUID, list[Row]]:
        query = (
            select(MULTIPLIER_STEP)
            .where(
                MULTIPLIER_STEP.c.installation_id == _among(installations), MULTIPLIER_STEP.c.superseded_at.is_(None)
            )
            .order_by(MULTIPLIER_STEP.c.start_at)
        )
        found: dict[UUID, list[Row]] = {}
        for row in await self._rows(query):
            found.setdefault(row["installation_id"], []).append(row)
        return found


def span_in(installed: InstalledMeter, period: Period) -> MeterSpan | None:
    """Return the installation cut to the period, or None where they do not meet."""
    i = installed.installation
    whole = Period(i.start, i.end if i.end is not None else max(period.end, i.start + (period.end - period.start)))
    cut = whole.intersection(period)
    return MeterSpan(i.service_point_id, i.meter_id, cut) if cut is not None else None


async def _install(connection: AsyncConnection, rows: Sequence[Installation], at: datetime) -> list[Affected]:
    await connection.execute(insert(INSTALLATION), [_installation_row(r, at) for r in rows])
    reads = [
        {
            "installation_id": r.id,
            "channel": int(channel),
            "kind": kind,
            "value": value,
            "is_estimated": channel in estimated,
        }
        for r in rows
        for kind, of_kind, estimated in (
            ("in", r.in_reads, r.estimated_in),
            ("out", r.out_reads, r.estimated_out),
        )
        for channel, value in of_kind.items()
    ]
    if reads:
        await connection.execute(insert(INSTALLATION_READ), reads)
    await connection.execute(
        insert(REGISTRY_CHANGE),
        [
            {"at": at, "kind": "install", "subject": r.service_point_id, "detail": {"installation": str(r.id)}}
            for r in rows
        ],
    )
    ends = [(r.service_point_id, r.start, min(r.end or at, at)) for r in rows]
    return await _ask(connection, ends, reason="installation", at=at)


async def _end(
    connection: AsyncConnection, held: Row, *, removed_at: datetime, out_reads: Mapping[Channel, int], at: datetime
) -> list[Affected]:
    period = Range(held["period"].lower, require_utc(removed_at), bounds="[)")
    await connection.execute(update(INSTALLATION).where(INSTALLATION.c.id == held["id"]).values(period=period))
    reads = [
        {"installation_id": held["id"], "channel": int(c), "kind": "out", "value": v} for c, v in out_reads.items()
    ]
    if reads:
        await connection.execute(insert(INSTALLATION_READ), reads)
    detail = {"installation": str(held["id"]), "removed_at": removed_at.isoformat()}
    change = {"at": at, "kind": "remove", "subject": held["service_point_id"], "detail": detail}
    await connection.execute(insert(REGISTRY_CHANGE), [change])
    ends = [(held["service_point_id"], removed_at, max(at, removed_at))]
    return await _ask(connection, ends, reason="removal", at=at)


async def _holding(connection: AsyncConnection, condition: Any, instant: datetime) -> Row | None:
    """Return the installation open at the instant, or ending right there (an out-read taken at its last instant)."""
    query = (
        select(INSTALLATION)
        .where(condition, func.lower(INSTALLATION.c.period) < instant)
        .where(or_(INSTALLATION.c.period.contains(literal(instant)), func.upper(INSTALLATION.c.period) == instant))
    )
    row = (await connection.execute(query)).mappings().first()
    return dict(row) if row is not None else None


async def _ask(
    connection: AsyncConnection, ends: list[tuple[UUID, datetime, datetime]], *, reason: str, at: datetime
) -> list[Affected]:
    """Put the local days from start to end of each service point on validation's queue."""
    wanted = select(SERVICE_POINT.c.id, SERVICE_POINT.c.zone).where(SERVICE_POINT.c.id == _among({e[0] for e in ends}))
    zones = {row.id: zone_named(row.zone) for row in await connection.execute(wanted)}
    affected = [
        Affected(point, local_date(start, zones[point]), local_date(max(start, end), zones[point]))
        for point, start, end in ends
    ]
    await connection.execute(
        insert(VEE_REQUEST),
        [
            {
                "service_point_id": a.service_point_id,
                "first_day": a.first,
                "last_day": a.last,
                "reason": reason,
                "made_at": at,
            }
            for a in affected
        ],
    )
    return affected


def _among(ids: Collection[UUID]) -> Any:
    return any_(literal(list(ids), ARRAY(Uuid)))


def _refusal(error: IntegrityError) -> RegistryError:
    diagnostic = getattr(error.orig, "diag", None)
    constraint = getattr(diagnostic, "constraint_name", "") or ""
    if constraint == "one_meter_at_a_point":
        return OverlapError("two meters would hang at one service point at one time: end the first one, or mend dates")
    if constraint == "one_point_for_a_meter":
        return OverlapError("a meter would hang at two service points at one time: remove it from the first")
    if "service_point_id_fkey" in constraint:
        return UnknownRecordError("an installation names a service point that is not registered")
    if "meter_id_fkey" in constraint:
        return UnknownRecordError("an installation names a meter that is not registered")
    return RegistryError(f"the registry refuses the rows: {constraint or type(error.orig).__name__}")


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


def _installation_row(row: Installation, at: datetime) -> Row:
    return {
        "id": row.id,
        "service_point_id": row.service_point_id,
        "meter_id": row.meter_id,
        "period": Range(row.start, row.end, bounds="[)"),
        "multiplier": row.multiplier,
        "entered_at": at,
    }


def installation_of(row: Row, reads: Sequence[Row], steps: Sequence[Row]) -> Installation:
    """Return an installation of its row, the reads at its ends and its later multipliers."""
    of_kind = {k: {Channel(r["channel"]): r["value"] for r in reads if r["kind"] == k} for k in ("in", "out")}
    estimated = {
        k: frozenset(Channel(r["channel"]) for r in reads if r["kind"] == k and r["is_estimated"])
        for k in ("in", "out")
    }
    return Installation(
        id=row["id"],
        service_point_id=row["service_point_id"],
        meter_id=row["meter_id"],
        start=row["period"].lower,
        end=row["period"].upper,
        multiplier=row["multiplier"],
        in_reads=of_kind["in"],
        out_reads=of_kind["out"],
        estimated_in=estimated["in"],
        estimated_out=estimated["out"],
        steps=tuple(
            MultiplierStep(
                s["start_at"],
                Multiplier(s["ct"], s["pt"], s["constant"]),
                {Channel(int(c)): int(v) for c, v in s["reads"].items()},
            )
            for s in steps
        ),
    )
