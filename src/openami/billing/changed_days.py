"""Days that changed after they were billed: noted for a person, nothing is rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from openami.billing.bill.making import CHUNK, SCOPE
from openami.billing.bill.record import Bill, Correction
from openami.billing.ports import BillBook
from openami.contracts.changed import DaysChanged
from openami.contracts.channel import Channel
from openami.mdm.api import MeterData


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
        changed += await _changed(meters, bills[at : at + CHUNK])
    return await book.note_corrections(changed, at=now)


async def days_changed(meters: MeterData, book: BillBook, news: DaysChanged, now: datetime) -> int:
    """Queue the days of issued bills that validation has just given another version; return how many."""
    touched = [d.local_day for d in news.days if d.channel is Channel.DELIVERED]
    if news.many:
        touched = [news.first, news.last]
    if not touched:
        return 0
    # A bill is longer than a month at most by some days, so it begins at most two months before its last day.
    first, _ = month_before(min(touched))
    end = max(touched) + timedelta(days=1)
    places = None if news.many else frozenset(d.service_point_id for d in news.days)
    return await find_corrections(meters, book, now, first=first, end=end, service_points=places)


async def _changed(meters: MeterData, part: Sequence[Bill]) -> list[Correction]:
    low, high = min(b.span.first for b in part), max(b.span.last for b in part)
    table = await meters.days(SCOPE, [b.service_point_id for b in part], Channel.DELIVERED, low, high)
    seen = {
        (bytes(p), int(d)): int(v)
        for p, d, v in zip(table.service_point_id, table.local_day, table.version, strict=True)
    }
    base = date(1970, 1, 1).toordinal()
    found = []
    for bill in part:
        for number, billed in enumerate(bill.day_versions):
            day = bill.span.first + timedelta(days=number)
            version = seen.get((bill.service_point_id.bytes, day.toordinal() - base), billed)
            if version > billed:
                found.append(Correction(bill.bill_id, bill.service_point_id, day, billed, version))
    return found


def month_before(day: date) -> tuple[date, date]:
    """Return the first days of the month before the day's and of the day's own.

    >>> month_before(date(2026, 1, 20))
    (datetime.date(2025, 12, 1), datetime.date(2026, 1, 1))
    """
    end = day.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1), end
