"""A customer's own read of their meter, and what they were told of estimated bills."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View


class NoticeStateName(StrEnum):
    """How a notice of an estimated bill stands."""

    ASKS = "asks"
    PASSED = "passed"
    SETTLED = "settled"


class EstimateNoticeView(View):
    """A notice that was given with an estimated bill."""

    bill_id: UUID
    given_on: date
    title: str
    words: list[str]
    read_until: date
    is_limit_near: bool
    state: NoticeStateName


class TrueUpLineView(View):
    """One period of a true-up."""

    first_day: date
    last_day: date
    before_kwh: str
    after_kwh: str
    by: str = Field(description="What it adds to what is owed; below zero is given back.")


class TrueUpView(View):
    """All periods that one actual read settled."""

    decision_id: UUID
    day: date
    words: str
    lines: list[TrueUpLineView]
    by_kwh: str
    by: str
    parts: int = Field(description="Parts in which it is paid, without interest; 1 is at once.")
    currency: str


class OwnReadState(StrEnum):
    """What became of a customer's read."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"


class OwnReadView(View):
    """One read that a customer sent."""

    read_id: UUID
    at: int = Field(description="When it was read, epoch s.")
    shown_kwh: str
    state: OwnReadState
    words: str


class OwnReadsView(View):
    """Whether a read may be sent, and those that were, newest first."""

    service_point_id: UUID
    meter: str | None = Field(description="Serial number on the meter's face.")
    can_send: bool
    why: str = Field(description="Why a read helps now, or why none is asked for.")
    reads: list[OwnReadView]


class SendRead(View):
    """What the display shows now."""

    shown_kwh: str = Field(pattern=r"^[0-9]{1,9}([.,][0-9]{1,3})?$", max_length=13, examples=["12345", "12345.6"])
