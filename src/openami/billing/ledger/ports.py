"""Ports of the ledger. Its adapter keeps it in PostgreSQL, schema ``billing``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.installment import InstallmentPlan
from openami.billing.ledger.trial import Standing


class Postings(Protocol):
    """Takes what a bill run issued."""

    async def post(self, bills: Sequence[Bill], *, at: datetime) -> int:
        """Book bills that were issued. Posting a bill again books nothing.

        Args:
            bills: with their lines; held ones are passed over.
            at: domain time.

        Returns:
            How many entries were new.
        """
        ...


class NoPostings:
    """Implements :class:`Postings`: the utility keeps its ledger elsewhere."""

    async def post(self, bills: Sequence[Bill], *, at: datetime) -> int:  # noqa: ARG002 - the port's
        """See the port."""
        return 0


NO_POSTINGS = NoPostings()


class LedgerBook(Protocol):
    """Entries and plans. Nothing is altered or deleted."""

    async def keep(self, entries: Sequence[Entry]) -> int:
        """Keep entries, all or none; one that is there already counts once.

        Returns:
            How many were new.
        """
        ...

    async def of_bills(self, bill_ids: Collection[UUID]) -> list[Entry]:
        """Return the entries about these bills, oldest first."""
        ...

    async def of_agreement(self, agreement_id: UUID, *, limit: int = 1_000) -> list[Entry]:
        """Return an agreement's entries, oldest first."""
        ...

    async def of_place(self, service_point_id: UUID, *, limit: int = 1_000) -> list[Entry]:
        """Return the entries of all agreements of a place, oldest first."""
        ...

    async def standings(
        self, *, agreement_id: UUID | None = None, first: date | None = None, end: date | None = None
    ) -> list[Standing]:
        """Return what stands on each account, of one agreement or of all, by entries of days ``[first, end)``."""
        ...

    async def accruals_open(self, before: date) -> list[Entry]:
        """Return accruals of month ends before a day that are not taken back yet."""
        ...

    async def set_plan(self, plan: BudgetPlan, *, at: datetime, by: UUID | None, reason: str) -> None:
        """Begin, change or end a budget plan: the latest row of an agreement holds."""
        ...

    async def plans(self, agreements: Collection[UUID] | None) -> list[BudgetPlan]:
        """Return every row of plans of these agreements (of all for None), oldest first."""
        ...

    async def installments(self, agreements: Collection[UUID]) -> list[tuple[InstallmentPlan, int]]:
        """Return plans with parts that have not fallen due, and how many have."""
        ...

    async def unbalanced(self, *, limit: int = 100) -> list[UUID]:
        """Return entries whose postings do not add up: none, whatever happened to the tables."""
        ...
