"""What one rate would have cost on given days: its bills, by the engine that bills, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import determinants
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import NO_TERMS, BillTerms, terms_of_each
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class YearRange:
    """Between what and what a whole year would cost; both ends are equal where all twelve months were seen."""

    low: Decimal
    high: Decimal

    @property
    def is_known(self) -> bool:
        """Whether the year was seen whole."""
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class RateOutcome:
    """What one rate would have cost.

    Args:
        schedule: the rate.
        bills: of the days compared.
        total: sum of the bills.
        refused: why it cannot be told; empty where it can.
        ineligible: why this customer cannot be on it though it has a price; empty where they can.
        year: of twelve months; None where it cannot be told.
    """

    schedule: RateSchedule
    bills: tuple[RatedBill, ...] = ()
    total: Decimal = Decimal(0)
    refused: str = ""
    ineligible: str = ""
    year: YearRange | None = None

    @property
    def usage_wh(self) -> int:
        """Energy of the bills."""
        return sum(b.determinants.usage_wh for b in self.bills)

    @property
    def missing_charges(self) -> tuple[str, ...]:
        """Names of charges that the bills were computed without; none where every charge has a price."""
        return tuple(dict.fromkeys(stamp.words.partition(":")[0] for bill in self.bills for stamp in bill.stamps))

    @property
    def is_open(self) -> bool:
        """Whether the customer could choose it and we know its price."""
        return not self.refused and not self.ineligible


def priced(
    schedule: RateSchedule,
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    terms: BillTerms | Sequence[BillTerms] = NO_TERMS,
) -> tuple[RatedBill, ...]:
    """Return the bills of the spans under a rate, each with what the bill before hands on; the first with nothing.

    Raises:
        TariffError: the rate cannot price these intervals.
    """
    every = list(spans)
    carried = Carried()
    bills = []
    for found, own in zip(determinants(schedule, usage, every, zone, terms), terms_of_each(terms, every), strict=True):
        bill = rate(schedule, found, own, carried)
        carried = bill.carried
        bills.append(bill)
    return tuple(bills)


def outcome_of(
    schedule: RateSchedule,
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    *,
    ineligible: str = "",
    terms: BillTerms | Sequence[BillTerms] = NO_TERMS,
) -> RateOutcome:
    """Return what a rate would have cost, or its reason for refusing."""
    try:
        bills = priced(schedule, usage, spans, zone, terms)
        return RateOutcome(schedule, bills, sum((b.total for b in bills), Decimal(0)), ineligible=ineligible)
    except TariffError as error:
        return RateOutcome(schedule, refused=str(error), ineligible=ineligible)
