"""Where each interval's energy goes: made once for a rate, a zone and a grid, and used for every service point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE, DayRate, day_rates, price_keys
from openami.billing.rating.fleet.part_index import PieceIndex, SignalIndex, piece_index, signal_indexes
from openami.billing.rating.fleet.runs import Runs, runs_of
from openami.billing.rating.fleet.window_index import WindowIndex, window_indexes
from openami.billing.rating.piece import piece_edges
from openami.billing.rating.pool import Pool, pools
from openami.billing.rating.terms import NO_TERMS, BillTerms, terms_of_each
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.model import RateSchedule

STRIDE = KEY_STRIDE * KEY_STRIDE


@dataclass(frozen=True, slots=True, eq=False)
class BillIndex:
    """One bill's part of a grid.

    Args:
        span: its days.
        terms: by which its days and intervals are priced.
        rates: how each day is priced.
        pools: its ladders.
        expected: how many intervals its days have.
        edges: first days of the parts in which no rider changes.
        pieces: those parts on the grid; None where it is one.
        signals: price periods that follow a series.
    """

    span: BillSpan
    terms: BillTerms
    rates: list[DayRate]
    pools: list[Pool]
    expected: int
    edges: tuple[date, ...]
    pieces: PieceIndex | None
    signals: tuple[SignalIndex, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FleetIndex:
    """The columns of a matrix by bill and price, and the demand windows of each charge.

    Args:
        energy: runs of intervals; a group is ``(bill + 1) * STRIDE + price key + 1``.
        bills: runs of intervals; a group is the bill, -1 outside every bill.
        bill: (k,) bill of each energy group.
        key: (k,) price key of each energy group.
        parts: one for each bill.
        windows: one for each version's demand charge that is in force in a bill.
        columns: how many intervals the grid has.
    """

    energy: Runs
    bills: Runs
    bill: I64
    key: I64
    parts: tuple[BillIndex, ...]
    windows: tuple[WindowIndex, ...]
    columns: int


def price_index(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    spans: list[BillSpan],
    zone: ZoneInfo,
    terms: BillTerms | Sequence[BillTerms] = NO_TERMS,
) -> FleetIndex:
    """Return the index of a grid of intervals.

    Args:
        schedule: the rate.
        start_s: (intervals,) rising starts; at least one.
        interval_s: [s].
        spans: the bills' days.
        zone: the service points' zone.
        terms: of every bill, or one for each: the same for all rows.

    Raises:
        TariffError: as :func:`~openami.billing.rating.calendar.price_keys`, or a demand window does not fit.
    """
    bill, key = price_keys(schedule, start_s, interval_s, spans, zone, terms)
    energy = runs_of((bill + 1) * STRIDE + key + 1)
    parts = []
    for number, (span, own) in enumerate(zip(spans, terms_of_each(terms, spans), strict=True)):
        rates, inside = day_rates(schedule, span, own), np.flatnonzero(bill == number)
        edges = piece_edges(schedule, span, rates, own)
        parts.append(
            BillIndex(
                span, own, rates, pools(schedule, span, rates, own), span.expected_intervals(zone, interval_s), edges,
                piece_index(edges, start_s, inside, zone),
                tuple(signal_indexes(schedule, own, interval_s, start_s, inside, key)),
            )
        )  # fmt: skip
    return FleetIndex(
        energy=energy,
        bills=runs_of(bill),
        bill=energy.group // STRIDE - 1,
        key=energy.group % STRIDE - 1,
        parts=tuple(parts),
        windows=tuple(
            index
            for number, part in enumerate(parts)
            for index in window_indexes(
                schedule,
                start_s,
                interval_s,
                np.flatnonzero(bill == number),
                number,
                part.span,
                part.rates,
                part.terms,
                zone,
            )
        ),
        columns=len(start_s),
    )
