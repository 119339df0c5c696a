"""Billing determinants: what a rate multiplies by prices. Energy by price period, and peaks by demand period.

Two engines give the same determinants: this one in columns, and the one in
:mod:`openami.billing.rating.reference`, which reads like the rate sheet. A property test holds them equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE, DayRate, day_rates, local_times, price_keys
from openami.billing.rating.demand import LeftOut, Peak, demand_of
from openami.billing.rating.piece import piece_edges
from openami.billing.rating.pool import Pool, pools
from openami.billing.rating.received import FoundReceived, has_export, received_of
from openami.billing.rating.signal import amount_at
from openami.billing.rating.terms import NO_TERMS, BillTerms, terms_of_each
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope
from openami.kernel.time import local_midnight


@dataclass(frozen=True, slots=True)
class Determinants:
    """What one bill is computed from.

    Args:
        span: days billed.
        usage_wh: delivered energy.
        energy_wh: delivered energy that is charged, by (version, price period); hour by hour net where the rate says.
        blocks_wh: by (version, price period, block), where blocks fill in order of time; empty otherwise.
        peaks: by (version, demand charge, demand period).
        received_wh: energy received from the customer.
        intervals: how many intervals were there.
        expected: how many the days have.
        estimated: how many of them were estimated.
        estimated_wh: energy in those.
        piece_wh: delivered energy by the first day of each part in which no rider changes; empty for one part.
        signal_amounts: energy times the price of the period's series, by (version, price period) that follows one.
        windows: how many demand windows the days have, by (version, demand charge, demand period).
        left_out: those with a missing or estimated interval: they set no peak.
        credited_wh: received energy that export terms credit, by (version, price period, dates of the export price).
        uncredited_wh: received energy without an approved interconnection, where the rate has export terms.
        uncredited_days: those days.
    """

    span: BillSpan
    usage_wh: int
    energy_wh: Mapping[tuple[int, int], int]
    blocks_wh: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    peaks: Mapping[tuple[int, int, int], Peak] = field(default_factory=dict)
    received_wh: int = 0
    intervals: int = 0
    expected: int = 0
    estimated: int = 0
    estimated_wh: int = 0
    piece_wh: Mapping[date, int] = field(default_factory=dict)
    signal_amounts: Mapping[tuple[int, int], Fraction] = field(default_factory=dict)
    windows: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    credited_wh: Mapping[tuple[int, int, int], int] = field(default_factory=dict)
    uncredited_wh: int = 0
    uncredited_days: tuple[date, ...] = ()

    @property
    def missing(self) -> int:
        """Intervals that the days have and the usage has not."""
        return max(0, self.expected - self.intervals)

    @property
    def left_out_windows(self) -> int:
        """Demand windows that set no peak, of all demand charges."""
        return sum(row.windows for row in self.left_out)


def determinants(
    schedule: RateSchedule,
    usage: Usage,
    spans: list[BillSpan],
    zone: ZoneInfo,
    terms: BillTerms | Sequence[BillTerms] = NO_TERMS,
) -> list[Determinants]:
    """Return the determinants of each bill.

    Args:
        schedule: the rate.
        usage: interval energy; what lies outside the spans is left alone.
        spans: the bills' days.
        zone: the service point's zone.
        terms: of every bill, or one for each.

    Raises:
        TariffError: no version in force, an interval crosses a price period, or a demand window does not fit.
    """
    bills, keys = price_keys(schedule, usage.start_s, usage.interval_s, spans, zone, terms)
    found = []
    for index, (span, own) in enumerate(zip(spans, terms_of_each(terms, spans), strict=True)):
        rows = np.flatnonzero(bills == index)
        rates = day_rates(schedule, span, own)
        wh, key = usage.wh[rows], keys[rows]
        received, charged = _received(schedule, usage, rows, key, span, rates, own, zone)
        demand = demand_of(schedule, usage, span, rates, zone, own.coincident)
        estimated = np.zeros(len(rows), np.bool_) if usage.estimated is None else usage.estimated[rows]
        found.append(
            Determinants(
                span=span,
                usage_wh=int(wh.sum()),
                energy_wh=_by_key(key, charged),
                blocks_wh=_running(schedule, pools(schedule, span, rates, own), key, charged),
                peaks=demand.peaks,
                received_wh=0 if usage.received_wh is None else int(usage.received_wh[rows].sum()),
                intervals=len(rows),
                expected=span.expected_intervals(zone, usage.interval_s),
                estimated=int(estimated.sum()),
                estimated_wh=int(wh[estimated].sum()),
                piece_wh=_pieces(piece_edges(schedule, span, rates, own), usage.start_s[rows], charged, zone),
                signal_amounts=_signals(schedule, own, usage.interval_s, usage.start_s[rows], charged, key),
                windows=demand.windows,
                left_out=demand.left_out,
                credited_wh=received.credited_wh,
                uncredited_wh=received.uncredited_wh,
                uncredited_days=received.uncredited_days,
            )
        )
    return found


def _received(
    schedule: RateSchedule,
    usage: Usage,
    rows: I64,
    key: I64,
    span: BillSpan,
    rates: list[DayRate],
    terms: BillTerms,
    zone: ZoneInfo,
) -> tuple[FoundReceived, I64]:
    """Return received energy that counts, and delivered energy as it is charged."""
    wh = usage.wh[rows]
    if usage.received_wh is None or not len(rows) or not has_export(schedule, rates):
        return FoundReceived(), wh
    return received_of(
        schedule, span, rates, terms, interval_s=usage.interval_s, times=local_times(usage.start_s[rows], zone),
        key=key, wh=wh, received_wh=usage.received_wh[rows],
    )  # fmt: skip


def _pieces(edges: tuple[date, ...], start_s: I64, wh: I64, zone: ZoneInfo) -> dict[date, int]:
    """Sum energy by the parts of the bill that begin on these days."""
    if len(edges) == 1:
        return {}
    bounds = np.array([int(local_midnight(d, zone).timestamp()) for d in edges], dtype=np.int64)
    part = np.searchsorted(bounds, start_s, side="right") - 1
    sums = [int(wh[part == n].sum()) for n in range(len(edges))]
    return dict(zip(edges, sums, strict=True))


def _signals(
    schedule: RateSchedule, terms: BillTerms, interval_s: int, start_s: I64, wh: I64, key: I64
) -> dict[tuple[int, int], Fraction]:
    found = {}
    for version, tariff in enumerate(schedule.versions):
        for index, period in enumerate(tariff.periods):
            mine = key == version * KEY_STRIDE + index
            if period.signal and mine.any():
                clause = f"{schedule.code}.versions[{version}].periods[{period.name}].signal"
                found[version, index] = amount_at(clause, period.signal, terms, interval_s, start_s[mine], wh[mine])
    return found


def _by_key(key: I64, wh: I64) -> dict[tuple[int, int], int]:
    # A double holds every integer below 2**53, and Usage keeps sums below that.
    sums = np.bincount(key, weights=wh.astype(np.float64)) if len(key) else np.zeros(0)
    return {divmod(int(k), KEY_STRIDE): int(sums[k]) for k in np.flatnonzero(np.bincount(key))}


def _running(schedule: RateSchedule, all_pools: list[Pool], key: I64, wh: I64) -> dict[tuple[int, int, int], int]:
    """Split each interval over the blocks that the running total passes in it."""
    found: dict[tuple[int, int, int], int] = {}
    for pool in all_pools:
        if schedule.versions[pool.version].scope is not BlockScope.RUNNING:
            continue
        inside = np.isin(key, np.array([pool.version * KEY_STRIDE + p for p in pool.periods]))
        after = np.cumsum(wh[inside])
        before = after - wh[inside]
        low = 0
        for block, high in enumerate((*pool.ends_wh, None)):
            part = np.clip(after, low, high) - np.clip(before, low, high)
            for (version, period), amount in _by_key(key[inside], part).items():
                found[version, period, block] = amount
            low = 0 if high is None else high
    return found
