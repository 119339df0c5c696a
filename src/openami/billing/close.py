"""Close bills that are due: the calendar month on its first day after, once every day of it is validated.

Every step may be repeated: bills have ids of place, day and version, and an issued bill is never rewritten. A day
whose version rises after it was billed goes on the correction queue, where a person decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.bill.make import FleetUsage, Reads, held_bill, make_bills
from openami.billing.bill.record import Assignment, Bill, BillState, Correction
from openami.billing.ports import BillBook
from openami.billing.rating.usage import I64, BillSpan, calendar_months
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.kernel.time import Period, local_date, zone_named
from openami.mdm.api import MeterData, UsageMatrix
from openami.security.access.scope import Purpose, system_scope

CHUNK = 500
"""Service points in one matrix: 1.5 million quarter-hours of a month."""
FEW = 50
"""So many are looked at though the fleet's days are not all validated: imported files hold days of their own."""
SCOPE = system_scope(process="billing", purpose=Purpose.BILLING)


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What one closing run did.

    Args:
        issued: bills issued.
        held: bills that wait, new ones and old ones.
        waiting: bills whose month is over and whose days are not all validated yet.
    """

    issued: int = 0
    held: int = 0
    waiting: int = 0

    def __add__(self, other: CloseReport) -> CloseReport:
        return CloseReport(self.issued + other.issued, self.held + other.held, self.waiting + other.waiting)


async def close_due(
    meters: MeterData,
    book: BillBook,
    rates: Mapping[str, RateSchedule],
    now: datetime,
    *,
    retry_held: bool = True,
    first_only_from: date | None = None,
) -> CloseReport:
    """Issue every bill that can be, and hold the rest with their reasons.

    Args:
        meters: validated days and registers.
        book: where bills are kept.
        rates: by code.
        now: domain time.
        retry_held: whether to look at held bills again.
        first_only_from: bills that begin earlier are left alone; None bills all of the assigned time.
    """
    zones = {p.id: p.zone for p in await meters.service_points(SCOPE)}
    done = CloseReport()
    groups = _groups(await book.assignments(None), zones, now, first_only_from)
    if not groups:
        return done
    states = await book.states(min(s.first for s, *_ in groups), max(s.end for s, *_ in groups))
    settled = {BillState.ISSUED.value, BillState.SUPERSEDED.value} | (set() if retry_held else {BillState.HELD.value})
    for (span, code, zone_name), points in sorted(groups.items()):
        open_points = [p for p in points if states.get((p, span.first)) not in settled]
        if not open_points:
            continue
        zone = zone_named(zone_name)
        is_done = len(await meters.book.days_done(zone_name, span.first, span.last)) >= span.days
        if not is_done and len(open_points) > FEW:
            done += CloseReport(waiting=len(open_points))
            continue
        for at in range(0, len(open_points), CHUNK):
            bills = await _bills(meters, rates.get(code), code, open_points[at : at + CHUNK], span, zone, now)
            ripe = [b for b in bills if is_done or all(b.day_versions)]
            await book.keep(ripe)
            issued = sum(b.state is BillState.ISSUED for b in ripe)
            done += CloseReport(issued=issued, held=len(ripe) - issued, waiting=len(bills) - len(ripe))
    return done


_Groups = dict[tuple[BillSpan, str, str], list[UUID]]


def _groups(
    assignments: Collection[Assignment], zones: Mapping[UUID, str], now: datetime, earliest: date | None
) -> _Groups:
    """Service points by (complete calendar month within their assignment, rate, zone)."""
    groups: _Groups = {}
    today = {z: local_date(now, zone_named(z)) for z in set(zones.values())}
    for row in assignments:
        zone = zones.get(row.service_point_id)
        if zone is None:
            continue
        month = today[zone].replace(day=1)
        end = min(month, row.end_day or month)
        if row.first_day >= end:
            continue
        for span in calendar_months(row.first_day, end):
            if earliest is None or span.first >= earliest:
                groups.setdefault((span, row.rate_code, zone), []).append(row.service_point_id)
    return groups


async def _bills(
    meters: MeterData,
    schedule: RateSchedule | None,
    code: str,
    points: list[UUID],
    span: BillSpan,
    zone: ZoneInfo,
    now: datetime,
) -> list[Bill]:
    if schedule is None:
        nameless = RateSchedule(code, code, "", "USD", ())
        reason = f"the rate {code} is not known"
        return [held_bill(nameless, p, span, zone, reason=reason, now=now) for p in points]
    delivered = await meters.matrix(SCOPE, points, Channel.DELIVERED, span.first, span.last)
    received = _sums(await meters.matrix(SCOPE, points, Channel.RECEIVED, span.first, span.last))
    reads = Reads(
        await midnight_reads(meters, points, span.period(zone).start),
        await midnight_reads(meters, points, span.period(zone).end),
    )
    found: list[Bill] = []
    for matrix in delivered:
        usage = _fleet(matrix, received)
        try:
            found += make_bills(schedule, usage, span, zone, reads=reads, now=now)
        except TariffError as error:
            found += [held_bill(schedule, p, span, zone, reason=str(error), now=now) for p in usage.service_points]
    there = {b.service_point_id for b in found}
    reason = f"none of {span.days} days has validated readings"
    return found + [held_bill(schedule, p, span, zone, reason=reason, now=now) for p in points if p not in there]


def _fleet(matrix: UsageMatrix, received: Mapping[UUID, int]) -> FleetUsage:
    sums = np.array([received.get(p, 0) for p in matrix.service_points], dtype=np.int64)
    versions = matrix.versions.astype(np.int64)
    return FleetUsage(
        matrix.service_points, matrix.start_s, matrix.interval_s, matrix.values, matrix.quality, sums, versions
    )


def _sums(matrices: list[UsageMatrix]) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for matrix in matrices:
        totals: I64 = matrix.values.sum(axis=1)
        found |= {p: found.get(p, 0) + int(t) for p, t in zip(matrix.service_points, totals, strict=True)}
    return found


async def midnight_reads(meters: MeterData, points: Collection[UUID], at: datetime) -> dict[UUID, int]:
    """Return the delivered register at an instant, by service point; absent where no read is there."""
    around = Period(at - timedelta(seconds=1), at + timedelta(seconds=1))
    spans = await meters.registry.spans(set(points), around)
    if not spans:
        return {}
    batch = await meters.store.registers(SCOPE, spans, Channel.DELIVERED, around)
    owner = {s.meter_id.bytes: s.service_point_id for s in spans}
    second = int(at.timestamp())
    rows = np.flatnonzero(batch.at == second)
    return {owner[bytes(batch.meter_id[i])]: int(batch.value[i]) for i in rows if bytes(batch.meter_id[i]) in owner}


async def find_corrections(
    meters: MeterData,
    book: BillBook,
    now: datetime,
    *,
    first: date,
    end: date,
    service_points: frozenset[UUID] | None = None,
) -> int:
    """Queue days of issued bills (beginning in ``[first, end)``) whose version has risen since; returns new ones.

    Args:
        meters: validated usage.
        book: bills.
        now: domain time.
        first: the earliest day on which the bills begin.
        end: the day after the latest.
        service_points: whose bills; all for None.
    """
    bills = await book.issued(first, end, service_points=service_points)
    changed: list[Correction] = []
    for at in range(0, len(bills), CHUNK):
        part = bills[at : at + CHUNK]
        low, high = min(b.span.first for b in part), max(b.span.last for b in part)
        table = await meters.days(SCOPE, [b.service_point_id for b in part], Channel.DELIVERED, low, high)
        seen = {
            (bytes(p), int(d)): int(v)
            for p, d, v in zip(table.service_point_id, table.local_day, table.version, strict=True)
        }
        base = date(1970, 1, 1).toordinal()
        for bill in part:
            for number, billed in enumerate(bill.day_versions):
                day = bill.span.first + timedelta(days=number)
                version = seen.get((bill.service_point_id.bytes, day.toordinal() - base), billed)
                if version > billed:
                    changed.append(Correction(bill.bill_id, bill.service_point_id, day, billed, version))
    return await book.note_corrections(changed, at=now)


def month_before(day: date) -> tuple[date, date]:
    """Return the first days of the month before the day's and of the day's own.

    >>> month_before(date(2026, 1, 20))
    (datetime.date(2025, 12, 1), datetime.date(2026, 1, 1))
    """
    end = day.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1), end
