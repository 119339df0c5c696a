"""A customer's wish to be on another rate: recorded as said, applied from the next billing read, or taken back.

Nothing is altered: a wish is a row, and what became of it is a step beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from openami.kernel.errors import OpenAmiError


class WishRefusedError(OpenAmiError):
    """The wish cannot be recorded; the text is for the customer."""


class WishStep(StrEnum):
    """What became of a wish. REFUSED: on its day the rate could not be given; the note says why."""

    WITHDRAWN = "withdrawn"
    APPLIED = "applied"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish for another rate.

    Args:
        wish_id: names it.
        service_point_id: where.
        rate_code: the rate wanted.
        present_code: the rate it was asked on.
        first_day: first local day on the new rate: the day of the next billing read, as the customer was told.
        asked_at: domain time.
        asked_by: the account.
        step: what became of it; None while it is open.
        note: why it was refused.
    """

    wish_id: UUID
    service_point_id: UUID
    rate_code: str
    present_code: str
    first_day: date
    asked_at: datetime
    asked_by: UUID
    step: WishStep | None = None
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its day."""
        return self.step is None
