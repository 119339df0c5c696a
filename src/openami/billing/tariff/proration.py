"""How much of a month's charge a bill takes that is not a usual month, and from when new prices apply to a bill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openami.billing.tariff.errors import TariffError

LONGEST_BILL_DAYS = 400


class ProrationRule(StrEnum):
    """How many months a bill of so many days is.

    WHOLE_BILL: one, however long it is.
    THIRTIETHS: a thirtieth for each day.
    OUTSIDE_RANGE: one if it has ``least_days`` to ``most_days`` days, else a thirtieth for each day.
    CALENDAR: each day is its share of its own calendar month.
    YEARLY: twelve 365ths for each day.
    """

    WHOLE_BILL = "whole_bill"
    THIRTIETHS = "thirtieths"
    OUTSIDE_RANGE = "outside_range"
    CALENDAR = "calendar"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Proration:
    """The rule, and the days of a usual bill.

    Args:
        rule: see :class:`ProrationRule`.
        least_days, most_days: a usual bill has as many; used by ``outside_range`` alone.
        blocks: whether the ends of blocks stated per bill follow the same rule; else they are per bill.
        demand: whether a price per kW follows the same rule; else it is per bill.

    Raises:
        TariffError: the range of days is empty.
    """

    rule: ProrationRule = ProrationRule.WHOLE_BILL
    least_days: int = 26
    most_days: int = 35
    blocks: bool = True
    demand: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.least_days <= self.most_days <= LONGEST_BILL_DAYS:
            raise TariffError("proration", f"{self.least_days} to {self.most_days} days is no range of a bill's days")


class PriceChange(StrEnum):
    """Whether new prices apply from their first day, or to a whole bill whose last day has them."""

    BY_DAY = "by_day"
    BY_BILL = "by_bill"
