"""Compare rates on a customer's own intervals: the same energy, the same days, the same engine that bills.

The answer may be "stay": a saving below the noise is not advice. A rate that cannot price the data is listed with its
reason; it never vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from openami.billing.rating.determinant import determinants
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

MIN_COVERAGE = Decimal("0.95")
NOISE_SHARE = Decimal("0.02")
NOISE_AMOUNT_PER_YEAR = Decimal(20)
"""A saving under 2 % of the bill or under 20 a year is within what weather and habits move."""


@dataclass(frozen=True, slots=True)
class RateOutcome:
    """What one rate would have cost; ``refused`` says why it cannot be told."""

    schedule: RateSchedule
    bills: tuple[RatedBill, ...] = ()
    refused: str = ""

    @property
    def total(self) -> Decimal:
        """Sum of the bills."""
        return sum((b.total for b in self.bills), Decimal(0))


@dataclass(frozen=True, slots=True)
class Advice:
    """Which rate to be on: the present one unless another saves more than noise.

    Args:
        schedule: the advised rate; None where nothing can be said.
        saving: against the present rate (or against the dearest where none is named) over the span.
        reason: in words.
    """

    schedule: RateSchedule | None
    saving: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcomes, cheapest first, refused last; the share of intervals that were there; and the advice."""

    outcomes: tuple[RateOutcome, ...]
    coverage: Decimal
    advice: Advice


def compare_rates(
    schedules: Sequence[RateSchedule],
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    *,
    present: str | None = None,
) -> Comparison:
    """Price every rate on the same intervals.

    Args:
        schedules: the rates.
        usage: interval energy.
        spans: the bills' days.
        zone: the service point's zone.
        present: code of the rate that the customer is on, or None.
    """
    outcomes = [_outcome(s, usage, list(spans), zone) for s in schedules]
    priced = sorted((o for o in outcomes if not o.refused), key=lambda o: (o.total, o.schedule.code))
    coverage = _coverage(usage, spans, zone)
    days = sum(s.days for s in spans)
    ordered = (*priced, *(o for o in outcomes if o.refused))
    return Comparison(ordered, coverage, _advice(priced, coverage, days, present))


def _outcome(schedule: RateSchedule, usage: Usage, spans: list[BillSpan], zone: ZoneInfo) -> RateOutcome:
    try:
        return RateOutcome(schedule, tuple(rate(schedule, d) for d in determinants(schedule, usage, spans, zone)))
    except TariffError as error:
        return RateOutcome(schedule, refused=str(error))


def _coverage(usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo) -> Decimal:
    expected = there = 0
    for span in spans:
        period = span.period(zone)
        expected += period.duration_s // usage.interval_s
        there += int(((usage.start_s >= period.start_s) & (usage.start_s < period.end_s)).sum())
    return (Decimal(there) / expected).quantize(Decimal("0.0001")) if expected else Decimal(0)


def _advice(priced: list[RateOutcome], coverage: Decimal, days: int, present: str | None) -> Advice:
    if not priced:
        return Advice(None, Decimal(0), "no rate can price these intervals")
    if coverage < MIN_COVERAGE:
        reason = f"only {coverage:.1%} of the intervals are there; {MIN_COVERAGE:.0%} are needed to advise"
        return Advice(None, Decimal(0), reason)
    best = priced[0]
    now = next((o for o in priced if o.schedule.code == present), None)
    base = now or priced[-1]
    saving = base.total - best.total
    noise = max(abs(base.total) * NOISE_SHARE, NOISE_AMOUNT_PER_YEAR * days / 365)
    season = "" if days >= 360 else f"; {days} days do not hold every season, so a year may differ"
    if now is None:
        reason = f"cheapest of {len(priced)} on these intervals, {saving} below the dearest{season}"
        return Advice(best.schedule, saving, reason)
    if best is now:
        return Advice(now.schedule, Decimal(0), f"stay: no other rate is cheaper on these intervals{season}")
    if saving < noise:
        return Advice(now.schedule, Decimal(0), f"stay: the best other rate saves {saving}, within noise{season}")
    return Advice(best.schedule, saving, f"saves {saving} over {days} days on the same intervals{season}")
