"""Ports of corrections. The book is in PostgreSQL, schema ``billing``; causes come from whoever keeps readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.billing.bill.order import MeterReads
from openami.billing.bill.record import Bill
from openami.billing.correction.decision import CorrectionDecision, DecisionHead, DecisionState
from openami.billing.correction.effect import Effect
from openami.billing.correction.record import Adjustment, Cause, Change
from openami.billing.correction.remade import Remade
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.installment import InstallmentPlan
from openami.mdm.api import EndOfRead


@dataclass(frozen=True, slots=True)
class TouchedBill:
    """An issued bill with days that have another version, as the queue has it.

    Args:
        bill_id: the bill in force.
        service_point_id: where.
        days: the local day of each change with the version seen last, by day.
        found_at: when the first was noted.
        issued_at: when the bill went out.
        seen: all that was seen of it, in a text: weighed again only where that differs.
    """

    bill_id: UUID
    service_point_id: UUID
    days: tuple[tuple[date, int], ...]
    found_at: datetime
    issued_at: datetime
    seen: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Writes:
    """All rows that carrying out a decision writes, in one transaction.

    Args:
        bills: corrected bills with their lines, in the order of their days.
        adjustments: one for each.
        entries: reversals and new charges.
        plans: repayment in parts.
    """

    bills: tuple[Bill, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    entries: tuple[Entry, ...] = ()
    plans: tuple[InstallmentPlan, ...] = ()


class Remaker(Protocol):
    """Makes bills again from what is known now, and writes nothing."""

    async def again(self, bills: Sequence[Bill], *, now: datetime) -> Mapping[UUID, Remade]:
        """Return what becomes of each bill, by its id; a held one says why it cannot be made.

        Bills that must be replaced together with one of these are among the answers too, without lines.

        Args:
            bills: issued ones.
            now: domain time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """How a bill's estimated ends stand now that an actual read lies behind them.

    Args:
        opens_on, closes_on: the reads instead, by serial number and channel; empty at an end that was no estimate.
        by: the actual read that settles it.
    """

    opens_on: MeterReads
    closes_on: MeterReads
    by: EndOfRead


class Settling(Protocol):
    """Knows which estimated bills lie between two actual reads now."""

    async def of(self, bills: Sequence[Bill]) -> Mapping[UUID, Settled]:
        """Return what settles each of these bills; those that nothing settles are absent.

        Args:
            bills: in force.
        """
        ...


class Causes(Protocol):
    """Says why billed days changed."""

    async def of(self, bills: Sequence[TouchedBill]) -> Mapping[UUID, Mapping[Cause, int]]:
        """Return, by bill, how many of its changed days each cause explains: marks of others are none."""
        ...


class CorrectionBook(Protocol):
    """The queue, what was weighed, decisions, and what became of them. Decisions and adjustments are kept for ever."""

    async def touched(self, *, limit: int) -> list[TouchedBill]:
        """Return bills in force with open changes that were not weighed as they are seen now, oldest first."""
        ...

    async def touched_of(self, bill_ids: Collection[UUID]) -> list[TouchedBill]:
        """Return those of these bills in force that have open changes, whether they were weighed or not."""
        ...

    async def versions(self, service_points: Collection[UUID]) -> dict[tuple[UUID, date], int]:
        """Return the highest version of any bill, in force or not, by place and first day."""
        ...

    async def bills(self, bill_ids: Collection[UUID]) -> list[Bill]:
        """Return these bills with their lines; unknown ids are absent."""
        ...

    async def bills_of(self, service_points: Collection[UUID]) -> list[Bill]:
        """Return the bills in force of these places, without lines, by place and first day."""
        ...

    async def weighed(self, changes: Sequence[tuple[Change, str]], *, at: datetime) -> None:
        """Keep what bills were weighed as, each with what was seen; those within tolerance leave the queue."""
        ...

    async def changes(
        self, *, bill_ids: Collection[UUID] | None = None, cause: str | None = None, place: UUID | None = None
    ) -> list[Change]:
        """Return weighed bills that nothing was decided about yet."""
        ...

    async def alone(
        self, by: Collection[UUID], service_points: Collection[UUID], *, customer_since: datetime, since: datetime
    ) -> Effect:
        """Return what a person brought into force without a second one.

        Args:
            by: the accounts of that person.
            service_points: ``most`` is of decisions that touched one of these.
            customer_since: domain time from which those count.
            since: domain time from which the other sums count, whatever they touched.
        """
        ...

    async def keep(
        self, decision: CorrectionDecision, effect: Effect, *, order_id: UUID | None, real: datetime
    ) -> None:
        """Keep a decision that waits for an approval.

        Raises:
            CorrectionRefusedError: one of its bills is in another decision that waits.
        """
        ...

    async def carry_out(
        self,
        decision: CorrectionDecision,
        effect: Effect | None,
        writes: Writes,
        *,
        by: UUID,
        at: datetime,
        real: datetime,
    ) -> bool:
        """Write corrected bills, adjustments and entries, settle the queue, and note that the decision is in force.

        Args:
            decision: kept before if ``effect`` is None, else kept now.
            effect: what its preview said.
            writes: all rows.
            by: whose word brings it into force.
            at: domain time.
            real: real time.

        Returns:
            False where it is in force already; nothing is written then.

        Raises:
            CorrectionRefusedError: one of its bills was corrected meanwhile. Nothing is written.
        """
        ...

    async def withdrawn(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """Note that a waiting decision is taken back. False where it did not wait."""
        ...

    async def head(self, decision_id: UUID) -> DecisionHead:
        """Return one decision.

        Raises:
            CorrectionRefusedError: there is none.
        """
        ...

    async def heads(self, *, state: DecisionState | None = None, limit: int = 200) -> list[DecisionHead]:
        """Return decisions, newest first."""
        ...

    async def adjustments(
        self, *, service_points: Collection[UUID] | None = None, bill_ids: Collection[UUID] | None = None
    ) -> list[Adjustment]:
        """Return adjustments with their lines, of these places, or that link one of these bills, newest first."""
        ...
