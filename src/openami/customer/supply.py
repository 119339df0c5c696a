"""What the customer room says of switching a place: who is held and why, who has paid, and who has moved in.

Why a place is held stays here. What leaves is a *stop*: that the place is stopped, for which reasons of switching, from
when to when. Which kind of hold stops which reasons is dated rule data and comes as an argument.

Source: requirement R3.8 (medical, critical site, dispute); research on utility practice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from openami.kernel.errors import MisuseError
from openami.kernel.time import local_date

NON_PAYMENT = frozenset({"non_payment"})
"""What a payment stops, in the words of switching orders."""


class HoldKind(StrEnum):
    """Why a place is held."""

    MEDICAL = "medical"
    DISPUTE = "dispute"
    CRITICAL_SITE = "critical_site"
    PAYMENT_AGREEMENT = "payment_agreement"


class StopCode(StrEnum):
    """What of it leaves this room."""

    PAID = "paid"
    HOLD = "hold"
    OTHER_CUSTOMER = "other_customer"


@dataclass(frozen=True, slots=True)
class Hold:
    """A place that is held. Its text hides why.

    Args:
        hold_id: random.
        service_point_id: the place.
        kind: why.
        from_at: from when, real time.
        to_at: until when; None until somebody ends it.
        made_at: when it was entered, real time.
        made_by: the account that entered it.
    """

    hold_id: UUID
    service_point_id: UUID
    kind: HoldKind = field(repr=False)
    from_at: datetime
    to_at: datetime | None
    made_at: datetime
    made_by: UUID


@dataclass(frozen=True, slots=True)
class SupplyStop:
    """That a place is stopped.

    Args:
        stop_id: the hold's id, or random.
        service_point_id: the place.
        code: what may be said of it.
        reasons: the reasons of switching that it stops.
        from_at: from when, real time.
        to_at: until when; None for good.
        orders_before: it stops orders that were made before this alone; None for any.
        made_at: when it was entered.
    """

    stop_id: UUID
    service_point_id: UUID
    code: StopCode
    reasons: frozenset[str]
    from_at: datetime
    to_at: datetime | None
    orders_before: datetime | None
    made_at: datetime


class SupplyStore(Protocol):
    """Where holds and stops are kept. Raises :class:`openami.customer.ports.CustomerStoreError`."""

    async def hold(self, hold: Hold, stop: SupplyStop) -> None:
        """Keep a hold and what leaves the room of it, both or neither."""
        ...

    async def end_hold(self, hold_id: UUID, *, at: datetime) -> bool:
        """End a hold and its stop, and tell whether there was one that had not ended."""
        ...

    async def stop(self, stops: Sequence[SupplyStop]) -> None:
        """Keep stops, all or none."""
        ...

    async def holds_of(self, service_point_id: UUID) -> Sequence[Hold]:
        """Return the holds of a place, the newest first."""
        ...


@dataclass(frozen=True, slots=True)
class SupplyBook:
    """Holds and payments.

    Args:
        store: keeps them.
        stopped_by: which reasons of switching a kind of hold stops on a local day.
        zone: of the installation.
        new_id: makes random ids.
    """

    store: SupplyStore
    stopped_by: Callable[[str, date], frozenset[str]]
    zone: ZoneInfo
    new_id: Callable[[], UUID] = uuid4

    async def hold(
        self, service_point_id: UUID, kind: HoldKind, *, now: datetime, to_at: datetime | None, by: UUID
    ) -> Hold:
        """Hold a place from now on and return the hold.

        Raises:
            MisuseError: it would end before it begins, or no rule says what this kind stops.
        """
        if to_at is not None and to_at <= now:
            raise MisuseError("a hold ends after it begins")
        reasons = self.stopped_by(kind.value, local_date(now, self.zone))
        if not reasons:
            raise MisuseError(f"no rule in force says what a hold of kind {kind.value} stops")
        hold = Hold(self.new_id(), service_point_id, kind, now, to_at, now, by)
        stop = SupplyStop(hold.hold_id, service_point_id, StopCode.HOLD, reasons, now, to_at, None, now)
        await self.store.hold(hold, stop)
        return hold

    async def end_hold(self, hold_id: UUID, *, now: datetime) -> None:
        """End a hold.

        Raises:
            MisuseError: there is none that has not ended.
        """
        if not await self.store.end_hold(hold_id, at=now):
            raise MisuseError(f"there is no hold {hold_id} that could be ended")

    async def paid(self, service_points: Collection[UUID], *, now: datetime) -> None:
        """Note that these places have paid: orders for non-payment that were made before now are stopped."""
        await self.store.stop(
            [
                SupplyStop(self.new_id(), place, StopCode.PAID, NON_PAYMENT, now, None, now, now)
                for place in sorted(set(service_points))
            ]
        )

    async def holds_of(self, service_point_id: UUID) -> Sequence[Hold]:
        """Return the holds of a place, the newest first."""
        return await self.store.holds_of(service_point_id)
