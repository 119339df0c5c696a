"""How much of each bill's days is there, and how much of that was estimated: the gate before any advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.usage import BillSpan, Usage


@dataclass(frozen=True, slots=True)
class SpanCoverage:
    """What is there of one bill's days.

    Args:
        span: local days.
        expected: intervals that the days have.
        there: intervals that are there.
        estimated: of them, estimated ones.
        wh, estimated_wh: energy, and the estimated part of it.
    """

    span: BillSpan
    expected: int
    there: int
    estimated: int
    wh: int
    estimated_wh: int

    @property
    def share(self) -> Decimal:
        """Share of the intervals that are there, four places, never rounded up to a whole."""
        return _share(self.there, self.expected)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of all spans, and which of them may be used."""

    spans: tuple[SpanCoverage, ...]
    least: Decimal

    @property
    def used(self) -> tuple[BillSpan, ...]:
        """Spans of which enough is there."""
        return tuple(s.span for s in self.spans if s.share >= self.least)

    @property
    def left_out(self) -> tuple[SpanCoverage, ...]:
        """Spans of which too little is there to compare on."""
        return tuple(s for s in self.spans if s.share < self.least)

    @property
    def share(self) -> Decimal:
        """Share of all intervals that are there."""
        return _share(sum(s.there for s in self.spans), sum(s.expected for s in self.spans))

    @property
    def estimated_share(self) -> Decimal:
        """Share of the energy that is estimated."""
        return _share(sum(s.estimated_wh for s in self.spans), sum(s.wh for s in self.spans))


def coverage_of(usage: Usage, spans: Sequence[BillSpan], zone: ZoneInfo, *, least: Decimal) -> Coverage:
    """Return what is there of each span.

    Args:
        usage: intervals in order of time.
        spans: bills' days.
        zone: of the service point.
        least: share of a span's intervals below which it is left out, 0 to 1.
    """
    return Coverage(tuple(_of_span(usage, s, zone) for s in spans), least)


def _of_span(usage: Usage, span: BillSpan, zone: ZoneInfo) -> SpanCoverage:
    period = span.period(zone)
    low, high = np.searchsorted(usage.start_s, [period.start_s, period.end_s]).tolist()
    wh = usage.wh[low:high]
    estimated = np.zeros(len(wh), np.bool_) if usage.estimated is None else usage.estimated[low:high]
    expected = span.expected_intervals(zone, usage.interval_s)
    return SpanCoverage(span, expected, len(wh), int(estimated.sum()), int(wh.sum()), int(wh[estimated].sum()))


def _share(part: int, whole: int) -> Decimal:
    return Decimal(part * 10_000 // whole).scaleb(-4) if whole else Decimal(0)
