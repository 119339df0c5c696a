"""Why a customer cannot be on a rate, from all that the platform knows of the place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.compare.coverage import coverage_of
from openami.billing.compare.ports import PlaceFacts
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.model import RateSchedule

LEAST_SHARE = Decimal("0.95")
"""Of a year's intervals: with fewer nobody can say that a customer uses too little for a rate."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a customer is.

    Args:
        demand_w: mean power of the highest measured interval [W]; None where none was measured.
        year_wh: energy of the spans [Wh].
        is_whole: whether nearly all of a year is there.
    """

    demand_w: int | None = None
    year_wh: int | None = None
    is_whole: bool = False


def size_of(usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo) -> Size:
    """Return how large a customer is over the twelve months of a comparison. An estimate sets no peak."""
    if not len(usage.wh):
        return Size()
    measured = usage.wh if usage.estimated is None else usage.wh[~usage.estimated]
    highest = int(measured.max()) * 3600 // usage.interval_s if len(measured) else None
    share = coverage_of(usage, spans, zone, least=LEAST_SHARE).share
    is_whole = share >= LEAST_SHARE and sum(s.days for s in spans) >= 365
    return Size(highest, int(np.sum(usage.wh)), is_whole)


def barred(schedule: RateSchedule, day: date, facts: PlaceFacts, size: Size) -> str:
    """Return why a customer cannot be on a rate; empty where nothing known stands against it.

    Args:
        schedule: the rate.
        day: on which they would be.
        facts: of the place.
        size: of the customer.
    """
    index = schedule.find_version(day)
    if index is None:
        return f"it has no prices in force on {day}"
    rules = schedule.versions[index].eligibility
    against = rules.reasons_against(
        facts.attributes, demand_w=size.demand_w, year_wh=size.year_wh, is_whole_year=size.is_whole,
        is_interconnected=facts.is_interconnected,
    )  # fmt: skip
    return "; ".join(against)
