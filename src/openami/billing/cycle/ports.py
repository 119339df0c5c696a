"""Port of what the bill book knows of cycles. Its adapter keeps it in PostgreSQL, schema ``billing``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import Bill
from openami.billing.cycle.place import Billed
from openami.billing.rating.usage import BillSpan

ReleaseKey = tuple[UUID, date, UUID | None]
"""A service point, the first day of a bill there, and whose bill it is."""


@dataclass(frozen=True, slots=True)
class Release:
    """A person's word that a bill passes one hold.

    Args:
        service_point_id, first_day, account_id: which bill; who moves in takes over no word about who moved out.
        code: which hold.
        reason: why.
        by: login.
        at: domain time.
    """

    service_point_id: UUID
    first_day: date
    code: HoldCode
    reason: str
    by: str
    at: datetime
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """A person's word that bills of a place wait, until it is lifted.

    Args:
        hold_id: random.
        service_point_id: whose bills.
        reason: why, without any name.
        by: login.
        at: domain time.
        lifted_at, lifted_by, lift_reason: when, by whom and why it ended.
    """

    hold_id: UUID
    service_point_id: UUID
    reason: str
    by: str
    at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lift_reason: str = ""


class CycleBook(Protocol):
    """What was billed so far, and what people said of holds. Every write may be repeated and counts once."""

    async def billed(self, service_points: Collection[UUID] | None = None) -> dict[UUID, list[Billed]]:
        """Return what each account was billed at each of these places, of all for None, by service point."""
        ...

    async def reversed_at(self, service_points: Collection[UUID]) -> dict[tuple[UUID, date], int]:
        """Return the highest version of bills that were reversed whole, by service point and first day.

        Another account's bill that begins on that day is the next version: a bill's number is never given again.
        """
        ...

    async def issued_spans(self, service_points: Collection[UUID]) -> dict[UUID, dict[UUID | None, list[BillSpan]]]:
        """Return the days of issued bills in force, by service point and account, rising."""
        ...

    async def around(self, spans: Mapping[UUID, BillSpan]) -> tuple[dict[UUID, Bill], dict[UUID, Bill]]:
        """Return issued bills in force (without lines) that end where a bill begins, and that begin where it ends.

        Args:
            spans: of one bill of each place; what is found is by service point, too.
        """
        ...

    async def held(self, *, owner: str = "", bill_group: int | None = None, limit: int = 1000) -> list[Bill]:
        """Return bills that wait, the longest first."""
        ...

    async def withdraw(self, held: Mapping[UUID, Sequence[date]]) -> int:
        """Forget held bills of these places that begin on none of these days: what is due has changed.

        Returns:
            How many.
        """
        ...

    async def release(self, row: Release) -> None:
        """Keep a release; one of the same bill and hold is left as it is."""
        ...

    async def releases(self, service_points: Collection[UUID]) -> dict[ReleaseKey, list[Release]]:
        """Return the releases of bills, by service point, first day and account."""
        ...

    async def hold_place(self, row: PlaceHold) -> None:
        """Keep a hold of a place."""
        ...

    async def lift(self, service_point_id: UUID, *, by: str, reason: str, at: datetime) -> int:
        """Lift the holds of a place; returns how many."""
        ...

    async def place_holds(self, service_points: Collection[UUID] | None) -> dict[UUID, PlaceHold]:
        """Return the oldest hold in force of each place; of all for None."""
        ...
