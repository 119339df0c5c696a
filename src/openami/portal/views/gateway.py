"""The gateway's thresholds: what holds, what is kept aside because it was over one, and what people ordered."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View
from openami.portal.views.two_person import Reason, TwoPersonOrderView

MAX_DOCUMENT = 262_144


class ThresholdRowView(View):
    """One threshold, as people read it."""

    words: str = Field(examples=["Disconnections of all requesters in any hour"])
    value: str = Field(examples=["50"])


class HeldCommandView(View):
    """A command that the gateway keeps aside. Times are real, epoch s."""

    held_id: UUID
    at: int
    gateway_id: int
    system_title: str
    words: str = Field(description="What it would do and which threshold it was over.")
    order_id: UUID | None
    load_w: int


class ThresholdWordView(View):
    """What a gateway said about a threshold."""

    at: int
    gateway_id: int
    kind: str = Field(examples=["warned"])
    words: str


class GatewayView(View):
    """The page of the gateway."""

    as_of: int
    version: int
    document: str | None = Field(description="The thresholds in force as JSON; null where it is not kept here.")
    thresholds: list[ThresholdRowView]
    held: list[HeldCommandView]
    orders: list[TwoPersonOrderView]
    words: list[ThresholdWordView]


class ReleaseCommands(View):
    """Order that kept commands may pass, each once, after a second person's approval."""

    held_ids: list[UUID] = Field(min_length=1, max_length=5_000)
    reason: str = Reason


class ProposeThresholds(View):
    """Order other thresholds; they hold once a second person has approved exactly this document."""

    document: str = Field(min_length=2, max_length=MAX_DOCUMENT)
    reason: str = Reason
