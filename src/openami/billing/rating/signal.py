"""Energy times the price of a series: exact, interval by interval."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64
from openami.billing.tariff.errors import TariffError
from openami.kernel.time import instant_from_epoch_s


def amount_at(clause: str, signal: str, terms: BillTerms, interval_s: int, start_s: I64, wh: I64) -> Fraction:
    """Return the amount of intervals at the price of a signal.

    Args:
        clause: which price follows it, for refusals.
        signal: its name.
        terms: with the price series; where two hold a price of one instant, the first counts.
        interval_s: length of the intervals [s].
        start_s: (n,) their starts [s since the epoch].
        wh: (n,) their energy.

    Raises:
        TariffError: an interval has no price, or more than one.
    """
    amount, left = Fraction(0), np.ones(len(start_s), np.bool_)
    for series in (s for s in terms.prices if s.signal == signal):
        begins = int(series.start.timestamp())
        step = (start_s - begins) // series.interval_s
        inside = left & (step >= 0) & (step < len(series.prices))
        crossing = inside & ((start_s - begins) % series.interval_s + interval_s > series.interval_s)
        if crossing.any():
            raise TariffError(clause, f"the interval at {_at(start_s[crossing][0])} crosses two prices of {signal}")
        sums = np.zeros(len(series.prices), np.int64)
        np.add.at(sums, step[inside], wh[inside])
        amount += sum((Fraction(series.prices[n]) * int(sums[n]) for n in np.flatnonzero(sums)), Fraction(0))
        left &= ~inside
    if left.any():
        raise TariffError(clause, f"no price of {signal} is given for {_at(start_s[left][0])}; give the whole bill's")
    return amount / 1000


def _at(second: int) -> str:
    return instant_from_epoch_s(int(second)).isoformat()
