"""The open bill: what a customer would owe if it closed now, and where its total will likely end. For screens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import sqrt
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from openami.billing.bill.make import kept_lines
from openami.billing.bill.record import KeptLine
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import Period

_LOG = structlog.get_logger("billing")
BAND_Z = 1.28
"""Four in five outcomes lie within 1.28 standard deviations of the mean."""


@dataclass(frozen=True, slots=True)
class BillSoFar:
    """The open bill: priced as if it closed now, and a forecast of its total.

    Args:
        span: local days of the bill, to the day on which it is to be read.
        period: the same in UTC.
        rate_code, rate_name, currency: the rate.
        usage_wh: energy so far.
        total: of the lines so far, fixed charges whole.
        lines: what it charges so far.
        forecast_low, forecast_high: the total at the end, four times in five; None in the first two days.
        estimated_share: of the energy so far.
        through: end of the newest interval in it; None where there is none.
    """

    span: BillSpan
    period: Period
    rate_code: str
    rate_name: str
    currency: str
    usage_wh: int
    total: Decimal
    lines: tuple[KeptLine, ...]
    forecast_low: Decimal | None
    forecast_high: Decimal | None
    estimated_share: float
    through: int | None


def so_far(
    schedule: RateSchedule, usage: Usage, span: BillSpan, zone: ZoneInfo, now: datetime, terms: BillTerms = NO_TERMS
) -> BillSoFar | None:
    """Return the open bill from its intervals until now; None where the rate cannot price them."""
    try:
        found = determinants(schedule, usage, [span], zone, terms)[0]
    except TariffError as error:
        # The bill at the cycle's end will be held with this reason; a page has nothing to show until then.
        _LOG.info("bill_so_far.refused", clause=error.clause)
        return None
    rated = rate(schedule, found, terms)
    low, high = _forecast(schedule, usage, found, zone, now, terms)
    return BillSoFar(
        span=span,
        period=span.period(zone),
        rate_code=schedule.code,
        rate_name=schedule.name,
        currency=schedule.currency,
        usage_wh=found.usage_wh,
        total=rated.total,
        lines=kept_lines(schedule, rated, ()),
        forecast_low=low,
        forecast_high=high,
        estimated_share=found.estimated_wh / found.usage_wh if found.usage_wh else 0.0,
        through=int(usage.start_s[-1]) + usage.interval_s if len(usage.start_s) else None,
    )


def _forecast(
    schedule: RateSchedule, usage: Usage, found: Determinants, zone: ZoneInfo, now: datetime, terms: BillTerms
) -> tuple[Decimal | None, Decimal | None]:
    """Scale the energy so far to the bill's end by the mean day and its spread, and rate both edges."""
    begin, end = found.span.period(zone).start_s, found.span.period(zone).end_s
    days_past = (now.timestamp() - begin) / 86_400
    if days_past < 2 or not found.usage_wh:
        return None, None
    daily = np.bincount((usage.start_s - begin) // 86_400, weights=usage.wh.astype(np.float64))[: int(days_past)]
    left = max(0.0, (end - now.timestamp()) / 86_400)
    mean, spread = float(daily.mean()), float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    edges = []
    for sign in (-1, 1):
        more = max(0.0, left * mean + sign * BAND_Z * spread * sqrt(left))
        scale = (found.usage_wh + more) / found.usage_wh
        energy = {k: round(v * scale) for k, v in found.energy_wh.items()}
        blocks = {k: round(v * scale) for k, v in found.blocks_wh.items()}
        whole = replace(found, usage_wh=sum(energy.values()), energy_wh=energy, blocks_wh=blocks)
        edges.append(rate(schedule, whole, terms).total)
    return edges[0], edges[1]
