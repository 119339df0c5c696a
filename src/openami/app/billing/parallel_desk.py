"""Our side of another system's bills, from the platform: the bills of a cycle with the intervals they were made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from openami.app.billing.rate_files import home_rates
from openami.app.exchange.exchange_desk import Rooms, rooms_of
from openami.app.exchange.exchange_out import places as places_named
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.api import Bill
from openami.billing.parallel.ours import OurRead, OurSide
from openami.billing.parallel.report import ParallelReport, compare_cycle
from openami.billing.parallel.theirs import TheirBill
from openami.billing.rates import Rates
from openami.billing.rating.usage import Usage
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import zone_named
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece, UsageMatrix
from openami.mdm.exchange.ports import IdKind
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose, system_scope

AROUND = timedelta(days=10)
"""Days beside a bill that are looked at, so that a bill of other days can be tried."""
CHUNK = 500
_SCOPE = system_scope(process="parallel", purpose=Purpose.BILLING)
_SURE = frozenset({ReadKind.SCHEDULED, ReadKind.NEAREST, ReadKind.INSTALLER})


async def compare_with(
    settings: Settings, person: Actor, sender: str, theirs: Sequence[TheirBill], *, known_at: datetime | None = None
) -> ParallelReport:
    """Compare another system's bills with ours of the same places and cycles, a look in the log of each place.

    Args:
        settings: of the home.
        person: who looks.
        sender: whose names of service points they use.
        theirs: their bills.
        known_at: when they were made, where that is known: differences of late data are told by it.

    Raises:
        SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        StoreError: the store did not answer.
    """
    async with rooms_of(settings) as rooms:
        named = await places_named(rooms, sender, {b.service_point for b in theirs})
        # What we bill in their cycles and they do not is found among the places that they ever named.
        everywhere = await rooms.book.names(sender, IdKind.SERVICE_POINT)
        names = everywhere | {place: name for name, place in named.items()}
        note = f"{len(theirs)} bills of {sender[:60]} compared with ours"
        bills = await _our_bills(rooms, theirs, set(names), set(named.values()))
        # What they do not bill is shown too: those places are looked at as well.
        places = frozenset(named.values()) | {b.service_point_id for b in bills}
        act = Act(Kind.BILLING, "bills.parallel", note, action=Action.READ, service_points=places)
        async with acting(settings, person, act):
            rates = home_rates(settings.home)
            known = Rates(rooms.billing.book, rates).known
            sides = await _sides(rooms, bills, names, known, known_at)
            return compare_cycle(theirs, sides, rates)


async def _our_bills(rooms: Rooms, theirs: Sequence[TheirBill], places: set[UUID], asked: set[UUID]) -> list[Bill]:
    """Return our bill of each place that shares most days with theirs, and those of the same cycles beside them."""
    if not theirs:
        return []
    first, end = min(b.span.first for b in theirs), max(b.span.end for b in theirs)
    found: dict[UUID, Bill] = {}
    for bill in await rooms.billing.book.issued(first - 3 * AROUND, end, service_points=places):
        before = found.get(bill.service_point_id)
        if bill.span.end > first and (before is None or bill.span.days > before.span.days):
            found[bill.service_point_id] = bill
    cycles = {found[place].cycle for place in asked & found.keys()} - {None}
    return [b for place, b in found.items() if place in asked or b.cycle in cycles]


async def _sides(
    rooms: Rooms,
    bills: Sequence[Bill],
    names: Mapping[UUID, str],
    rates: Mapping[str, RateSchedule],
    known_at: datetime | None,
) -> dict[str, OurSide]:
    groups: dict[tuple[str, object], list[Bill]] = defaultdict(list)
    for bill in bills:
        groups[bill.zone, bill.span].append(bill)
    sides: dict[str, OurSide] = {}
    for same in groups.values():
        for at in range(0, len(same), CHUNK):
            part = same[at : at + CHUNK]
            usage = await _usage(rooms, part, None)
            then = {} if known_at is None else await _usage(rooms, part, known_at)
            for bill in part:
                place = bill.service_point_id
                if place in usage and bill.rate_code in rates:
                    side = _side(bill, rates[bill.rate_code], usage[place])
                    sides[names[place]] = replace(side, then=then.get(place))
    return sides


async def _usage(rooms: Rooms, bills: Sequence[Bill], known_at: datetime | None) -> dict[UUID, Usage]:
    span, points = bills[0].span, [b.service_point_id for b in bills]
    first, last = span.first - AROUND, span.last + AROUND
    received: dict[UUID, dict[int, int]] = {}
    for matrix in await rooms.data.matrix(_SCOPE, points, Channel.RECEIVED, first, last, as_known_at=known_at):
        for row, point in enumerate(matrix.service_points):
            received[point] = dict(zip(matrix.start_s.tolist(), matrix.values[row].tolist(), strict=True))
    found = {}
    for matrix in await rooms.data.matrix(_SCOPE, points, Channel.DELIVERED, first, last, as_known_at=known_at):
        for row, point in enumerate(matrix.service_points):
            found[point] = _row(matrix, row, received.get(point))
    return found


def _row(matrix: UsageMatrix, row: int, received: Mapping[int, int] | None) -> Usage:
    there = matrix.quality[row] != QualityState.MISSING
    start = matrix.start_s[there]
    sent = None if received is None else np.array([received.get(int(s), 0) for s in start], np.int64)
    estimated = matrix.quality[row][there] == QualityState.ESTIMATED
    return Usage(start, np.maximum(matrix.values[row][there], 0), matrix.interval_s, estimated, sent)


def _side(bill: Bill, schedule: RateSchedule, usage: Usage) -> OurSide:
    pieces = [p for p in bill.reads if p.channel is Channel.DELIVERED]
    first, last = (pieces[0], pieces[-1]) if pieces else (None, None)
    return OurSide(
        schedule, bill.span, usage, zone_named(bill.zone), bill.terms, bill.carried_in,
        multiplier=last.multiplier if last else 1,
        begin=None if first is None else _read(first.begin),
        end=None if last is None else _read(last.end),
        capacity_wh=_capacity(last),
    )  # fmt: skip


def _capacity(piece: ReadPiece | None) -> int | None:
    return None if piece is None else piece.capacity


def _read(end: EndOfRead) -> OurRead:
    return OurRead(end.value if end.kind in _SURE else None)
