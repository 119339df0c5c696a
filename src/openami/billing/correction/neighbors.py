"""Bills that open where others close: what one hands over, the next takes in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openami.billing.bill.record import Bill


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Bills in force by where they open and close: of the same place and account, without a gap."""

    opening: Mapping[tuple[UUID, date, UUID | None], Bill]
    closing: Mapping[tuple[UUID, date, UUID | None], Bill]
    opening_at: Mapping[tuple[UUID, date], Bill]
    """By place and first day, whoever's: a register stands where it stands when people move."""
    closing_at: Mapping[tuple[UUID, date], Bill]
    """By place and the day after the last."""

    @classmethod
    def of(cls, bills: Sequence[Bill]) -> Neighbors:
        """Return the neighbors among bills in force."""
        return cls(
            {(b.service_point_id, b.span.first, b.account_id): b for b in bills},
            {(b.service_point_id, b.span.end, b.account_id): b for b in bills},
            {(b.service_point_id, b.span.first): b for b in bills},
            {(b.service_point_id, b.span.end): b for b in bills},
        )

    def before(self, bill: Bill) -> Bill | None:
        """Return the bill that closed where this one opens."""
        return self.closing.get((bill.service_point_id, bill.span.first, bill.account_id))

    def after(self, bill: Bill) -> Bill | None:
        """Return the bill that opened where this one closes."""
        return self.opening.get((bill.service_point_id, bill.span.end, bill.account_id))
