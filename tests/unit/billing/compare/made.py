"""A made home: a base load, an evening peak on weekdays, heating in winter and cooling in summer."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating import BillSpan, Usage, calendar_months
from openami.billing.rating.calendar import local_times
from openami.billing.tariff import shipped_rates

CHICAGO = ZoneInfo("America/Chicago")
RATES = shipped_rates()
ANYTIME, SMART = RATES["ameren-mo-anytime"], RATES["ameren-mo-smart"]
OVERNIGHT, ULTIMATE = RATES["ameren-mo-overnight"], RATES["ameren-mo-ultimate"]
YEAR = calendar_months(date(2025, 11, 1), date(2026, 11, 1))


def home(spans: list[BillSpan], *, seed: int = 1, evening_wh: int = 300) -> Usage:
    """Return quarter-hours of a home over the spans."""
    period_s = (spans[0].period(CHICAGO).start_s, spans[-1].period(CHICAGO).end_s)
    start = np.arange(*period_s, 900, dtype=np.int64)
    times = local_times(start, CHICAGO)
    month = times.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    season = np.array([0, 180, 150, 90, 30, 20, 120, 200, 190, 80, 20, 90, 160])[month]
    evening = np.where((times.minute >= 17 * 60) & (times.minute < 21 * 60), evening_wh, 0)
    noise = np.random.default_rng(seed).integers(20, 120, len(start))
    return Usage(start, (noise + season + evening).astype(np.int64), 900)


def flat(spans: list[BillSpan], wh: int) -> Usage:
    """Return one figure for every quarter-hour."""
    start = np.arange(spans[0].period(CHICAGO).start_s, spans[-1].period(CHICAGO).end_s, 900, dtype=np.int64)
    return Usage(start, np.full(len(start), wh, np.int64), 900)
