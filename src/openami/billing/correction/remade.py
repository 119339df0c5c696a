"""What becomes of an issued bill that is made again: one bill, several parts, or nothing of its own. A value."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import Bill, BillState
from openami.billing.rating.carried import Carried


def is_reversed(made: Bill) -> bool:
    """Whether nothing takes a bill's place: none of its days is its account's."""
    return made.hold is not None and made.hold.code is HoldCode.BILLED_ALREADY


def versions_digest(bill: Bill) -> str:
    """Return a digest of what a bill was made from: equal for bills that stand on the same versions and rate."""
    told = f"{bill.rate_code}|{bill.span.first}|{bill.span.end}|{','.join(map(str, bill.day_versions))}|{bill.total}"
    return sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Remade:
    """What takes the place of a bill.

    Args:
        old: the bill in force.
        bills: what begins in its days, by first day: one, or parts; none where its days are in another of the unit.
            A held one says why nothing can take its place.
        unit: ids of all bills that are replaced together with it, itself among them, by first day.
        whole: everything that takes the place of the unit; its own bills where it stands alone.
    """

    old: Bill
    bills: tuple[Bill, ...]
    unit: tuple[UUID, ...]
    whole: tuple[Bill, ...]

    @property
    def is_split(self) -> bool:
        """Whether several bills take the place of the unit, or one the place of several."""
        return len(self.unit) > 1 or len(self.whole) > 1

    @property
    def is_reversed(self) -> bool:
        """Whether nothing takes the unit's place."""
        return all(is_reversed(b) for b in self.whole)

    @property
    def is_makeable(self) -> bool:
        """Whether all that takes the unit's place can be made, or nothing does."""
        return self.is_reversed or all(b.state is BillState.ISSUED for b in self.whole)

    @property
    def total(self) -> Decimal | None:
        """What begins in the bill's days comes to; None where the unit cannot be made."""
        if not self.is_makeable:
            return None
        return sum((b.total or Decimal(0) for b in self.bills if b.state is BillState.ISSUED), Decimal(0))

    @property
    def usage_wh(self) -> int:
        """Its energy [Wh]; 0 where it cannot be made."""
        return sum(b.usage_wh or 0 for b in self.bills)

    @property
    def reason(self) -> str:
        """Why it cannot be made; else why it would be held if nobody decided."""
        if not self.is_makeable or self.is_reversed:
            return next((b.hold_reason for b in self.whole if b.hold_reason), "") or "it cannot be made"
        return "; ".join(dict.fromkeys(b.released for b in self.whole if b.released))

    @property
    def carried_in(self) -> Carried | None:
        """What the unit takes in now; None where nothing is made of it."""
        return None if self.is_reversed else self.whole[0].carried_in

    @property
    def carried_out(self) -> Carried | None:
        """What the unit hands to the bill after it; None where it hands over nothing that is known."""
        last = self.whole[-1]
        return last.carried_out if last.state is BillState.ISSUED else None

    @property
    def digest(self) -> str:
        """What a decision signs: of the versions that all of the unit is made from."""
        told = [versions_digest(b) for b in self.whole]
        if not self.is_split:
            return told[0]
        return sha256("|".join(("parts", str(self.old.bill_id), *told)).encode()).hexdigest()[:32]
