"""The one road on which a bill is made: from the validated days and reads that stand, or stood then, and not written.

Closing, corrections, comparisons, statements and parallel bills all call :func:`bills_of`. The work is done in columns:
service points of one span are laid out as a matrix; what is left by row is the bill itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.bill.fleet_usage import FleetUsage
from openami.billing.bill.hold import HoldCode
from openami.billing.bill.make import Making, held_bill, make_bills
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Bill
from openami.billing.bill.register_bill import register_bill
from openami.billing.bill.turns import turns
from openami.billing.jurisdiction.model import EstimateCause
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import Period
from openami.mdm.api import READ_WINDOW_AFTER, FactKind, LocalDays, MeterData, ReadPiece, UsageMatrix, side_by_side
from openami.security.access.scope import Purpose, Scope, system_scope

INTERVAL = "interval"
"""What the registry calls a service point whose intervals the network reads."""
SCOPE = system_scope(process="billing", purpose=Purpose.BILLING)
SpanKey = tuple[BillSpan, ZoneInfo]
"""The local days of a bill."""


async def bills_of(
    meters: MeterData,
    making: Making,
    orders: Sequence[BillOrder],
    *,
    known_at: datetime | None = None,
    scope: Scope = SCOPE,
) -> list[Bill]:
    """Return the bill of each order, in their order: issued, or held with the reason. Nothing is written.

    Args:
        meters: validated days and registers.
        making: the one rate, zone, instant and rules of all orders.
        orders: any number, of any spans; a service point's spans differ.
        known_at: make them from what was known then; None from what stands now.
        scope: of whoever asks.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer; nothing of the call counts.
    """
    found: dict[tuple[UUID, BillSpan], Bill] = {}
    for part in (p for turn in turns(orders) for p in turn):
        asked = {o.service_point_id: (o.span, making.zone) for o in part}
        data = await gathered(meters, asked, known_at=known_at, scope=scope)
        for bill in bills_together([(making, o) for o in part], data):
            found[bill.service_point_id, bill.span] = bill
    return [found[o.service_point_id, o.span] for o in orders]


def bills_together(asked: Sequence[tuple[Making, BillOrder]], data: Mapping[SpanKey, SpanData]) -> list[Bill]:
    """Return the bills of orders of any rates and spans from what was gathered, in no order."""
    makings: dict[tuple[str, SpanKey], Making] = {}
    groups: dict[tuple[str, SpanKey], list[BillOrder]] = defaultdict(list)
    for making, order in asked:
        key = making.schedule.code, (order.span, making.zone)
        makings[key] = making
        groups[key].append(order)
    return [bill for key, orders in groups.items() for bill in bills_from(makings[key], orders, data[key[1]])]


@dataclass(frozen=True, slots=True, eq=False)
class SpanData:
    """All that bills of one span are made from, whatever the rate.

    Args:
        usages: validated days as matrices.
        pieces: register reads at both ends, by service point.
        by_register: service points that are read by register alone, so that no intervals are expected.
        no_read: why a register could not be read at the end, by service point, where somebody knows.
    """

    usages: Sequence[FleetUsage]
    pieces: Mapping[UUID, Sequence[ReadPiece]]
    by_register: frozenset[UUID] = frozenset()
    no_read: Mapping[UUID, EstimateCause] = field(default_factory=dict)


async def gathered(
    meters: MeterData, asked: Mapping[UUID, SpanKey], *, known_at: datetime | None = None, scope: Scope = SCOPE
) -> dict[SpanKey, SpanData]:
    """Read what the bills of service points are made from, each over its own span: a few questions however many.

    Args:
        meters: validated days and registers.
        asked: span and zone of each service point; spans that lie near each other, for all days between are read.
        known_at: what was known then; None for what stands now.
        scope: of whoever asks.

    Raises:
        ScopeError, StoreError: as :func:`bills_of`.
    """
    periods = _periods(asked)
    by_register, no_read = await _reading_facts(meters, periods, known_at)
    days = {p: LocalDays(zone, span.first, span.last) for p, (span, zone) in asked.items() if p not in by_register}
    channels = Channel.DELIVERED, Channel.RECEIVED
    async with side_by_side() as start:
        reading = start(meters.reads_at_ends(scope, periods, channels, as_known_at=known_at))
        measuring = start(usages_of(meters, scope, days, known_at))
    pieces, usages = reading.result(), measuring.result()
    for point in by_register:
        pieces[point] = [await meters.with_estimated_end(scope, p, as_known_at=known_at) for p in pieces[point]]
    points: dict[SpanKey, list[UUID]] = defaultdict(list)
    for point, key in asked.items():
        points[key].append(point)
    return {
        (span, zone): SpanData(
            usages.get(LocalDays(zone, span.first, span.last), ()), {p: pieces[p] for p in own},
            by_register.intersection(own), {p: no_read[p] for p in own if p in no_read},
        )
        for (span, zone), own in points.items()
    }  # fmt: skip


def _periods(asked: Mapping[UUID, SpanKey]) -> dict[UUID, Period]:
    """Return each span in UTC; few of many differ."""
    known = {key: key[0].period(key[1]) for key in set(asked.values())}
    return {point: known[key] for point, key in asked.items()}


def bills_from(making: Making, orders: Sequence[BillOrder], data: SpanData) -> list[Bill]:
    """Return the bills of orders of one span and rate from what was read of it; the data may hold others too."""
    orders = [replace(o, no_read=data.no_read.get(o.service_point_id)) for o in orders] if data.no_read else orders
    by_point = {o.service_point_id: o for o in orders}
    found = [
        register_bill(making, o, data.pieces.get(o.service_point_id, ()))
        for o in orders
        if o.service_point_id in data.by_register
    ]
    for whole in data.usages:
        rows = [n for n, p in enumerate(whole.service_points) if p in by_point]
        if not rows:
            continue
        usage = whole if len(rows) == len(whole.service_points) else whole.part(rows)
        found += _made_or_refused(making, usage, by_point, data)
    there = {b.service_point_id for b in found}
    absent = [o for o in orders if o.service_point_id not in there]
    reason = f"none of {orders[0].span.days} days has validated readings" if orders else ""
    return found + [held_bill(making, o, HoldCode.MISSING_DAYS, reason) for o in absent]


def _made_or_refused(making: Making, usage: FleetUsage, orders: Mapping[UUID, BillOrder], data: SpanData) -> list[Bill]:
    """Return a bill for each row; what the rate cannot price is held, and keeps no other from going out."""
    points = usage.service_points
    try:
        return make_bills(making, usage, orders[points[0]].span, orders, data.pieces)
    except TariffError as error:
        if len(points) == 1:
            return [held_bill(making, orders[points[0]], HoldCode.RATE_REFUSED, str(error))]
    # Halves, so that one of five hundred costs some ten more tries.
    parts = range(len(points) // 2), range(len(points) // 2, len(points))
    return [bill for rows in parts for bill in _made_or_refused(making, usage.part(rows), orders, data)]


async def _reading_facts(
    meters: MeterData, periods: Mapping[UUID, Period], known_at: datetime | None
) -> tuple[frozenset[UUID], dict[UUID, EstimateCause]]:
    """Return who is read by register alone on a day of their spans, and why a register could not be read at its end.

    One whose intervals begin within it, with the network's meter, has none before: its registers alone hold all of it.
    """
    if not periods:
        return frozenset(), {}
    ends = max(p.end for p in periods.values()) + READ_WINDOW_AFTER
    whole = Period(min(p.start for p in periods.values()), ends)
    kinds = [FactKind.READING, FactKind.NO_READ]
    facts = await meters.registry.facts.of(set(periods), whole, kinds=kinds, as_known_at=known_at)
    by_register, no_read = set(), {}
    for fact in facts:
        point, period = fact.service_point_id, periods[fact.service_point_id]
        if fact.kind is FactKind.NO_READ:
            if fact.start < period.end + READ_WINDOW_AFTER and (fact.end is None or fact.end > period.end):
                no_read[point] = EstimateCause(fact.value)
        elif fact.value != INTERVAL and fact.start < period.end and (fact.end is None or fact.end > period.start):
            by_register.add(point)
    return frozenset(by_register), no_read


async def usages_of(
    meters: MeterData, scope: Scope, asked: Mapping[UUID, LocalDays], known_at: datetime | None
) -> dict[LocalDays, list[FleetUsage]]:
    """Return validated days as matrices of delivered energy with what was received beside it.

    Service points without any version in their days are in none.
    """
    async with side_by_side() as start:
        delivered = start(meters.matrices(scope, asked, Channel.DELIVERED, as_known_at=known_at))
        received = start(meters.matrices(scope, asked, Channel.RECEIVED, as_known_at=known_at))
    back = received.result()
    return {days: [_fleet(m, back.get(days, ())) for m in own] for days, own in delivered.result().items()}


async def fleet_usage(
    meters: MeterData, scope: Scope, points: Sequence[UUID], span: BillSpan, *, known_at: datetime | None = None
) -> list[FleetUsage]:
    """Return what :func:`usages_of` does of service points of one span."""
    first, last = span.first, span.last
    delivered = await meters.matrix(scope, points, Channel.DELIVERED, first, last, as_known_at=known_at)
    received = await meters.matrix(scope, points, Channel.RECEIVED, first, last, as_known_at=known_at)
    return [_fleet(matrix, received) for matrix in delivered]


def _fleet(matrix: UsageMatrix, received: Sequence[UsageMatrix]) -> FleetUsage:
    points, versions = matrix.service_points, matrix.versions.astype(np.int64)
    laid, lacks, sums = laid_received(matrix, received)
    sends = frozenset(p for other in received for p in other.service_points)
    return FleetUsage(
        points, matrix.start_s, matrix.interval_s, matrix.values, matrix.quality, sums, versions, laid, lacks, sends,
        _doubted(received),
    )  # fmt: skip


def _doubted(received: Sequence[UsageMatrix]) -> dict[UUID, I64]:
    """Return the starts of received intervals that a rule doubts, of places that have some [s since the epoch]."""
    found = {}
    for other in received:
        doubted = other.quality == QualityState.QUESTIONABLE
        for row in np.flatnonzero(doubted.any(axis=1)).tolist():
            found[other.service_points[row]] = other.start_s[doubted[row]]
    return found


def laid_received(matrix: UsageMatrix, received: Sequence[UsageMatrix]) -> tuple[I64 | None, I64 | None, I64]:
    """Lay received energy beside delivered energy, row by row and interval by interval.

    Returns:
        The intervals (S, N), None where no row measures any; how many of them have no value (S,), what lies on another
        grid among them; and the energy of each row (S,).
    """
    row_of = {point: row for row, point in enumerate(matrix.service_points)}
    sums, lacks = np.zeros(len(row_of), np.int64), np.zeros(len(row_of), np.int64)
    laid = np.zeros(matrix.values.shape, np.int64) if received else None
    for other in received:
        rows = [n for n, point in enumerate(other.service_points) if point in row_of]
        if not rows or laid is None:
            continue
        place = np.array([row_of[other.service_points[n]] for n in rows])
        sums[place] += other.values[rows].sum(axis=1)
        _, mine, theirs = np.intersect1d(matrix.start_s, other.start_s, assume_unique=True, return_indices=True)
        if other.interval_s != matrix.interval_s or len(mine) < len(matrix.start_s):
            lacks[place] += len(matrix.start_s)
            continue
        laid[place[:, None], mine] = other.values[rows][:, theirs]
        lacks[place] += (other.quality[rows][:, theirs] == QualityState.MISSING).sum(axis=1)
    return laid, lacks if laid is not None else None, sums
