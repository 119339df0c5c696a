"""Changes of who hangs where, each in one transaction. A trial does all of it and takes it back: what it says is exact.

What was believed before a change stays in ``installation_before``; the log of changes says who, when and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.mdm.adapters.registry_facts import enter_facts, fact_refusal
from openami.mdm.adapters.registry_rows import (
    Entry,
    Row,
    ask,
    installation_of,
    installation_row,
    note,
    read_rows,
    reads_of,
    refusal,
    steps_of,
)
from openami.mdm.adapters.registry_tables import (
    INSTALLATION,
    INSTALLATION_BEFORE,
    INSTALLATION_READ,
    MULTIPLIER_STEP,
    UNMETERED_ESTIMATE,
)
from openami.mdm.registry.change import (
    Change,
    ChangeMultiplier,
    CorrectDates,
    EndReads,
    EnterFacts,
    Exchange,
    Hang,
    SwapPlaces,
    TakeDown,
    Unmetered,
    Withdraw,
    require_reads,
)
from openami.mdm.registry.crossing import crossed
from openami.mdm.registry.errors import RegistryError, UnknownRecordError
from openami.mdm.registry.records import Affected, Installation, InstalledMeter, Meter


@dataclass(frozen=True, slots=True)
class Work:
    """One change under way: its transaction, the meters that it names, and how it is entered."""

    connection: AsyncConnection
    meters: Mapping[UUID, Meter]
    entry: Entry

    def meter(self, meter_id: UUID) -> Meter:
        """Return a meter, or refuse."""
        if meter_id not in self.meters:
            raise UnknownRecordError(f"no meter {meter_id}: enter it first")
        return self.meters[meter_id]


async def carry_out(
    engine: AsyncEngine, change: Change, *, meters: Mapping[UUID, Meter], entry: Entry, is_trial: bool
) -> list[Affected]:
    """Carry a change out, or try it; see :meth:`~openami.mdm.registry.ports.Registry.change`."""
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            # Crossed meters pass each other at one place for the length of a statement.
            await connection.execute(text("set constraints all deferred"))
            affected = await _apply(Work(connection, meters, entry), change)
            await connection.execute(text("set constraints all immediate"))
            if is_trial:
                await transaction.rollback()
            return affected
    except IntegrityError as error:
        raise (fact_refusal(error) if isinstance(change, EnterFacts) else refusal(error)) from error


async def install(connection: AsyncConnection, rows: Sequence[Installation], entry: Entry) -> list[Affected]:
    """Enter installations with their reads."""
    await connection.execute(insert(INSTALLATION), [installation_row(r, entry.at) for r in rows])
    reads = [read for r in rows for read in read_rows(r)]
    if reads:
        await connection.execute(insert(INSTALLATION_READ), reads)
    await note(connection, entry, "install", [(r.service_point_id, _told(r)) for r in rows])
    ends = [(r.service_point_id, r.start, min(r.end or entry.at, entry.at)) for r in rows]
    return await ask(connection, ends, reason="installation", at=entry.at)


def meters_named(change: Change) -> set[UUID]:
    """Return the meters that a change names."""
    match change:
        case TakeDown() | Hang() | ChangeMultiplier():
            return {change.meter_id}
        case Exchange():
            return {change.gone.meter_id, change.new.meter_id}
        case SwapPlaces():
            return {change.first, change.second}
        case _:
            return set()


async def _apply(work: Work, change: Change) -> list[Affected]:
    if isinstance(change, EnterFacts):
        e = work.entry
        return await enter_facts(work.connection, change.entries, at=e.at, by=e.by, reason=e.reason)
    return await _MAKERS[type(change)](work, change)


async def _take_down(work: Work, change: TakeDown) -> list[Affected]:
    meter = work.meter(change.meter_id)
    require_reads(meter, change.out_reads, what="out-read")
    held = await _holding(work.connection, change.meter_id, change.at)
    if held is None:
        raise UnknownRecordError(f"meter {meter.serial} is installed nowhere at {change.at.isoformat()}")
    await _remember(work, held)
    await _move(work, held["id"], period=Range(held["period"].lower, change.at, bounds="[)"))
    await _set_reads(work, held["id"], "out", change.out_reads)
    detail = {"installation": str(held["id"]), "meter": meter.serial, "removed_at": change.at.isoformat()}
    await note(work.connection, work.entry, "remove", [(held["service_point_id"], detail)])
    ends = [(held["service_point_id"], change.at, max(work.entry.at, change.at))]
    return await ask(work.connection, ends, reason="removal", at=work.entry.at)


async def _hang(work: Work, change: Hang) -> list[Affected]:
    meter = work.meter(change.meter_id)
    require_reads(meter, change.in_reads, what="in-read")
    if change.end is not None:
        require_reads(meter, change.out_reads, what="out-read")
    affected = await install(work.connection, [change.installation], work.entry)
    if change.factors.pt > 1 or change.factors.ct > 1:
        # A voltage needs its own factor, which one product cannot tell.
        await _step(work, change.installation_id, ChangeMultiplier(change.meter_id, change.start, change.factors))
    return affected


async def _exchange(work: Work, change: Exchange) -> list[Affected]:
    meter = work.meter(change.gone.meter_id)
    held = await _holding(work.connection, change.gone.meter_id, change.gone.at)
    if held is None or held["service_point_id"] != change.new.service_point_id:
        raise UnknownRecordError(
            f"meter {meter.serial} does not hang at service point {change.new.service_point_id} at "
            f"{change.gone.at.isoformat()}"
        )
    ended = await _take_down(work, change.gone)
    begun = await _hang(work, change.new)
    await _keep_unmetered(work, change.new.service_point_id, change.new.installation_id, change.between)
    return _joined(ended + begun)


async def _keep_unmetered(work: Work, place: UUID, exchange_id: UUID, between: Sequence[Unmetered]) -> None:
    rows = [
        {
            "id": uuid5(exchange_id, f"unmetered {int(u.channel)}"),
            "service_point_id": place,
            "channel": int(u.channel),
            "period": Range(u.period.start, u.period.end, bounds="[)"),
            "value_wh": u.value_wh,
            "method": u.method,
            "evidence": dict(u.evidence),
            "entered_at": work.entry.at,
        }
        for u in between
    ]
    if rows:
        await work.connection.execute(insert(UNMETERED_ESTIMATE), rows)


async def _change_multiplier(work: Work, change: ChangeMultiplier) -> list[Affected]:
    meter = work.meter(change.meter_id)
    held = await _holding(work.connection, change.meter_id, change.start, at_its_start=True)
    if held is None:
        raise UnknownRecordError(f"meter {meter.serial} is installed nowhere at {change.start.isoformat()}")
    if held["period"].upper is not None and held["period"].upper <= change.start:
        raise RegistryError(f"meter {meter.serial} is taken down at {change.start.isoformat()}: nothing to multiply")
    later = await _step(work, held["id"], change)
    f = change.factors
    detail = {
        "installation": str(held["id"]), "meter": meter.serial, "start": change.start.isoformat(),
        "factors": [f.ct, f.pt, f.constant],
    }  # fmt: skip
    await note(work.connection, work.entry, "multiplier", [(held["service_point_id"], detail)])
    end = min(e for e in (later, held["period"].upper, work.entry.at) if e is not None)
    ends = [(held["service_point_id"], change.start, max(end, change.start))]
    return await ask(work.connection, ends, reason="multiplier", at=work.entry.at)


async def _step(work: Work, installation_id: UUID, change: ChangeMultiplier) -> datetime | None:
    """Enter factors; returns when the next ones begin, or None."""
    t, connection, entry = MULTIPLIER_STEP, work.connection, work.entry
    mine = (t.c.installation_id == installation_id) & t.c.superseded_at.is_(None)
    same = update(t).where(mine, t.c.start_at == change.start).values(superseded_at=entry.at)
    await connection.execute(same)
    f = change.factors
    row = {
        "installation_id": installation_id, "start_at": change.start, "ct": f.ct, "pt": f.pt, "constant": f.constant,
        "reads": {str(int(c)): v for c, v in change.reads.items()}, "entered_at": entry.at, "entered_by": entry.by,
        "reason": entry.reason,
    }  # fmt: skip
    await connection.execute(insert(t), [row])
    later = select(func.min(t.c.start_at)).where(mine, t.c.start_at > change.start)
    found: datetime | None = await connection.scalar(later)
    return found


async def _correct_dates(work: Work, change: CorrectDates) -> list[Affected]:
    held = await _installation(work.connection, change.installation_id)
    old = held["period"]
    start, end = change.start or old.lower, change.end or old.upper
    if end is not None and end <= start:
        raise RegistryError(f"installation {held['id']}: it would end at or before its start")
    await _remember(work, held)
    await _move(work, held["id"], period=Range(start, end, bounds="[)"))
    if start != old.lower:
        await _set_reads(work, held["id"], "in", change.in_reads)
    if end != old.upper:
        await _set_reads(work, held["id"], "out", change.out_reads)
    detail = {
        "installation": str(held["id"]), "start": start.isoformat(), "end": end.isoformat() if end else None,
        "before": [old.lower.isoformat(), old.upper.isoformat() if old.upper else None],
    }  # fmt: skip
    place, at = held["service_point_id"], work.entry.at
    await note(work.connection, work.entry, "dates", [(place, detail)])
    moved = [(old.lower, start), (old.upper or at, end or at)]
    ends = [(place, min(a, b), max(a, b)) for a, b in moved if a != b]
    return _joined(await ask(work.connection, ends, reason="dates of an installation", at=at))


async def _withdraw(work: Work, change: Withdraw) -> list[Affected]:
    held = await _installation(work.connection, change.installation_id)
    await _remember(work, held)
    for table in (INSTALLATION_READ, MULTIPLIER_STEP):
        await work.connection.execute(delete(table).where(table.c.installation_id == held["id"]))
    await work.connection.execute(delete(INSTALLATION).where(INSTALLATION.c.id == held["id"]))
    place, period, at = held["service_point_id"], held["period"], work.entry.at
    await note(work.connection, work.entry, "withdraw", [(place, {"installation": str(held["id"])})])
    ends = [(place, period.lower, max(min(period.upper or at, at), period.lower))]
    return await ask(work.connection, ends, reason="installation withdrawn", at=at)


async def _swap(work: Work, change: SwapPlaces) -> list[Affected]:
    sides = [await _side(work, meter, change.since) for meter in (change.first, change.second)]
    made = crossed(sides[0], sides[1], change)
    known = {s.installation.id: s.installation for s in sides}
    for one in known.values():
        await _remember(work, await _installation(work.connection, one.id))
    for piece in made.pieces:
        if piece.id in known:
            period = Range(piece.start, piece.end, bounds="[)")
            await _move(work, piece.id, period=period, place=piece.service_point_id)
            await work.connection.execute(
                delete(INSTALLATION_READ).where(INSTALLATION_READ.c.installation_id == piece.id)
            )
        else:
            await work.connection.execute(insert(INSTALLATION), [installation_row(piece, work.entry.at)])
        if reads := read_rows(piece):
            await work.connection.execute(insert(INSTALLATION_READ), reads)
    places = [s.installation.service_point_id for s in sides]
    serials = [s.meter.serial for s in sides]
    detail = {"meters": serials, "since": made.since.isoformat(), "until": str(made.until) if made.until else None}
    await note(work.connection, work.entry, "crossed", [(p, detail) for p in places])
    end = max(min(made.until or work.entry.at, work.entry.at), made.since)
    ends = [(p, made.since, end) for p in places]
    return await ask(work.connection, ends, reason="crossed meters", at=work.entry.at)


async def _side(work: Work, meter_id: UUID, since: datetime | None) -> InstalledMeter:
    """Return where one of two crossed meters hangs: at the instant, or lately."""
    meter = work.meter(meter_id)
    if since is not None:
        held = await _holding(work.connection, meter_id, since, at_its_start=True)
    else:
        newest = select(INSTALLATION).where(INSTALLATION.c.meter_id == meter_id)
        newest = newest.order_by(func.lower(INSTALLATION.c.period).desc()).limit(1).with_for_update()
        row = (await work.connection.execute(newest)).mappings().first()
        held = dict(row) if row is not None else None
    if held is None:
        raise UnknownRecordError(f"meter {meter.serial} is installed nowhere then")
    reads = await reads_of(work.connection, [held["id"]])
    steps = await steps_of(work.connection, [held["id"]])
    return InstalledMeter(installation_of(held, reads.get(held["id"], ()), steps.get(held["id"], ())), meter)


async def _holding(
    connection: AsyncConnection, meter_id: UUID, instant: datetime, *, at_its_start: bool = False
) -> Row | None:
    """Return the meter's installation open at the instant, or ending right there (an out-read taken at its end)."""
    begins = func.lower(INSTALLATION.c.period)
    query = (
        select(INSTALLATION)
        .where(INSTALLATION.c.meter_id == meter_id, begins <= instant if at_its_start else begins < instant)
        .where(or_(INSTALLATION.c.period.contains(literal(instant)), func.upper(INSTALLATION.c.period) == instant))
        .order_by(begins.desc())
        .with_for_update()
    )
    row = (await connection.execute(query)).mappings().first()
    return dict(row) if row is not None else None


