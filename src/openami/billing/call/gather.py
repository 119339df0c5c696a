"""Gather what an answer is made from: the bill, the one to compare it with, both days' energy by hour, the meter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from openami.billing.bill.making import fleet_usage
from openami.billing.bill.record import Bill, BillState
from openami.billing.call.facts import CallFacts, Hourly
from openami.billing.call.weather import BASELINE_DAYS, WHOLE, WeatherFacts
from openami.billing.ports import BillBook
from openami.billing.rating.calendar import local_times
from openami.billing.statement.usage import year_before
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import zone_named
from openami.mdm.api import MeterData
from openami.security.access.scope import Scope

_EPOCH_ORDINAL = 719_163


async def call_facts(meters: MeterData, book: BillBook, scope: Scope, bill: Bill) -> CallFacts:
    """Return the facts of an answer about one bill.

    Args:
        meters: validated days, meters, findings.
        book: the other bills.
        scope: of whoever asks: a customer is answered from their own time alone.
        bill: with lines.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
    """
    earlier = [b for b in await book.bills(scope, bill.service_point_id) if _is_earlier(b, bill)]
    same_days = year_before(bill, earlier)
    newest = max(earlier, key=lambda b: (b.span.first, b.version), default=None)
    chosen = same_days or newest
    before = None if chosen is None else await book.bill(scope, chosen.bill_id)
    period = bill.period
    hung = await meters.installed(scope, bill.service_point_id, period)
    last = hung[-1] if hung else None
    findings = await meters.findings(scope, {bill.service_point_id}, bill.span.first, bill.span.last)
    return CallFacts(
        bill=bill,
        before=before,
        is_year_before=same_days is not None,
        now=await hourly_of(meters, scope, bill),
        then=None if before is None else await hourly_of(meters, scope, before),
        meter_since=None if last is None else last.installation.start,
        serial="" if last is None else last.meter.serial,
        findings=tuple(dict.fromkeys(f.rule for f in findings)),
        weather=await _weather(meters, scope, bill, before, earlier),
    )


async def _weather(
    meters: MeterData, scope: Scope, bill: Bill, before: Bill | None, earlier: Sequence[Bill]
) -> WeatherFacts | None:
    """Return the temperatures around a bill, and the whole measured days of the same customer in the year before it."""
    year = bill.span.first - timedelta(days=BASELINE_DAYS)
    first = min([year, *([] if before is None else [before.span.first])])
    found = await meters.weather(scope, bill.service_point_id, first, bill.span.end)
    if found is None:
        return None
    previous = max(earlier, key=lambda b: (b.span.first, b.version), default=None)
    # Days that no earlier bill of this customer holds are somebody else's, or nobody's: who comes back was away.
    start = max(year, min((b.span.first for b in earlier), default=bill.span.first))
    days = await _whole_days(meters, scope, bill, start) if start < bill.span.first else ()
    baseline = tuple((day, wh) for day, wh in days if any(b.span.first <= day < b.span.end for b in earlier))
    return WeatherFacts(found, baseline, None if previous is None else previous.span)


async def _whole_days(meters: MeterData, scope: Scope, bill: Bill, start: date) -> tuple[tuple[date, int], ...]:
    last = bill.span.first - timedelta(days=1)
    totals = await meters.daily_totals(scope, [bill.service_point_id], Channel.DELIVERED, start, last)
    # Estimates are scaled to the registers, so a few of them leave a day's energy what it was.
    most = (1 - WHOLE) * totals.intervals
    whole = (totals.intervals > 0) & (totals.missing == 0) & (totals.estimated <= most)
    days = (date.fromordinal(int(d) + _EPOCH_ORDINAL) for d in totals.local_day[whole])
    return tuple(zip(days, map(int, totals.total[whole]), strict=True))


def _is_earlier(other: Bill, bill: Bill) -> bool:
    """Tell whether a bill is one to compare with: the same customer's, of earlier days, sent out, in force."""
    if not other.is_of_same_account(bill):
        return False
    return other.span.first < bill.span.first and other.state is BillState.ISSUED and other.usage_wh is not None


async def hourly_of(meters: MeterData, scope: Scope, bill: Bill) -> Hourly | None:
    """Return a bill's energy by local day and hour of the wall clock, as it was billed; None where it is not kept.

    Raises:
        As :func:`call_facts`.
    """
    usages = await fleet_usage(meters, scope, [bill.service_point_id], bill.span, known_at=bill.made_at)
    if not usages:
        return None
    usage = usages[0]
    times = local_times(usage.start_s, zone_named(bill.zone))
    day = times.day + _EPOCH_ORDINAL - bill.span.first.toordinal()
    inside = (day >= 0) & (day < bill.span.days)
    wh = np.maximum(usage.wh[0], 0)
    estimated = np.where(usage.quality[0] == QualityState.ESTIMATED, wh, 0)
    tables = np.zeros((2, bill.span.days, 24), np.int64)
    for table, values in zip(tables, (wh, estimated), strict=True):
        np.add.at(table, (day[inside], times.minute[inside] // 60), values[inside])
    return Hourly(tables[0], tables[1])
