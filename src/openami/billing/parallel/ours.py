"""What we would bill for the same place: made again, and made as the other system may have made it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from zoneinfo import ZoneInfo

from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import determinants
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class OurRead:
    """A register at an end of our bill [Wh], before the multiplier; None where it is no actual read."""

    wh: int | None


@dataclass(frozen=True, slots=True, eq=False)
class OurSide:
    """Everything that our bill of a place is made of.

    Args:
        schedule: the rate that it is on.
        span: our cycle's days.
        usage: intervals of more days than the span, so that other days can be tried.
        zone: of the place.
        terms: of the bill.
        carried: what the bill before hands over.
        multiplier: of the meter.
        begin, end: reads; None where there are none.
        capacity_wh: value at which the register rolls over; None where it is not known.
        then: intervals as they were known when the other bill was made; None where that is not known.
        held: why we hold the bill; empty where we do not.
    """

    schedule: RateSchedule
    span: BillSpan
    usage: Usage
    zone: ZoneInfo
    terms: BillTerms = NO_TERMS
    carried: Carried = field(default_factory=Carried)
    multiplier: int = 1
    begin: OurRead | None = None
    end: OurRead | None = None
    capacity_wh: int | None = None
    then: Usage | None = None
    held: str = ""

    def made(self) -> RatedBill:
        """Return the bill.

        Raises:
            TariffError: the rate cannot price it.
            UsageError: the intervals cannot be rated.
        """
        (found,) = determinants(self.schedule, self.usage, [self.span], self.zone, terms=self.terms)
        return rate(self.schedule, found, self.terms, self.carried)

    def on(self, schedule: RateSchedule) -> OurSide:
        """Return the side on another rate, or on another reading of its sheet."""
        return replace(self, schedule=schedule)

    def of_days(self, span: BillSpan) -> OurSide:
        """Return the side for other days."""
        return replace(self, span=span)

    def with_usage(self, usage: Usage) -> OurSide:
        """Return the side with other intervals."""
        return replace(self, usage=usage)

    def in_month(self, month: date) -> OurSide:
        """Return the side with another revenue month."""
        return replace(self, terms=replace(self.terms, revenue_month=month))
