"""What one bill hands to the next of the same customer on the same service point: credits, peaks, remainders, a year.

Values only, and all of them neutral by default: a first bill takes in ``Carried()``. Nothing here belongs to the
place: whoever moves in begins with nothing, and whoever moves out leaves by the rate's rule for stopping.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

ANY_BUCKET = ""
"""The bucket of a credit that may be used against every price period."""


@dataclass(frozen=True, slots=True)
class BankedCredit:
    """Credit for energy sent out and not yet used: in energy or in money, never in both.

    Args:
        month: first day of the revenue month in which it was earned: its age counts from here.
        earned_on: last local day of the bill that earned it.
        bucket: the price periods that it may be used against; empty is all of them.
        wh: what is left of it as energy [Wh], not negative.
        amount: what is left of it as money, not negative.
    """

    month: date
    earned_on: date
    bucket: str = ANY_BUCKET
    wh: int = 0
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class MonthPeak:
    """The metered peak of one demand charge in one bill, for the ratchets of later bills.

    Args:
        month: first day of the revenue month.
        charge: name of the demand charge.
        period: name of the demand period.
        watts: highest mean power of a window of actual intervals, as metered: never a ratcheted figure.
        start_s: when that window began [s since the epoch].
    """

    month: date
    charge: str
    period: str
    watts: int
    start_s: int = 0


@dataclass(frozen=True, slots=True)
class YearToDate:
    """What the bills of a rate year hold so far, for charges that are settled by the year.

    Args:
        first: first local day of the year; None before any bill.
        days: days billed.
        delivered_wh: energy billed [Wh].
        charged: amounts that count towards a yearly minimum.
        minimum: minimum charges that were billed already.
    """

    first: date | None = None
    days: int = 0
    delivered_wh: int = 0
    charged: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Carried:
    """The state between two bills.

    Args:
        bank: credits, oldest first.
        peaks: metered peaks of earlier bills, oldest first.
        remainder_wh: delivered energy that whole-kilowatt-hour rounding left over [Wh]; may be negative.
        received_remainder_wh: the same of received energy [Wh].
        year_to_date: see :class:`YearToDate`.
    """

    bank: tuple[BankedCredit, ...] = ()
    peaks: tuple[MonthPeak, ...] = ()
    remainder_wh: int = 0
    received_remainder_wh: int = 0
    year_to_date: YearToDate = field(default_factory=YearToDate)
