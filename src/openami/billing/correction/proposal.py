"""What a person wishes about bills, and the decision that it comes to with what that would do. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from openami.billing.correction.compared import told_parts
from openami.billing.correction.decision import CorrectionDecision, CorrectionRefusedError, DecidedBill
from openami.billing.correction.effect import Effect
from openami.billing.correction.group import CauseCase
from openami.billing.correction.reach import Reach
from openami.billing.correction.record import Change, DecisionKind
from openami.billing.correction.remade import Remade


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to decide.

    Args:
        cause: name of the cause, see :attr:`~openami.billing.correction.record.Cause.name`.
        kind: rebill, or leave.
        reason: why.
        place: one service point alone; None for everybody whom the cause touched.
        tampering: whether the customer tampered; of one place alone.
        in_parts: parts of repayment; None is what the rules say.
        discovered: local day on which the error was found, asked about or notified; None is when it was noted here.
    """

    cause: str
    kind: DecisionKind
    reason: str
    place: UUID | None = None
    tampering: bool = False
    in_parts: int | None = None
    discovered: date | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A decision that could be kept, and what it would do.

    Args:
        decision: complete.
        case: what it is about.
        reaches: how far back it goes, by agreement.
        parts: in how many parts each agreement repays; 1 is at once.
        effect: the sums.
        second: why a second person must approve, or None.
    """

    decision: CorrectionDecision
    case: CauseCase
    reaches: Mapping[UUID, Reach]
    parts: Mapping[UUID, int]
    effect: Effect
    second: str | None = None


def found_before(wish: Wish, case: CauseCase, effect: Effect) -> str | None:
    """Return why a second person must agree on the day of discovery; None where nobody is charged more by it.

    The look-back limit is counted from that day: whoever may put it back alone may charge for any year.
    """
    noted = min(c.found_at for c in case.changes)
    if wish.discovered is None or wish.discovered >= noted.date() or not effect.up:
        return None
    return f"the error is said to have been found on {wish.discovered}, before it came up here on {noted:%Y-%m-%d}"


def fresh_change(change: Change, made: Remade) -> Change:
    """Return a change as it is made now.

    Raises:
        CorrectionRefusedError: it cannot be made any more.
    """
    after = made.total
    if after is None:
        raise CorrectionRefusedError(f"bill {change.bill_id} cannot be made again now: {made.reason}")
    parts, joins = told_parts(made)
    return replace(
        change, after=after, after_wh=made.usage_wh, versions_digest=made.digest, parts=parts, joins=joins
    )  # fmt: skip


def decided_bill(change: Change, corrected: Change | None) -> DecidedBill:
    """Return a change as one bill of a decision.

    Args:
        change: as it was weighed.
        corrected: as it is made now; None where the bill stays as it is.
    """
    digest = change.versions_digest if corrected is None else corrected.versions_digest
    return DecidedBill(change.bill_id, digest, is_rebilled=corrected is not None)
