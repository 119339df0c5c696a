"""What bills hand on to the next, in columns: remainders of whole kilowatt-hours and the rate year so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from openami.billing.rating.carried import Carried, YearToDate
from openami.billing.rating.usage import I64


@dataclass(frozen=True, slots=True, eq=False)
class FleetState:
    """The state between two bills of n service points.

    Args:
        remainder_wh: (n,) energy left over by whole kilowatt-hours.
        year_days: (n,) days billed in the rate year.
        year_wh: (n,) energy billed in it.
        charged_cents: (n,) amounts that count towards a yearly minimum.
        minimum_cents: (n,) minimum charges billed already.
        first: first day of the year, by row; None before any bill.
    """

    remainder_wh: I64
    year_days: I64
    year_wh: I64
    charged_cents: I64
    minimum_cents: I64
    first: tuple[date | None, ...]

    def of_row(self, row: int, before: Carried) -> Carried:
        """Return one service point's state: a bank is empty here, and peaks stay as they were ``before``."""
        first = self.first[row]
        year = YearToDate(
            first, int(self.year_days[row]), int(self.year_wh[row]),
            _amount(self.charged_cents[row]), _amount(self.minimum_cents[row]),
        ) if first is not None else YearToDate()  # fmt: skip
        return Carried((), before.peaks, int(self.remainder_wh[row]), before.received_remainder_wh, year)


def state_of(carried: Sequence[Carried]) -> FleetState:
    """Return the state of service points in columns."""
    years = [c.year_to_date for c in carried]
    return FleetState(
        remainder_wh=np.array([c.remainder_wh for c in carried], np.int64),
        year_days=np.array([y.days for y in years], np.int64),
        year_wh=np.array([y.delivered_wh for y in years], np.int64),
        charged_cents=np.array([int(y.charged * 100) for y in years], np.int64),
        minimum_cents=np.array([int(y.minimum * 100) for y in years], np.int64),
        first=tuple(y.first for y in years),
    )


def _amount(cents: np.int64) -> Decimal:
    return Decimal(int(cents)) / 100
