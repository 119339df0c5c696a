"""What was sent and what came of it: values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from openami.mdm.exchange.acknowledgement import Result
from openami.mdm.exchange.billing_reads import BillingRead, flat_reads

_NO_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A bill that was sent, with the receiver's answer; None while there is none."""

    receiver: str
    message: str
    record: str
    first: date
    end: date
    sent_at: datetime
    result: Result | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SentCounts:
    """How many bills were sent, taken, rejected or held, and not answered."""

    sent: int
    taken: int
    rejected: int
    unanswered: int


def content_of(read: BillingRead) -> bytes:
    """Return what a record says, without the message it went in: two of one content are the same bill."""
    return flat_reads([read], message="-", at=_NO_TIME).encode()
