"""What rating noticed about a bill: said to the biller, and where it must be, a reason to hold the bill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RatingCode(StrEnum):
    """What was noticed.

    RECEIVED_WITHOUT_APPROVAL: energy came in on days without an approved interconnection; it lowered nothing.
    DEMAND_LEFT_OUT: demand windows with an estimated or missing interval set no peak.
    DEMAND_NOT_SURE: so many windows were left out, or all of a period, that the peak may be another.
    RATCHET_SHORT: the ratchet looks further back than the bills that are known.
    CREDIT_ENDED: a credit for energy sent out was lost by its age or because the customer stopped.
    """

    RECEIVED_WITHOUT_APPROVAL = "received_without_approval"
    DEMAND_LEFT_OUT = "demand_left_out"
    DEMAND_NOT_SURE = "demand_not_sure"
    RATCHET_SHORT = "ratchet_short"
    CREDIT_ENDED = "credit_ended"


@dataclass(frozen=True, slots=True)
class RatingFinding:
    """One thing noticed.

    Args:
        code: what.
        words: the same for people, with figures and the mend.
        holds: whether the bill must wait for a person or for better readings.
    """

    code: RatingCode
    words: str
    holds: bool = False
