"""Switching orders: what is done to customers' supply, who approved it, and what became of each meter."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View
from openami.portal.views.two_person import Reason, TwoPersonOrderView

MAX_METERS = 1_000
"""Meters that a person names one by one; more come as a signed list."""
MAX_LIST_CHARACTERS = 1024 * 1024


class SwitchActionName(StrEnum):
    """What is done."""

    DISCONNECT = "disconnect"
    RECONNECT = "reconnect"
    LIMIT = "limit"


class SwitchReasonName(StrEnum):
    """Why; which blocks bind depends on it."""

    NON_PAYMENT = "non_payment"
    MOVE_OUT = "move_out"
    CUSTOMER_REQUEST = "customer_request"
    SAFETY = "safety"
    THEFT = "theft"
    TEST = "test"
    PAID = "paid"
    WRONG_CUT = "wrong_cut"


class SwitchProgress(StrEnum):
    """How far an order has come."""

    WAITS_FOR_APPROVAL = "waits_for_approval"
    LAPSED = "lapsed"
    WAITS_FOR_WINDOW = "waits_for_window"
    RUNNING = "running"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class SwitchCountView(View):
    """How many meters of an order ended so, or stand so."""

    code: str = Field(examples=["switched", "paid", "waiting"])
    words: str = Field(description="What that means, in a sentence.")
    meters: int
    is_good: bool


class SwitchOrderView(View):
    """One switching order: the order as people approve it, and what became of its meters."""

    order: TwoPersonOrderView
    progress: SwitchProgress
    words: str = Field(description="How it stands and whose move it is, in a sentence.")
    people_needed: int
    approved_by: int
    is_list: bool = Field(description="Came as a signed list of the customer information system.")
    switched: int = Field(description="Meters that are as it wants them.")
    counts: list[SwitchCountView]
    longest_s: float | None = Field(description="Longest time from the approval to a meter's end.")


class SwitchMeterView(View):
    """One meter of an order."""

    system_title: str
    service_point_id: UUID
    state: str = Field(examples=["waiting", "running", "done", "refused"])
    code: str | None
    words: str
    due_at: int | None = Field(description="When its turn is; null before the order is carried out.")
    took_s: float | None


class SwitchOrdersView(View):
    """The newest orders, those that wait for a person first."""

    orders: list[SwitchOrderView]


class SwitchOrderDetailView(View):
    """One order with its meters."""

    order: SwitchOrderView
    each: list[SwitchMeterView]


class PlanSwitching(View):
    """An order to make. The person's own approval is its first."""

    action: SwitchActionName
    reason: SwitchReasonName
    system_titles: list[str] = Field(min_length=1, max_length=MAX_METERS)
    limit_w: int = Field(default=0, ge=0, le=1_000_000)
    hours: float = Field(default=8.0, ge=0.1, le=24.0)
    note: str = Reason


class TakeList(View):
    """A signed list, as the file holds it."""

    text: str = Field(min_length=1, max_length=MAX_LIST_CHARACTERS)


class ListTakenView(View):
    """What a list came to."""

    order: SwitchOrderView | None
    paid: int = Field(description="Places that have paid by it.")


class AlertView(View):
    """What people were called for. Times are real, epoch s."""

    alert_id: UUID
    at: int
    rule: str
    words: str
    order_id: UUID | None
    device: str
    seen_at: int | None


class AlertsView(View):
    """Alerts, those that nobody has seen to first."""

    alerts: list[AlertView]
