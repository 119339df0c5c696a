"""Days that changed after they were billed: noted for a person, nothing is rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from openami.billing.bill.making import SCOPE
from openami.billing.bill.record import BilledDays, Correction
from openami.billing.bill.turns import CHUNK
from openami.billing.ports import BillBook
from openami.contracts.changed import DaysChanged
from openami.contracts.channel import Channel
from openami.kernel.time import epoch_s
from openami.mdm.api import DailyTotals, MeterData

_BILLED = frozenset({Channel.DELIVERED, Channel.RECEIVED})
LONGEST_BILL = timedelta(days=100)
"""So far before a day a bill may begin that holds it: a plan looks no further ahead for a read day."""
_DAY = timedelta(days=1)


async def find_corrections(
    meters: MeterData,
    book: BillBook,
    now: datetime,
    *,
    first: date,
    end: date,
    service_points: frozenset[UUID] | None = None,
) -> int:
    """Queue days of issued bills (that bill a day of ``[first, end)``) whose version has risen since; returns new ones.

    In memory are never more than :data:`CHUNK` bills, and of each no more than what its days stood on.

    Args:
        meters: validated usage.
        book: bills.
        now: domain time.
        first: the earliest day that the bills hold.
        end: the day after the latest on which they begin.
        service_points: whose bills; all for None.
    """
    noted, after = 0, None
    while True:
        part = await book.billed_days(
            first - LONGEST_BILL, end, bills_from=first, service_points=service_points, after=after, limit=CHUNK
        )
        if not part:
            return noted
        noted += await book.note_corrections(await _changed(meters, part), at=now)
        after = part[-1]


async def days_changed(meters: MeterData, book: BillBook, news: DaysChanged, now: datetime) -> int:
    """Queue the days of issued bills that validation has just given another version; return how many."""
    touched = [d.local_day for d in news.days if d.channel in _BILLED]
    if news.many:
        touched = [news.first, news.last]
    if not touched:
        return 0
    end = max(touched) + _DAY
    places = None if news.many else frozenset(d.service_point_id for d in news.days)
    return await find_corrections(meters, book, now, first=min(touched), end=end, service_points=places)


async def _changed(meters: MeterData, part: Sequence[BilledDays]) -> list[Correction]:
    """Return changed days: delivered energy by the version billed, received energy by when it became known.

    A bill keeps no version of what was received. A day of it that became known after the bill was made is noted with
    its version below zero, so that it is never taken for one of delivered energy.
    """
    low, high = min(b.first_day for b in part), max(b.last_day for b in part)
    points = sorted({b.service_point_id for b in part})
    delivered = await meters.daily_totals(SCOPE, points, Channel.DELIVERED, low, high)
    received = await meters.daily_totals(SCOPE, points, Channel.RECEIVED, low, high)
    seen = {key: version for key, version, _ in _versions(delivered)}
    known: dict[_Day, tuple[int, int]] = {key: (version, at) for key, version, at in _versions(received)}
    base = date(1970, 1, 1).toordinal()
    found = []
    for bill in part:
        made_at = epoch_s(bill.made_at)
        for number, billed in enumerate(bill.versions):
            day = bill.first_day + timedelta(days=number)
            key = bill.service_point_id.bytes, day.toordinal() - base
            version = seen.get(key, billed)
            # A bill made from register reads alone stands on no version of any day.
            if billed and version > billed:
                found.append(Correction(bill.bill_id, bill.service_point_id, day, billed, version))
            other, at = known.get(key, (0, 0))
            if at > made_at:
                found.append(Correction(bill.bill_id, bill.service_point_id, day, 0, -other))
    return found


_Day = tuple[bytes, int]


def _versions(totals: DailyTotals) -> Iterator[tuple[_Day, int, int]]:
    columns = (totals.service_point_id, totals.local_day, totals.version, totals.known_at)
    for point, day, version, known_at in zip(*columns, strict=True):
        yield (bytes(point), int(day)), int(version), int(known_at)


def month_before(day: date) -> tuple[date, date]:
    """Return the first days of the month before the day's and of the day's own.

    >>> month_before(date(2026, 1, 20))
    (datetime.date(2025, 12, 1), datetime.date(2026, 1, 1))
    """
    end = day.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1), end
