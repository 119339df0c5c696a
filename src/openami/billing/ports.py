"""Port of the bill book. Its adapter keeps it in PostgreSQL, schema ``billing``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.billing.bill.record import Assignment, Bill, BilledDays, Correction
from openami.billing.cycle.ports import CycleBook
from openami.billing.cycle.rest import RestBook
from openami.billing.signal.statement import SignalBook
from openami.kernel.errors import OpenAmiError
from openami.security.access.scope import Scope


class RateOverlapError(OpenAmiError):
    """A service point would be on two rates at one time."""


class BillBook(Protocol):
    """Assignments, bills and corrections. Every write may be repeated and counts once."""

    @property
    def cycle(self) -> CycleBook:
        """What was billed so far, and what people said of holds."""
        ...

    @property
    def signals(self) -> SignalBook:
        """What was stated of the signals that rates follow."""
        ...

    @property
    def rests(self) -> RestBook:
        """Which places need no look."""
        ...

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Enter with True if no other worker closes bills now."""
        ...

    async def assign(self, rows: Sequence[Assignment], *, at: datetime) -> None:
        """Put service points on rates; any number in one call. The rate that runs until then ends on that day.

        An equal assignment that is already there is left as it is.

        Raises:
            RateOverlapError: a later assignment is already there.
        """
        ...

    async def reassign(self, rows: Sequence[Assignment], *, at: datetime) -> None:
        """Put service points on rates over whatever these days were on, all or none; the rest of that stays.

        Raises:
            RateOverlapError: one would run for good over a rate that begins later.
        """
        ...

    async def assignments(self, service_points: Collection[UUID] | None) -> list[Assignment]:
        """Return assignments by service point and first day; of all for None.

        Entries of one rate that follow each other are one.
        """
        ...

    async def states(self, first: date, end: date) -> dict[tuple[UUID, date], str]:
        """Return the state of the newest version of bills that begin in ``[first, end)``, by place and first day."""
        ...

    async def keep(self, bills: Sequence[Bill]) -> int:
        """Keep new bills, and issue held ones that now have figures; an issued bill stays as it is.

        Returns:
            How many rows were new or changed.
        """
        ...

    async def issued(
        self,
        first: date,
        end: date,
        *,
        service_points: Collection[UUID] | None = None,
        bills_from: date | None = None,
    ) -> list[Bill]:
        """Return issued bills (without lines) that begin in ``[first, end)``.

        Args:
            first: earliest day on which they begin.
            end: the day after the latest.
            service_points: whose; all for None.
            bills_from: only those that bill this day or a later one; None asks for no such thing.
        """
        ...

    async def billed_days(
        self,
        first: date,
        end: date,
        *,
        bills_from: date,
        service_points: Collection[UUID] | None = None,
        after: BilledDays | None = None,
        limit: int,
    ) -> list[BilledDays]:
        """Return a page of issued bills that begin in ``[first, end)``, by first day and id.

        Args:
            first: earliest day on which they begin.
            end: the day after the latest.
            bills_from: only those that bill this day or a later one.
            service_points: whose; all for None.
            after: the last one of the page before; None for the first page.
            limit: at most so many.
        """
        ...

    async def issued_at(self, service_points: Collection[UUID], first: date, last: date) -> list[Bill]:
        """Return issued bills (without lines) of these places that bill a day from first to last, both included."""
        ...

    async def bills(self, scope: Scope, service_point_id: UUID) -> list[Bill]:
        """Return bills without lines, newest first.

        Raises:
            ScopeError: outside the scope.
        """
        ...

    async def bill(self, scope: Scope, bill_id: UUID) -> Bill | None:
        """Return one bill with its lines, or None where there is none in the scope."""
        ...

    async def note_corrections(self, rows: Sequence[Correction], *, at: datetime) -> int:
        """Put changed days on the queue; returns how many were new."""
        ...

    async def corrections(self) -> list[Correction]:
        """Return the open queue, oldest first."""
        ...
