"""Asks both roads for a cycle's energy and lays them side by side: validated days, and what bills print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np

from openami.billing.bill.record import Assignment, Bill, BillState
from openami.billing.ledger.conservation import I64, BilledEnergy, EnergyBalance, PlaceDays, balance_of
from openami.contracts.channel import Channel
from openami.contracts.day import day_number
from openami.contracts.reading import uuids_of
from openami.mdm.api import MeterData
from openami.security.access.scope import Purpose, system_scope

AT_ONCE = 2_000
"""Places of one turn."""
SCOPE = system_scope(process="balance", purpose=Purpose.BILLING)


class BilledBook(Protocol):
    """What the check asks of bills."""

    async def bills_over(self, service_points: Collection[UUID], first: date, last: date) -> list[Bill]:
        """Return issued and held bills, without lines, of these places that bill a day from first to last."""
        ...

    async def days_left(self, bill_ids: Collection[UUID]) -> set[tuple[UUID, date]]:
        """Return days of bills whose change was left: decided so, or within tolerance."""
        ...

    async def assignments(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        """Return assignments by service point and first day."""
        ...


@dataclass(frozen=True, slots=True)
class EnergyCheck:
    """Balances energy.

    Args:
        meters: validated days.
        book: bills.
    """

    meters: MeterData
    book: BilledBook

    async def balance(self, service_points: Sequence[UUID], first: date, end: date) -> EnergyBalance:
        """Return the balance of places over local days ``[first, end)``.

        A bill that reaches beyond these days is taken whole, with all of its days.
        """
        total = EnergyBalance()
        for at in range(0, len(service_points), AT_ONCE):
            total += await self._part(service_points[at : at + AT_ONCE], first, end)
        return total

    async def _part(self, points: Sequence[UUID], first: date, end: date) -> EnergyBalance:
        bills = await self.book.bills_over(points, first, end - timedelta(days=1))
        low = min([first, *(b.span.first for b in bills)])
        high = max([end, *(b.span.end for b in bills)])
        days = (high - low).days
        row_of = {p: r for r, p in enumerate(points)}
        wh, version = await self._latest(points, row_of, low, days)
        counted = np.zeros((len(points), days), bool)
        counted[:, (first - low).days : (end - low).days] = True
        on_bill, on_hold = np.zeros_like(counted), np.zeros_like(counted)
        issued = [b for b in bills if b.state is BillState.ISSUED]
        for bill in bills:
            where = row_of[bill.service_point_id], slice((bill.span.first - low).days, (bill.span.end - low).days)
            (on_bill if bill.state is BillState.ISSUED else on_hold)[where] = True
            if _is_by_register(bill):
                # Its days hold no intervals, or not all of them: what its register advanced stands for them.
                wh[where] = version[where] = 0
        counted |= on_bill
        then, is_left = await self._then(issued, row_of, low, wh, version)
        has_rate = await self._has_rate(points, row_of, low, days)
        columns = (wh, then, on_bill, on_hold, has_rate, is_left)
        found = PlaceDays(*(c[counted] for c in columns))  # type: ignore[arg-type]
        advanced = sum(_advanced_wh(b) for b in issued if _is_by_register(b))
        return balance_of(found, [_printed(b) for b in issued], by_register_wh=advanced)

    async def _latest(self, points: Sequence[UUID], row_of: dict[UUID, int], low: date, days: int) -> tuple[I64, I64]:
        last = low + timedelta(days=days - 1)
        totals = await self.meters.daily_totals(SCOPE, points, Channel.DELIVERED, low, last)
        wh, version = np.zeros((len(points), days), np.int64), np.zeros((len(points), days), np.int64)
        rows = np.array([row_of[p] for p in uuids_of(totals.service_point_id)], dtype=np.int64)
        columns = totals.local_day.astype(np.int64) - day_number(low)
        wh[rows, columns], version[rows, columns] = totals.total, totals.version.astype(np.int64)
        return wh, version

    async def _then(
        self, bills: Sequence[Bill], row_of: dict[UUID, int], low: date, wh: I64, version: I64
    ) -> tuple[I64, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
        """Return energy by the versions that bills were made from, and which changes since were left."""
        then, is_left = wh.copy(), np.zeros(wh.shape, bool)
        left = await self.book.days_left([b.bill_id for b in bills])
        changed: dict[datetime, list[Bill]] = defaultdict(list)
        for bill in bills:
            row, at = row_of[bill.service_point_id], (bill.span.first - low).days
            if (version[row, at : at + bill.span.days] != np.array(bill.day_versions)).any():
                changed[bill.made_at].append(bill)
        place_of = {b.bill_id: row_of[b.service_point_id] for b in bills}
        for bill_id, day in left:
            is_left[place_of[bill_id], (day - low).days] = True
        for made_at, some in changed.items():
            await self._known(some, made_at, row_of, low, then)
        return then, is_left

    async def _known(
        self, bills: Sequence[Bill], made_at: datetime, row_of: dict[UUID, int], low: date, then: I64
    ) -> None:
        """Put in place what was known of the days of bills when they were made."""
        first, last = min(b.span.first for b in bills), max(b.span.last for b in bills)
        points = [b.service_point_id for b in bills]
        known = await self.meters.store.daily_totals(SCOPE, points, Channel.DELIVERED, first, last, as_known_at=made_at)
        spans = {b.service_point_id: b.span for b in bills}
        for bill in bills:
            at = (bill.span.first - low).days
            then[row_of[bill.service_point_id], at : at + bill.span.days] = 0
        owners = uuids_of(known.service_point_id)
        for point, number, total in zip(owners, known.local_day.tolist(), known.total.tolist(), strict=True):
            span, day = spans[point], number - day_number(low)
            if (span.first - low).days <= day < (span.end - low).days:
                then[row_of[point], day] = total

    async def _has_rate(
        self, points: Sequence[UUID], row_of: dict[UUID, int], low: date, days: int
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        found = np.zeros((len(points), days), bool)
        for row in await self.book.assignments(set(points)):
            begin = max((row.first_day - low).days, 0)
            end = days if row.end_day is None else min((row.end_day - low).days, days)
            if begin < end:
                found[row_of[row.service_point_id], begin:end] = True
        return found


def _is_by_register(bill: Bill) -> bool:
    """Tell whether an issued bill was made from register reads alone."""
    return bill.state is BillState.ISSUED and not any(bill.day_versions)


def _advanced_wh(bill: Bill) -> int:
    """Return what the registers of delivered energy advanced within a bill, by the reads that it prints."""
    return sum(p.usage_wh or 0 for p in bill.reads if p.channel is Channel.DELIVERED)


def _printed(bill: Bill) -> BilledEnergy:
    """Return what a bill charges for: its usage, less what is carried on, more what was carried to it."""
    carried = bill.carried_out.remainder_wh - bill.carried_in.remainder_wh
    return BilledEnergy((bill.usage_wh or 0) - carried, bill.estimated_wh or 0, carried)
