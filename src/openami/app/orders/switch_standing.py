"""How a switching order stands: from its approvals, its window and what became of its meters. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from openami.headend.switching.life import GOOD
from openami.headend.switching.order import SwitchSubject, subject_of
from openami.security.access.order import Order, good_approvals, lapses_at

SECOND = timedelta(seconds=1)


class OrderState(StrEnum):
    """How an order stands. Staff screens print these in words."""

    WAITS_FOR_APPROVAL = "waits_for_approval"
    LAPSED = "lapsed"
    WAITS_FOR_WINDOW = "waits_for_window"
    RUNNING = "running"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class OrderHead:
    """An order as people see it, without its meters.

    Args:
        order: the order.
        subject: its action and reason.
        state: how it stands.
        approved_by: how many people have approved it.
        counts: meters by code; those that have not ended under their state.
        longest_s: the longest time from approval to a meter's end [s]; None while none has ended.
    """

    order: Order
    subject: SwitchSubject
    state: OrderState
    approved_by: int
    counts: dict[str, int]
    longest_s: float | None


def state_of(order: Order, subject: SwitchSubject, counts: dict[str, int], *, now: datetime) -> OrderState:
    """Return how an order stands.

    Args:
        order: the order.
        subject: its action and reason.
        counts: meters by code; those that have not ended under their state.
        now: real time.
    """
    if order.withdrawn_at is not None:
        return OrderState.WITHDRAWN
    open_ = counts.get("waiting", 0) + counts.get("running", 0)
    if counts and not open_:
        return OrderState.ENDED
    # As it will stand when its window begins, or stood before it ended.
    at = min(max(now, order.subject.window.start), order.subject.window.end - SECOND)
    by_list = subject.people == 1 and bool(order.document)
    if not by_list and not good_approvals(order, now=at, people=subject.people):
        lapse = lapses_at(order)
        is_over = now >= order.subject.window.end or (lapse is not None and lapse <= now)
        return OrderState.LAPSED if is_over else OrderState.WAITS_FOR_APPROVAL
    if now >= order.subject.window.end:
        return OrderState.ENDED
    return OrderState.RUNNING if now >= order.subject.window.start else OrderState.WAITS_FOR_WINDOW


def order_head(order: Order, rows: Sequence[tuple[str, str, int, float | None]], now: datetime) -> OrderHead:
    """Return an order as people see it.

    Args:
        order: the order.
        rows: how many meters stand where: state, code, meters, longest time from the approval [s].
        now: real time.
    """
    subject = subject_of(order.subject.action, order.subject.reason)
    counts: dict[str, int] = {}
    for state, code, meters, _ in rows:
        counts[code or state] = counts.get(code or state, 0) + meters
    longest = max((took for _, _, _, took in rows if took is not None), default=None)
    people = len({a.human_id for a in order.approvals})
    return OrderHead(order, subject, state_of(order, subject, counts, now=now), people, counts, longest)


def switched(counts: dict[str, int]) -> int:
    """Return how many meters of an order are as it wants them."""
    return sum(counts.get(code.value, 0) for code in GOOD)
