"""A decision about bills that are out: which, why, by whom. Values; what an approval signs.

Never altered and never deleted. A second person signs the digest of every bill and of the versions that its correction
was made from: if a reading changes once more before the approval, the approval fits no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from openami.billing.correction.effect import Effect
from openami.billing.correction.record import Cause, DecisionKind
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import require_utc

MAX_BILLS = 100_000
MAX_REASON = 500


class CorrectionRefusedError(OpenAmiError):
    """A decision about bills that cannot be. The text says why and what to mend."""


class DecisionState(StrEnum):
    """How a decision stands."""

    WAITING = "waiting"
    IN_FORCE = "in_force"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, order=True)
class DecidedBill:
    """One bill of a decision.

    Args:
        bill_id: the bill in force.
        versions_digest: of what its correction was made from.
        is_rebilled: whether a corrected bill goes out; False leaves it as it is.
    """

    bill_id: UUID
    versions_digest: str
    is_rebilled: bool

    def digest(self) -> bytes:
        """Return SHA-256 over all of it: an item of the order."""
        return sha256(
            f"openami correction v1|{self.bill_id}|{self.versions_digest}|{self.is_rebilled}".encode()
        ).digest()


@dataclass(frozen=True, slots=True)
class CorrectionDecision:
    """One decision about one cause: of one customer, or of all it touched.

    Args:
        decision_id: random.
        kind: what was decided.
        cause: why the data changed.
        bills: which; by id.
        reason: why, in the person's words; no identity of a customer.
        by: the account of who made it.
        at: domain time.
        tampering: whether the customer tampered: no look-back limit.
        in_parts: parts of repayment; None is what the rules say, 1 at once.
        approved_by: the account of the second person, where one was needed.
    """

    decision_id: UUID
    kind: DecisionKind
    cause: Cause
    bills: tuple[DecidedBill, ...]
    reason: str
    by: UUID
    at: datetime
    tampering: bool = False
    in_parts: int | None = None
    approved_by: UUID | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))
        object.__setattr__(self, "bills", tuple(sorted(self.bills)))
        if not 1 <= len(self.bills) <= MAX_BILLS:
            raise CorrectionRefusedError(f"a decision is about 1 to {MAX_BILLS:,} bills, this one {len(self.bills)}")
        if not 5 <= len(self.reason.strip()) <= MAX_REASON:
            raise CorrectionRefusedError(f"the reason has {len(self.reason.strip())} characters: 5 to {MAX_REASON}")
        if self.kind is DecisionKind.LEAVE and any(b.is_rebilled for b in self.bills):
            raise CorrectionRefusedError("a decision to leave bills rebills none")

    def items(self) -> list[bytes]:
        """Return what an order for it is about: a digest of the decision itself, then one of each bill."""
        head = "|".join(
            ("openami correction v1", str(self.decision_id), self.kind.value, self.cause.name, str(self.tampering),
             str(self.in_parts), self.reason)
        )  # fmt: skip
        return [sha256(head.encode()).digest(), *(b.digest() for b in self.bills)]

    def words(self) -> str:
        """Return what is done, in a few words of ASCII."""
        rebilled = sum(b.is_rebilled for b in self.bills)
        what = f"correct {rebilled} bills" if self.kind is DecisionKind.REBILL else f"leave {len(self.bills)} bills"
        return f"{what}, {self.cause.name}".encode("ascii", "replace").decode()


@dataclass(frozen=True, slots=True)
class DecisionHead:
    """A decision as a list shows it.

    Args:
        decision: whole.
        state: how it stands.
        effect: what its preview said.
        order_id: the order that a second person approves, or None.
    """

    decision: CorrectionDecision
    state: DecisionState
    effect: Effect
    order_id: UUID | None = None
