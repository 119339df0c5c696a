"""Ports of the comparison: what it asks of billing, and where wishes and first-year ledgers are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.compare.protection import Protection, ShadowEntry
from openami.billing.compare.wish import Wish, WishStep
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import Period
from openami.security.access.scope import Scope


class PlaceRates(Protocol):
    """What billing knows of a place's rate."""

    @property
    def rates(self) -> Mapping[str, RateSchedule]:
        """Every rate that can be chosen, by code."""
        ...

    async def rate_of(self, service_point_id: UUID, day: date) -> RateSchedule | None:
        """Return the rate in force at a service point on a local day."""
        ...


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What a place's bills are made with beside intervals.

    Args:
        terms: each bill's other inputs, by span; neutral where there are none.
        attributes: ``class`` and ``meter_kind``, where known.
        is_interconnected: whether generation is approved; None is not known.
        unheard: why a rate cannot be priced on all of the days: what its signals did is not known, by code.
    """

    terms: Mapping[BillSpan, BillTerms] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    is_interconnected: bool | None = None
    unheard: Mapping[str, str] = field(default_factory=dict)


class FactsOfPlaces(Protocol):
    """Where a place's facts and its calendar come from."""

    async def facts(self, service_point_id: UUID, spans: Sequence[BillSpan]) -> PlaceFacts:
        """Return what the bills of these spans are made with."""
        ...

    async def of_present(self, service_point_id: UUID, period: Period, now: datetime) -> tuple[Period, ...]:
        """Return the parts of a period in which whoever holds a place now held it; all of it where nobody is named."""
        ...

    async def next_read_day(self, service_point_id: UUID, after: date) -> date:
        """Return the local day of the first billing read after a day: the first day of the bill that it opens."""
        ...


class Accounts(Protocol):
    """Who is charged at a place, by opaque ids."""

    async def account_at(self, service_point_id: UUID, at: datetime | date) -> UUID | None:
        """Return the account that holds a place at an instant or on a local day; None where none is named."""
        ...


class WishBook(Protocol):
    """Wishes for other rates. Rows are added, never altered; every write may be repeated and counts once."""

    async def ask(self, scope: Scope, wish: Wish) -> None:
        """Record a wish; one that is still open at the place is withdrawn by it.

        Raises:
            ScopeError: outside the scope.
        """
        ...

    async def withdraw(self, scope: Scope, service_point_id: UUID, *, by: UUID, at: datetime) -> Wish | None:
        """Take the open wish back and return it; None where there is none.

        Raises:
            ScopeError: outside the scope.
        """
        ...

    async def newest(self, scope: Scope, service_point_id: UUID) -> Wish | None:
        """Return the newest wish of a place with what became of it.

        Raises:
            ScopeError: outside the scope.
        """
        ...

    async def due(self, day: date) -> list[Wish]:
        """Return open wishes whose first day is that day or before, oldest first."""
        ...

    async def settle(self, wish: Wish, step: WishStep, *, at: datetime, note: str = "") -> None:
        """Say what became of a wish."""
        ...


class ShadowBook(Protocol):
    """First-year protections and their ledgers. Rows are added, never altered."""

    async def begin(self, protection: Protection, *, at: datetime) -> None:
        """Keep a protection; one of the same place and first day that is there stays."""
        ...

    async def running(self, day: date) -> list[Protection]:
        """Return protections whose year holds the day or ended at most three months before it."""
        ...

    async def entries(self, protection_ids: Collection[UUID]) -> dict[UUID, list[ShadowEntry]]:
        """Return ledgers by protection."""
        ...

    async def write(self, protection: Protection, entries: Sequence[ShadowEntry], *, at: datetime) -> int:
        """Add entries; one of the same bill that is there stays. Returns how many were new."""
        ...

    async def of_place(self, scope: Scope, service_point_id: UUID) -> tuple[Protection, list[ShadowEntry]] | None:
        """Return the newest protection of a place with its ledger, or None.

        Raises:
            ScopeError: outside the scope.
        """
        ...


class IssuedBills(Protocol):
    """Bills as issued."""

    async def issued(self, first: date, end: date, *, service_points: Collection[UUID] | None = None) -> list[Bill]:
        """Return issued bills (without lines) that begin in ``[first, end)``."""
        ...