async def _installation(connection: AsyncConnection, installation_id: UUID) -> Row:
    query = select(INSTALLATION).where(INSTALLATION.c.id == installation_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise UnknownRecordError(f"no installation {installation_id}")
    return dict(row)


async def _remember(work: Work, held: Row) -> None:
    """Keep what was believed of an installation until now."""
    reads = (await reads_of(work.connection, [held["id"]])).get(held["id"], ())
    row = {
        "installation_id": held["id"],
        "service_point_id": held["service_point_id"],
        "meter_id": held["meter_id"],
        "period": held["period"],
        "multiplier": held["multiplier"],
        "reads": [
            {"channel": r["channel"], "kind": r["kind"], "value": r["value"], "is_estimated": r["is_estimated"]}
            for r in reads
        ],
        "entered_at": held["entered_at"],
        "superseded_at": work.entry.at,
    }
    await work.connection.execute(insert(INSTALLATION_BEFORE), [row])


async def _move(work: Work, installation_id: UUID, *, period: Range[datetime], place: UUID | None = None) -> None:
    values: dict[str, Any] = {"period": period, "entered_at": work.entry.at}
    if place is not None:
        values["service_point_id"] = place
    await work.connection.execute(update(INSTALLATION).where(INSTALLATION.c.id == installation_id).values(**values))


async def _set_reads(work: Work, installation_id: UUID, kind: str, reads: EndReads) -> None:
    t = INSTALLATION_READ
    await work.connection.execute(delete(t).where(t.c.installation_id == installation_id, t.c.kind == kind))
    rows = [
        {
            "installation_id": installation_id, "channel": int(c), "kind": kind, "value": r.value,
            "is_estimated": bool(r.estimated_because), "reason": r.estimated_because,
        }
        for c, r in reads.items()
    ]  # fmt: skip
    if rows:
        await work.connection.execute(insert(t), rows)


def _told(i: Installation) -> dict[str, Any]:
    return {
        "installation": str(i.id),
        "meter_id": str(i.meter_id),
        "start": i.start.isoformat(),
        "end": i.end.isoformat() if i.end else None,
    }


def _joined(parts: Sequence[Affected]) -> list[Affected]:
    """Return one span for each service point."""
    spans: dict[UUID, Affected] = {}
    for a in parts:
        known = spans.get(a.service_point_id, a)
        spans[a.service_point_id] = Affected(a.service_point_id, min(a.first, known.first), max(a.last, known.last))
    return list(spans.values())


_MAKERS: Mapping[type, Callable[[Work, Any], Awaitable[list[Affected]]]] = {
    TakeDown: _take_down,
    Hang: _hang,
    Exchange: _exchange,
    ChangeMultiplier: _change_multiplier,
    CorrectDates: _correct_dates,
    Withdraw: _withdraw,
    SwapPlaces: _swap,
}
