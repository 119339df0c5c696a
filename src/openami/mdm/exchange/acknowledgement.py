"""What is answered to a message, record by record, and the same as a flat file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from openami.mdm.exchange.flat import flat_text
from openami.mdm.exchange.record import RejectedRecord

HEAD = "openami acknowledgement 1"
COLUMNS = ("record", "id", "line", "result", "code", "reason", "days", "bills")


class Result(StrEnum):
    """What became of a record. HELD waits for a person: it would alter bills that were issued."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one record.

    Args:
        kind, id, line: the record's.
        result: what became of it.
        code: a stable word where it was held or rejected.
        reason: for people; names what to mend.
        days: service point days that are validated again.
        bills: issued bills that lie in what it changes.
    """

    kind: str
    id: str
    line: int
    result: Result
    code: str = ""
    reason: str = ""
    days: int = 0
    bills: int = 0

    @classmethod
    def rejecting(cls, record: RejectedRecord) -> Answer:
        """Return the answer to a record that cannot be read."""
        return cls(record.kind, record.id, record.line, Result.REJECTED, record.code, record.reason)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to a message.

    Args:
        sender: who sent the message, and now gets this.
        message: its number.
        at: domain time of the answer.
        answers: one for each record, in order.
        is_repeat: the message had come before; this is what was answered then.
    """

    sender: str
    message: str
    at: datetime
    answers: tuple[Answer, ...]
    is_repeat: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many records were accepted, unchanged, held and rejected."""
        counted = Counter(a.result for a in self.answers)
        return {r.value: counted[r] for r in Result}


def flat_acknowledgement(found: Acknowledgement) -> str:
    """Return an acknowledgement as a flat file: head, header, a line for each record, and the tail that counts them."""
    return flat_text((HEAD, "openami", found.message, found.at.isoformat()), COLUMNS, map(_row, found.answers))


def _row(one: Answer) -> Sequence[object]:
    return (one.kind, one.id, one.line, one.result.value, one.code, one.reason, one.days, one.bills)
