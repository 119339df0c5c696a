"""Accrues what is earned and not billed at a month's end, for every place that is on a rate then, and takes it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np

from openami.billing.bill.record import Assignment, Bill
from openami.billing.ledger.entry import Entry, agreement_id_of, reversal_of
from openami.billing.ledger.ports import LedgerBook
from openami.billing.ledger.unbilled import OpenUsage, Yardstick, rate_yardsticks, unbilled_entry, yardstick_of
from openami.contracts.channel import Channel
from openami.contracts.day import day_number
from openami.contracts.reading import uuids_of
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import FactKind, MeterData
from openami.security.access.scope import Purpose, system_scope

AT_ONCE = 2_000
LONGEST = timedelta(days=62)
"""Days further back count for nothing: a bill that is held for longer has its reason, and an auditor asks for that."""
SCOPE = system_scope(process="ledger", purpose=Purpose.BILLING)


class AccrualBook(Protocol):
    """What accruing asks of bills."""

    async def assignments(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        """Return assignments by service point and first day; of all for None."""
        ...

    async def last_bills(self, service_points: Collection[UUID], before: date) -> list[Bill]:
        """Return of each place the bill in force that ends last by a day, with its lines."""
        ...


@dataclass(frozen=True, slots=True)
class Accrual:
    """Accrues unbilled revenue.

    Args:
        meters: validated days.
        bills: what was billed.
        ledger: where entries are kept.
    """

    meters: MeterData
    bills: AccrualBook
    ledger: LedgerBook

    async def month_end(self, month_end: date, *, at: datetime) -> int:
        """Book what is earned and not billed by a day, and take it back on the next; returns places that are new.

        Args:
            month_end: the last day of a month.
            at: domain time, after that day is validated.
        """
        day_after = month_end + timedelta(days=1)
        rates: dict[UUID, list[Assignment]] = {}
        for a in await self.bills.assignments(None):
            if a.first_day < day_after and (a.end_day is None or a.end_day > day_after - LONGEST):
                rates.setdefault(a.service_point_id, []).append(a)
        assigned, new = list(rates), 0
        for start in range(0, len(assigned), AT_ONCE):
            entries = await self._entries({p: rates[p] for p in assigned[start : start + AT_ONCE]}, month_end, at)
            backs = [reversal_of(e, day=day_after, made_at=at) for e in entries]
            new += await self.ledger.keep([*entries, *backs]) // 2
        return new

    async def _entries(self, rates: Mapping[UUID, Sequence[Assignment]], month_end: date, at: datetime) -> list[Entry]:
        end = month_end + timedelta(days=1)
        points = list(rates)
        last = {b.service_point_id: b for b in await self.bills.last_bills(points, end)}
        sticks = rate_yardsticks(last.values())
        begins = {p: _begin(own[0], last.get(p), end) for p, own in rates.items()}
        used = await self._used(begins, end)
        accounts = await self._accounts(points)
        found = []
        for point, assigned in rates.items():
            bill, code = last.get(point), assigned[-1].rate_code
            spans: dict[str | None, list[Holder]] = {}
            for holder in holders(begins[point], end, accounts.get(point, ()), bill):
                spans.setdefault(holder.account, []).append(holder)
            for account, some in spans.items():
                there = used.get(point, {})
                days = {d for h in some for d in _days_on_a_rate(h, assigned)}
                wh = [there[d] for d in there if d in days]
                agreement = agreement_id_of(point, account)
                usage = OpenUsage(agreement, point, code, len(days), sum(wh), len(days) - len(wh))
                is_own = bill is not None and account == _account_of(bill)
                own = _own(bill, code, is_any=code not in sticks) if is_own else None
                entry = unbilled_entry(usage, own, sticks, month_end=month_end, made_at=at)
                found += [] if entry is None else [entry]
        return found

    async def _accounts(self, points: Sequence[UUID]) -> dict[UUID, list[Holder]]:
        """Return who held each place from when to when, by first day."""
        found: dict[UUID, list[Holder]] = {}
        facts = await self.meters.registry.facts.of(points, kinds=[FactKind.ACCOUNT])
        if not facts:
            return found
        known = {f.service_point_id for f in facts}
        zones = {p.id: zone_named(p.zone) for p in await self.meters.registry.service_points(known)}
        for fact in facts:
            zone = zones[fact.service_point_id]
            end = date.max if fact.end is None else local_date(fact.end, zone)
            found.setdefault(fact.service_point_id, []).append(Holder(fact.value, local_date(fact.start, zone), end))
        return found

    async def _used(self, begins: Mapping[UUID, date], end: date) -> dict[UUID, dict[date, int]]:
        """Return energy of each day since each place's last bill on which there are readings [Wh]."""
        points = [p for p, begin in begins.items() if begin < end]
        if not points:
            return {}
        first = min(begins[p] for p in points)
        totals = await self.meters.daily_totals(SCOPE, points, Channel.DELIVERED, first, end - timedelta(days=1))
        found: dict[UUID, dict[date, int]] = {}
        owners = uuids_of(totals.service_point_id)
        lows = np.array([day_number(begins[p]) for p in owners], dtype=np.int64)
        for index in np.flatnonzero(totals.local_day >= lows).tolist():
            day = end + timedelta(days=int(totals.local_day[index]) - day_number(end))
            found.setdefault(owners[index], {})[day] = int(totals.total[index])
        return found


