"""Billing reads out, by request and by cycle: registers from the registry and the store, determinants from billing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from openami.app.exchange.exchange_desk import Rooms
from openami.billing.api import BillSpan, Figures
from openami.contracts.channel import Channel
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.api import ReadPiece
from openami.mdm.exchange.billing_reads import BillingRead, Determinant
from openami.mdm.exchange.ports import IdKind
from openami.mdm.registry.records import ServicePointStatus
from openami.security.access.scope import Purpose, system_scope

SCOPE = system_scope(process="exchange", purpose=Purpose.BILLING)
CHUNK = 500
"""Service points at once: 1.5 million quarter-hours of a month."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One bill that is asked for: our place, what the receiver calls it, local days with the end exclusive."""

    service_point_id: UUID
    name: str
    first: date
    end: date


async def billing_reads(rooms: Rooms, wanted: Sequence[Wanted]) -> list[BillingRead]:
    """Return the billing reads of what is asked for, in its order."""
    spans: dict[tuple[date, date], list[Wanted]] = defaultdict(list)
    for one in wanted:
        spans[one.first, one.end].append(one)
    found: dict[tuple[UUID, date, date], BillingRead] = {}
    for (first, end), rows in spans.items():
        for at in range(0, len(rows), CHUNK):
            for read in await _chunk(rooms, rows[at : at + CHUNK], BillSpan(first, end)):
                found[read.service_point_id, first, end] = read
    return [found[w.service_point_id, w.first, w.end] for w in wanted]


async def of_cycle(rooms: Rooms, receiver: str, bill_group: int, first: date, end: date) -> list[Wanted]:
    """Return what a bill group's cycle asks for: every place of it that is not retired, by our id where unnamed."""
    names = await rooms.book.names(receiver, IdKind.SERVICE_POINT)
    registry = rooms.data.registry
    wanted = []
    for zone in sorted({p.zone for p in await registry.service_points()}):
        for point in await registry.service_points(at=local_midnight(first, zone_named(zone))):
            is_there = point.zone == zone and point.status is not ServicePointStatus.RETIRED
            if is_there and point.bill_group == bill_group:
                wanted.append(Wanted(point.id, names.get(point.id, str(point.id)), first, end))
    return wanted


async def _chunk(rooms: Rooms, rows: Sequence[Wanted], span: BillSpan) -> list[BillingRead]:
    points = [w.service_point_id for w in rows]
    figures = {f.service_point_id: f for f in await rooms.billing.figures(SCOPE, points, span)}
    zones: dict[str, list[UUID]] = defaultdict(list)
    for point in await rooms.data.registry.service_points(set(points)):
        zones[point.zone].append(point.id)
    pieces: dict[UUID, list[ReadPiece]] = defaultdict(list)
    for zone, ids in zones.items():
        period = span.period(zone_named(zone))
        for channel in (Channel.DELIVERED, Channel.RECEIVED):
            found = await rooms.data.end_reads(SCOPE, ids, period, channel)
            for place, own in found.items():
                pieces[place] += own
    return [_read(w, figures[w.service_point_id], pieces[w.service_point_id]) for w in rows]


def _read(wanted: Wanted, figures: Figures, pieces: Sequence[ReadPiece]) -> BillingRead:
    """Return one bill; registers of received energy that nobody reads are left out where nothing was received."""
    received = sum(q.quantity for q in figures.quantities if q.name == "received" and not q.period)
    if not received:
        unread = [p for p in pieces if p.channel is Channel.RECEIVED and p.is_unread]
        pieces = [p for p in pieces if p not in unread]
    determinants = tuple(Determinant(q.name, q.period, q.quantity, q.unit, q.at) for q in figures.quantities)
    return BillingRead(
        wanted.service_point_id, wanted.name, wanted.first, wanted.end, figures.rate_code, figures.reason,
        figures.estimated_wh, figures.intervals, figures.estimated,
        (figures.lowest_version, figures.highest_version), tuple(pieces), determinants,
    )  # fmt: skip


def message_number(kind: str, at: datetime) -> str:
    """Return the number of a message of ours: what it is and when it was made."""
    return f"{kind}-{at:%Y%m%dT%H%M%S%f}"[:64]
