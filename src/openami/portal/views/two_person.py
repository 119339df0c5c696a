"""Orders that need more than one person, whatever they are about: what was approved, by whom, and how it stands."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View

Reason = Field(min_length=5, max_length=160, pattern=r"^[ -~]+$", description="Why, in printable ASCII, for the log.")


class TwoPersonOrderState(StrEnum):
    """How an order stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    LAPSED = "lapsed"
    OVER = "over"
    WITHDRAWN = "withdrawn"


class ApprovalView(View):
    """One person's approval."""

    is_you: bool
    account: str = Field(description="First eight characters of the account's id.")
    at: int = Field(description="Real time, epoch s.")


class TwoPersonOrderView(View):
    """One order. Times are real, epoch s."""

    order_id: UUID
    kind: str = Field(examples=["switch"])
    action: str = Field(examples=["disconnect"])
    reason: str
    items: int = Field(description="How many meters or things it is about.")
    digest: str = Field(description="What an approval signs: action, reason, window and every item.")
    made_at: int
    is_yours: bool
    window_from: int
    window_to: int
    state: TwoPersonOrderState
    words: str = Field(description="How it stands, in a sentence.")
    lapses_at: int | None = Field(description="When it must be asked anew if nobody else approves; null: never.")
    approvals: list[ApprovalView]
    may_approve: bool = Field(description="Whether another person's approval is wanted, and you have given none.")


class Approve(View):
    """Approve an order as it was seen."""

    digest: str = Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")


class Withdraw(View):
    """Let an order do nothing any more."""

    reason: str = Reason
