"""The one road on which a bill is made: from the validated days and reads that stand, or stood then, and not written.

Closing, corrections, comparisons, statements and parallel bills all call :func:`bills_of`. The work is done in columns:
service points of one span are laid out as a matrix; what is left by row is the bill itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.mdm.api import FactKind, MeterData, ReadPiece, UsageMatrix
from openami.security.access.scope import Purpose, Scope, system_scope

CHUNK = 500
"""Service points in one matrix: 1.5 million quarter-hours of a month."""
INTERVAL = "interval"
"""What the registry calls a service point whose intervals the network reads."""
SCOPE = system_scope(process="billing", purpose=Purpose.BILLING)


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
    spans: dict[BillSpan, list[BillOrder]] = defaultdict(list)
    for order in orders:
        spans[order.span].append(order)
    found: dict[tuple[UUID, BillSpan], Bill] = {}
    for span, group in spans.items():
        for at in range(0, len(group), CHUNK):
            part = group[at : at + CHUNK]
            points = [o.service_point_id for o in part]
            data = await span_data(meters, points, span, making.zone, known_at=known_at, scope=scope)
            for bill in bills_from(making, part, data):
                found[bill.service_point_id, span] = bill
    return [found[o.service_point_id, o.span] for o in orders]


@dataclass(frozen=True, slots=True, eq=False)
class SpanData:
    """All that bills of one span are made from, whatever the rate.

    Args:
        usages: validated days as matrices.
        pieces: register reads at both ends, by service point.
        by_register: service points that are read by register alone, so that no intervals are expected.
    """

    usages: Sequence[FleetUsage]
    pieces: Mapping[UUID, Sequence[ReadPiece]]
    by_register: frozenset[UUID] = frozenset()


async def span_data(
    meters: MeterData,
    points: Sequence[UUID],
    span: BillSpan,
    zone: ZoneInfo,
    *,
    known_at: datetime | None = None,
    scope: Scope = SCOPE,
) -> SpanData:
    """Read what the bills of service points over a span are made from: a few questions however many points.

    Raises:
        ScopeError, StoreError: as :func:`bills_of`.
    """
    by_register = await register_only(meters, points, span, zone, known_at)
    metered = [p for p in points if p not in by_register]
    pieces = await reads_of(meters, points, span, zone, known_at, scope)
    for point in by_register:
        pieces[point] = [await meters.with_estimated_end(scope, p, as_known_at=known_at) for p in pieces[point]]
    usages = await fleet_usage(meters, scope, metered, span, known_at=known_at) if metered else []
    return SpanData(usages, pieces, by_register)


def bills_from(making: Making, orders: Sequence[BillOrder], data: SpanData) -> list[Bill]:
    """Return the bills of orders of one span and rate from what was read of it; the data may hold others too."""
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


async def register_only(
    meters: MeterData, points: Collection[UUID], span: BillSpan, zone: ZoneInfo, known_at: datetime | None
) -> frozenset[UUID]:
    """Return the service points that are read by register alone on a day of a span.

    One whose intervals begin within it, with the network's meter, has none before: its registers alone hold all of it.
    """
    facts = await meters.registry.facts.of(points, span.period(zone), kinds=[FactKind.READING], as_known_at=known_at)
    return frozenset(f.service_point_id for f in facts if f.value != INTERVAL)


async def reads_of(
    meters: MeterData,
    points: Collection[UUID],
    span: BillSpan,
    zone: ZoneInfo,
    known_at: datetime | None,
    scope: Scope,
) -> dict[UUID, list[ReadPiece]]:
    """Return the register reads at both ends of a span, delivered before received, by service point."""
    found: dict[UUID, list[ReadPiece]] = {p: [] for p in points}
    for channel in (Channel.DELIVERED, Channel.RECEIVED):
        period = span.period(zone)
        for point, pieces in (await meters.end_reads(scope, points, period, channel, as_known_at=known_at)).items():
            found[point] += pieces
    return found


async def fleet_usage(
    meters: MeterData, scope: Scope, points: Sequence[UUID], span: BillSpan, *, known_at: datetime | None = None
) -> list[FleetUsage]:
    """Return validated days as matrices of delivered energy with what was received beside it.

    Service points without any version in the span are in none.
    """
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
