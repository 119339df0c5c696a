"""Bills and their statements, made by the engine from seeded use."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.bill.make import kept_lines
from openami.billing.bill.record import Bill, BillState, ReadingState, bill_id_of
from openami.billing.rating.determinant import determinants
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.statement.facts import StatementFacts
from openami.billing.statement.record import DayBar
from openami.billing.tariff.load import shipped_rates
from openami.billing.tariff.model import RateSchedule
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

ZONE = ZoneInfo("America/Chicago")
POINT = UUID(int=7)
RATES = shipped_rates()


def made_usage(span: BillSpan, *, scale: float = 1.0, estimated: range = range(0)) -> Usage:
    """Return an evening-heavy home of about 19 kWh a day."""
    period = span.period(ZONE)
    start = np.arange(period.start_s, period.end_s, 900)
    dice = np.random.default_rng(span.first.toordinal())
    hour = ((start - 6 * 3600) % 86_400) / 3600
    wh = (scale * (120 + 150 * np.exp(-(((hour - 18) / 3) ** 2)) + dice.integers(0, 90, len(start)))).astype(np.int64)
    return Usage(start, wh, 900, np.isin(np.arange(len(start)), estimated))


def made_bill(
    span: BillSpan, schedule: RateSchedule, *, scale: float = 1.0, estimated: range = range(0)
) -> tuple[Bill, tuple[DayBar, ...]]:
    """Return an issued bill and its days."""
    usage = made_usage(span, scale=scale, estimated=estimated)
    rated = rate(schedule, determinants(schedule, usage, [span], ZONE)[0])
    found, period = rated.determinants, span.period(ZONE)
    bill = Bill(
        bill_id=bill_id_of(POINT, span.first, 1), service_point_id=POINT, span=span, zone=ZONE.key,
        rate_code=schedule.code, rate_name=schedule.name, currency=schedule.currency, state=BillState.ISSUED,
        day_versions=(1,) * span.days, made_at=period.end, issued_at=period.end + timedelta(hours=9),
        begin_register_wh=12_345_678, end_register_wh=12_345_678 + found.usage_wh, usage_wh=found.usage_wh,
        received_wh=0, estimated_wh=found.estimated_wh, exact_total=rated.exact_total, total=rated.total,
        lines=kept_lines(schedule, rated, (1,) * span.days),
    )  # fmt: skip
    return bill, tuple(_bar(span.first + timedelta(days=n), usage) for n in range(span.days))


def _bar(day: date, usage: Usage) -> DayBar:
    period = BillSpan(day, day + timedelta(days=1)).period(ZONE)
    inside = (usage.start_s >= period.start_s) & (usage.start_s < period.end_s)
    flags = inside if usage.estimated is None else inside & usage.estimated
    return DayBar(day, int(usage.wh[inside].sum()), int(usage.wh[flags].sum()))


def made_read(bill: Bill) -> ReadPiece:
    """Return the reads of one meter over the whole bill."""
    begin, end = (
        EndOfRead(at, value, ReadKind.SCHEDULED)
        for at, value in ((bill.period.start, bill.begin_register_wh), (bill.period.end, bill.end_register_wh))
    )
    return ReadPiece(POINT, "OAM1004711", Channel.DELIVERED, begin, end, 1, None)


def made_facts(code: str = "ameren-mo-smart", *, estimated: range = range(400, 430)) -> StatementFacts:
    """Return a bill over a season's edge with a year of bills before it."""
    schedule = RATES[code]
    bill, bars = made_bill(BillSpan(date(2026, 9, 20), date(2026, 10, 20)), schedule, estimated=estimated)
    state = ReadingState.ESTIMATED_INTERVALS if len(estimated) else ReadingState.ACTUAL
    bill = replace(bill, reads=(made_read(bill),), due_on=date(2026, 11, 12), reading_state=state)
    edges = [date(2025 + (m + 8) // 12, (m + 8) % 12 + 1, 20) for m in range(13)]
    spans = [BillSpan(a, b) for a, b in itertools.pairwise(edges)]
    earlier = [made_bill(s, schedule, scale=0.8 + 0.05 * (n % 5))[0] for n, s in enumerate(spans)]
    return StatementFacts(
        bill, schedule, bars,
        tuple(replace(b, lines=()) for b in reversed(earlier)),
        ("A. Customer", "12 Elm Street")
    )  # fmt: skip
