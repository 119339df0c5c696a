"""Bills as work: what waits, why a place is not billed, what was corrected and by whom it is decided."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View

Why = Field(min_length=5, max_length=160, pattern=r"^[ -~]+$", description="Why, in printable ASCII, for the log.")


class HeldBillView(View):
    """One bill that waits."""

    bill_id: UUID
    service_point_id: UUID
    first_day: date
    last_day: date
    bill_group: int | None
    code: str = Field(examples=["missing_days"])
    reason: str
    owner: str = Field(examples=["metering"], description="The desk whose move it is.")
    since: int = Field(description="Domain time, epoch s.")
    age_days: int
    action: str = Field(description="The one thing that frees it.")
    can_release: bool = Field(description="Whether a person may pass the hold over with a reason.")


class HoldCountView(View):
    """How many bills wait for one reason."""

    code: str
    owner: str
    bills: int
    oldest_days: int


class HeldBillsView(View):
    """Bills that wait, the longest first."""

    bills: list[HeldBillView]
    counts: list[HoldCountView]
    is_cut: bool = Field(description="Whether there are more than are shown.")


class ReleaseBill(View):
    """Let a bill pass its hold."""

    reason: str = Why


class ChainState(StrEnum):
    """How a link of the chain stands."""

    GOOD = "good"
    STOPS = "stops"
    LATER = "later"


class BlockedLinkView(View):
    """One link."""

    title: str
    words: str
    state: ChainState


class BlockedView(View):
    """Why a place is not billed."""

    service_point_id: UUID
    headline: str
    since: date | None
    owner: str
    action: str
    act: str = Field(examples=["look_at_readings", "release", "nothing"])
    href: str | None = Field(description="The page of the console on which the act is done; null: elsewhere.")
    bill_id: UUID | None
    can_release: bool
    waiting_days: int
    waiting_amount: str | None = Field(description="What waits, in words, at the last bill's amount a day.")
    chain: list[BlockedLinkView]


class ChangedPartView(View):
    """One of the bills that take the place of another; their energy and amounts add up to what it would be."""

    first_day: date
    last_day: date
    rate: str
    kwh: str
    amount: str


class ChangedBillView(View):
    """One bill that went out and whose data changed."""

    bill_id: UUID
    service_point_id: UUID
    first_day: date
    last_day: date
    days: int
    by_kwh: str
    before: str
    after: str | None
    by: str
    words: str = Field(description="How it was weighed, or why it cannot be made again.")
    parts: list[ChangedPartView] = Field(description="What takes its place, where that is not one bill of its days.")
    joins: bool = Field(description="Whether its days go into the bill before it.")


class CorrectionCaseView(View):
    """All that one cause changed."""

    cause: str = Field(examples=["readings:2026-11-10"])
    words: str
    since: int
    customers: int
    by: str
    first_day: date
    last_day: date
    bills: list[ChangedBillView]


class CorrectionDecisionView(View):
    """One decision, as a list shows it."""

    decision_id: UUID
    words: str
    reason: str
    state: str = Field(examples=["waiting", "in_force", "withdrawn"])
    at: int
    effect: str
    may_approve: bool = Field(description="Whether it waits for another person, and you did not make it.")


class CorrectionsView(View):
    """The queue, the most money first, and the newest decisions."""

    cases: list[CorrectionCaseView]
    decisions: list[CorrectionDecisionView]


class CorrectionWish(View):
    """What a person wants to decide about a cause."""

    cause: str = Field(max_length=200)
    leave: bool = Field(default=False, description="Leave the bills as they are, for the reason given.")
    place: UUID | None = Field(default=None, description="One place alone; null: everybody whom the cause touched.")
    tampering: bool = False
    reason: str = Why


class DecideCorrection(CorrectionWish):
    """Decide what was previewed."""

    token: str = Field(min_length=64, max_length=64, description="Of the preview: it decides exactly what was seen.")


class CorrectionPreviewView(View):
    """What a decision would do."""

    words: str
    effect: str
    second: str | None = Field(description="Why a second person must approve; null: one is enough.")
    token: str
    places: list[UUID]


class CorrectionKeptView(View):
    """What became of a decision."""

    decision_id: UUID
    state: str
    words: str
