"""Orders of any kind as the console shows them: how each stands, and whether the reader's approval is wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from openami.app.web.operations import answering
from openami.customer.ports import CustomerStoreError
from openami.headend.ports import StateUnavailableError
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import epoch_s
from openami.mdm.api import StoreError
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.two_person import ApprovalView, TwoPersonOrderState, TwoPersonOrderView
from openami.security.access.gate import AccessDeniedError, AuditUnavailableError
from openami.security.access.order import (
    PEOPLE,
    Order,
    OrdersUnavailableError,
    good_approvals,
    lapses_at,
)
from openami.security.access.role import Principal
from openami.security.watch.alert import AlertsUnavailableError

P = ParamSpec("P")
R = TypeVar("R")
_AWAY = (
    AlertsUnavailableError,
    StoreError,
    CustomerStoreError,
    OrdersUnavailableError,
    SourceUnavailableError,
    StateUnavailableError,
)


def desk_act(work: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a desk's refusals refusals of the page, in their own words, and an engine that is away a "not now"."""

    @answering
    @wraps(work)
    async def acted(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await work(*args, **kwargs)
        except _AWAY as error:
            raise SourceUnavailableError(str(error)) from error
        except (AccessDeniedError, AuditUnavailableError, RefusedError):
            raise
        except OpenAmiError as error:
            raise RefusedError(str(error)) from error

    return acted


def require_seen(order: Order, digest: str) -> None:
    """Pass if an order is what the person saw.

    Raises:
        RefusedError: it is not.
    """
    if order.subject.digest().hex() != digest:
        raise RefusedError("this order is not what you saw: look at it again")


def order_view(order: Order, principal: Principal, *, now: datetime, people: int = PEOPLE) -> TwoPersonOrderView:
    """Return an order for a reader.

    Args:
        order: with its approvals.
        principal: who reads.
        now: real time.
        people: how many different people it needs.
    """
    state = _state(order, now=now, people=people)
    lapses = lapses_at(order) if state is TwoPersonOrderState.WAITING else None
    yours = any(a.user_id == principal.user_id for a in order.approvals)
    return TwoPersonOrderView(
        order_id=order.subject.order_id,
        kind=order.subject.kind.value,
        action=order.subject.action,
        reason=order.subject.reason,
        items=order.item_count,
        digest=order.subject.digest().hex(),
        made_at=epoch_s(order.made_at),
        is_yours=order.requester == principal.user_id,
        window_from=order.subject.window.start_s,
        window_to=order.subject.window.end_s,
        state=state,
        words=_WORDS[state],
        lapses_at=None if lapses is None else epoch_s(lapses),
        approvals=[
            ApprovalView(
                is_you=a.user_id == principal.user_id, account=str(a.user_id)[:8], at=epoch_s(a.made_at)
            )
            for a in order.approvals
        ],
        may_approve=state in {TwoPersonOrderState.WAITING, TwoPersonOrderState.LAPSED} and not yours,
    )


def _state(order: Order, *, now: datetime, people: int) -> TwoPersonOrderState:
    if order.withdrawn_at is not None:
        return TwoPersonOrderState.WITHDRAWN
    if now >= order.subject.window.end:
        return TwoPersonOrderState.OVER
    # Before its window begins an order may have all its approvals: it is judged as it will stand then.
    if good_approvals(order, now=max(now, order.subject.window.start), people=people):
        return TwoPersonOrderState.APPROVED
    lapses = lapses_at(order)
    return TwoPersonOrderState.LAPSED if lapses is not None and lapses <= now else TwoPersonOrderState.WAITING


_WORDS = {
    TwoPersonOrderState.WAITING: "Waits for another person.",
    TwoPersonOrderState.APPROVED: "Approved.",
    TwoPersonOrderState.LAPSED: "The approvals came too far apart: it needs them anew.",
    TwoPersonOrderState.OVER: "Its time is over.",
    TwoPersonOrderState.WITHDRAWN: "Withdrawn.",
}