@dataclass(frozen=True, slots=True)
class Holder:
    """An account that held a place on local days ``[first, end)``; None where none is named."""

    account: str | None
    first: date
    end: date


def holders(first: date, end: date, accounts: Sequence[Holder], bill: Bill | None) -> list[Holder]:
    """Return whose the days are that no bill holds yet, each account with its own.

    Where the registry names no account at all, they are the last bill's, unless that was the account's last one: then
    the place itself stands for whoever came. Days on which nobody held a place whose accounts are named are its own.

    Args:
        first: the first day on no bill.
        end: the day after the month's last.
        accounts: of the place, by first day.
        bill: the last that went out, or None.
    """
    if first >= end:
        return []
    if not accounts:
        stopped = bill is None or bill.ends_service
        return [Holder(None if stopped or bill is None else _account_of(bill), first, end)]
    found: list[Holder] = []
    day = first
    for one in accounts:
        begin, stop = max(one.first, day), min(one.end, end)
        if begin >= stop:
            continue
        found += [Holder(None, day, begin)] if begin > day else []
        found.append(Holder(one.account, begin, stop))
        day = stop
    return [*found, Holder(None, day, end)] if day < end else found


def _account_of(bill: Bill) -> str | None:
    return None if bill.account_id is None else str(bill.account_id)


def _begin(assigned: Assignment, bill: Bill | None, end: date) -> date:
    """Return the first day that is not billed yet, at most two months back."""
    begin = assigned.first_day if bill is None else max(assigned.first_day, bill.span.end)
    return max(begin, end - LONGEST)


def _days_on_a_rate(held: Holder, assigned: Sequence[Assignment]) -> list[date]:
    """Return the days of a holder on which the place was on any rate: a change within them leaves none out."""
    days = (held.first + timedelta(days=n) for n in range((held.end - held.first).days))
    return [d for d in days if any(a.first_day <= d and (a.end_day is None or d < a.end_day) for a in assigned)]


def _own(bill: Bill | None, rate_code: str, *, is_any: bool = False) -> Yardstick | None:
    """Return what a Wh and a day came to on a place's last bill of the same rate; nothing where it billed no energy.

    Args:
        bill: the last one.
        rate_code: of the place at the month's end.
        is_any: no place was billed on that rate yet, so that a bill of another tells more than none.
    """
    if bill is None or not bill.usage_wh or (bill.own_rate_code != rate_code and not is_any):
        return None
    return yardstick_of([bill])
