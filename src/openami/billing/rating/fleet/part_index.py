"""What else is asked of a bill's intervals: energy by the parts in which no rider changes, and prices of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.fleet.number import LARGEST, Numbers
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import instant_from_epoch_s, local_midnight


@dataclass(frozen=True, slots=True, eq=False)
class PieceIndex:
    """The parts of one bill: first day of each that the grid has, and its first column."""

    days: tuple[date, ...]
    heads: I64


@dataclass(frozen=True, slots=True, eq=False)
class SignalIndex:
    """A price period that follows a series: its columns, and the price of each, in ``divisor`` parts per Wh."""

    version: int
    period: int
    columns: I64
    prices: Numbers
    divisor: int


def piece_index(edges: tuple[date, ...], start_s: I64, inside: I64, zone: ZoneInfo) -> PieceIndex | None:
    """Return the parts of a bill that begin on these days; None where it is one.

    Args:
        edges: first day of each part.
        start_s: (intervals,) the grid.
        inside: the bill's intervals on it, in a row.
        zone: of the service points.
    """
    if len(edges) == 1 or not len(inside):
        return None
    bounds = np.array([int(local_midnight(d, zone).timestamp()) for d in edges], dtype=np.int64)
    part = np.searchsorted(bounds, start_s[inside], side="right") - 1
    there = np.unique(part)
    return PieceIndex(tuple(edges[n] for n in there), inside[0] + np.searchsorted(part, there))


def signal_indexes(
    schedule: RateSchedule, terms: BillTerms, interval_s: int, start_s: I64, inside: I64, key: I64
) -> Iterator[SignalIndex]:
    """Yield the prices of each price period that follows a series and has intervals in the bill.

    Raises:
        TariffError: an interval has no price, or more than one.
    """
    for version, tariff in enumerate(schedule.versions):
        for number, period in enumerate(tariff.periods):
            columns = inside[key[inside] == version * KEY_STRIDE + number]
            if period.signal and len(columns):
                clause = f"{schedule.code}.versions[{version}].periods[{period.name}].signal"
                prices = _prices(clause, period.signal, terms, interval_s, start_s[columns])
                yield _scaled(version, number, columns, prices)


def _prices(clause: str, signal: str, terms: BillTerms, interval_s: int, start_s: I64) -> Sequence[Decimal]:
    """Return the price of each interval; of two series with a price of one instant the first counts."""
    found: list[Decimal | None] = [None] * len(start_s)
    for series in (s for s in terms.prices if s.signal == signal):
        begins = int(series.start.timestamp())
        for place, second in enumerate((start_s - begins).tolist()):
            step, late = divmod(second, series.interval_s)
            if found[place] is not None or not 0 <= step < len(series.prices):
                continue
            if late + interval_s > series.interval_s:
                raise TariffError(clause, f"the interval at {_at(start_s[place])} crosses two prices of {signal}")
            found[place] = series.prices[step]
    prices = [price for price in found if price is not None]
    if len(prices) < len(found):
        where = _at(start_s[found.index(None)])
        raise TariffError(clause, f"no price of {signal} is given for {where}; give the whole bill's")
    return prices


def _scaled(version: int, period: int, columns: I64, prices: Sequence[Decimal]) -> SignalIndex:
    places = max((-int(p.as_tuple().exponent) for p in prices), default=0)
    whole = [int(p.scaleb(max(places, 0))) for p in prices]
    small = max(map(abs, whole), default=0) < LARGEST
    numbers = np.array(whole, dtype=np.int64 if small else object)
    return SignalIndex(version, period, columns, numbers, 1000 * 10 ** max(places, 0))


def _at(second: int) -> str:
    return instant_from_epoch_s(int(second)).isoformat()
