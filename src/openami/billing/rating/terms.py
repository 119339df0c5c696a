"""What one bill is made with beside intervals and prices: its revenue month, place, attributes, approvals and signals.

Values only, all neutral by default. A rate names signals (events, price series, peaks of the system); what happened
on a day is an input here, never part of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from openami.billing.rating.errors import UsageError
from openami.billing.rating.usage import BillSpan


@dataclass(frozen=True, slots=True)
class Approval:
    """An approved interconnection on local days ``[first, end)``; ``end`` None while it runs.

    Args:
        first: first day.
        end: first day no longer approved.
        capacity_w: approved capacity of the generator [W].
    """

    first: date
    end: date | None
    capacity_w: int


@dataclass(frozen=True, slots=True)
class Annexed:
    """A place is taxed in another municipality from local day ``first`` on; an empty name is not known."""

    first: date
    municipality: str


@dataclass(frozen=True, slots=True)
class EventPeriod:
    """An event of a signal, for example a critical peak, in ``[start, end)``, aware instants.

    Raises:
        UsageError: an instant has no zone, or the event ends before it starts.
    """

    signal: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start:
            raise UsageError(f"event {self.signal} from {self.start} to {self.end}: two rising instants with a zone")


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Prices of a signal, each for ``interval_s`` seconds from ``start`` on.

    Args:
        signal: its name on the rate.
        start: aware instant of the first price.
        interval_s: how long each price holds [s].
        prices: per kWh, exact.

    Raises:
        UsageError: the start has no zone, or a price holds for no time.
    """

    signal: str
    start: datetime
    interval_s: int
    prices: tuple[Decimal, ...]

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.interval_s <= 0:
            raise UsageError(f"price series {self.signal}: a start with a zone and a positive interval are needed")


@dataclass(frozen=True, slots=True)
class PartOf:
    """The period from read to read that a bill is one part of, where a change of rate parts it.

    Args:
        period: all its days: what a rate charges by the month is charged once for them, shared by days.
        ends_service: it is the account's last one, so that nobody limits its length.
    """

    period: BillSpan
    ends_service: bool = False

    def within(self, span: BillSpan, *, is_final: bool) -> PartOf | None:
        """Return what a bill is part of once its days are these; None where they are the whole period.

        Args:
            span: the bill's days now; service that ended within them ends the period too.
            is_final: the account stops with this bill.
        """
        end = span.end if is_final else self.period.end
        period = BillSpan(self.period.first, end)
        return None if period == span else PartOf(period, self.ends_service or is_final)


@dataclass(frozen=True, slots=True)
class BillTerms:
    """Inputs of one bill.

    Args:
        revenue_month: any day of the month to which the cycle calendar counts the bill; None takes the last day's.
        municipality: where the service point is taxed on the first day; empty is not known.
        is_final: the customer stops with this bill.
        attributes: facts of the agreement that riders, taxes, credits and eligibility ask for.
        approved_w: approved interconnections.
        events: events of signals.
        prices: price series of signals.
        coincident: instants in which the system peaked, aware.
        most_left_out: share of a demand period's windows without actual intervals above which the bill is held.
        sources: where events, prices and peaks come from, in words.
        annexed: where it is taxed from later days on, rising; none where that does not change.
        part_of: the period that the bill is one part of; None where its own days are the whole of it.
        instead_of: code of the rate in whose stead another's prices are taken; empty where it is the place's own.
    """

    revenue_month: date | None = None
    municipality: str = ""
    is_final: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    approved_w: tuple[Approval, ...] = ()
    events: tuple[EventPeriod, ...] = ()
    prices: tuple[PriceSeries, ...] = ()
    coincident: tuple[datetime, ...] = ()
    most_left_out: Decimal = Decimal("0.05")
    annexed: tuple[Annexed, ...] = ()
    sources: tuple[str, ...] = ()
    part_of: PartOf | None = None
    instead_of: str = ""

    def municipality_on(self, day: date) -> str:
        """Return where the place is taxed on a day; empty is not known."""
        return next((a.municipality for a in reversed(self.annexed) if a.first <= day), self.municipality)

    def municipalities(self, span: BillSpan) -> tuple[str, ...]:
        """Return where the place is taxed on the days of a bill, in their order."""
        if not self.annexed:
            return (self.municipality,)
        days = [span.first, *(a.first for a in self.annexed if span.first < a.first < span.end)]
        return tuple(dict.fromkeys(self.municipality_on(d) for d in days))

    def whole(self, span: BillSpan) -> BillSpan:
        """Return all days from read to read: a bill's own, or those of the period that it is a part of."""
        return span if self.part_of is None else self.part_of.period

    def is_last_part(self, span: BillSpan) -> bool:
        """Tell whether no other part of its period follows a bill."""
        return span.end >= self.whole(span).end

    def month_of(self, span: BillSpan) -> int:
        """Return the revenue month of a bill, 1 to 12."""
        return (self.revenue_month or span.last).month

    def of_days(self, span: BillSpan) -> tuple[object, ...]:
        """Return what the days and intervals of a bill are priced by: bills that are alike in it share an index."""
        annexed = tuple(a.first for a in self.annexed)
        own = (self.month_of(span), self.approved_w, self.events, self.prices, self.coincident)
        return (*own, annexed, self.part_of)

    def of_money(self) -> tuple[object, ...]:
        """Return what else the lines of a bill are made by."""
        attributes = tuple(sorted(self.attributes.items()))
        municipality = self.municipality, self.annexed
        return (self.revenue_month, municipality, self.is_final, attributes, self.most_left_out)


NO_TERMS = BillTerms()


def terms_of_each(terms: BillTerms | Sequence[BillTerms], spans: Sequence[BillSpan]) -> list[BillTerms]:
    """Return the terms of each bill: one for all, or one for each.

    Raises:
        UsageError: there are more or fewer than the bills.
    """
    if isinstance(terms, BillTerms):
        return [terms] * len(spans)
    if len(terms) != len(spans):
        raise UsageError(f"{len(terms)} terms were given for {len(spans)} bills")
    return list(terms)
