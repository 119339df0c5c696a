"""How an order stands for whoever reads it, and that nobody approves what they have not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from openami.app.web.two_person import desk_act, order_view, require_seen
from openami.headend.ports import StateUnavailableError
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.two_person import TwoPersonOrderState
from openami.security.access.order import Order, OrderApproval, OrderKind, OrderSubject, digest_of_items
from openami.security.access.role import Principal, Role

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ME, OTHER, THIRD = (UUID(int=n) for n in (1, 2, 3))
SUBJECT = OrderSubject(
    UUID(int=9), OrderKind.RELEASE, "release 2 commands", "storm", digest_of_items([b"a", b"b"]),
    Period(NOW - timedelta(hours=1), NOW + timedelta(hours=4)),
)  # fmt: skip
PERSON = Principal(ME, frozenset({Role.OPERATOR}))


def order(*approvals: tuple[UUID, int], subject: OrderSubject = SUBJECT, withdrawn: bool = False) -> Order:
    given = tuple(
        OrderApproval(uuid4(), subject.order_id, subject.digest(), who, who, NOW - timedelta(minutes=ago))
        for who, ago in approvals
    )
    return Order(subject, OTHER, NOW - timedelta(hours=1), 2, given, NOW if withdrawn else None)


LATER = replace(SUBJECT, window=Period(NOW + timedelta(hours=2), NOW + timedelta(hours=4)))
PAST = replace(SUBJECT, window=Period(NOW - timedelta(hours=4), NOW - timedelta(hours=2)))


@pytest.mark.parametrize(
    ("made", "state", "may_approve"),
    [
        pytest.param(order((OTHER, 5)), TwoPersonOrderState.WAITING, True, id="waits for me"),
        pytest.param(order((ME, 5)), TwoPersonOrderState.WAITING, False, id="has mine and waits for another"),
        pytest.param(order((OTHER, 5), (ME, 1)), TwoPersonOrderState.APPROVED, False, id="approved by two"),
        pytest.param(order((OTHER, 5), (THIRD, 1)), TwoPersonOrderState.APPROVED, False, id="approved by others"),
        pytest.param(order((OTHER, 90)), TwoPersonOrderState.LAPSED, True, id="the other came too long ago"),
        pytest.param(order((OTHER, 5), (ME, 1), withdrawn=True), TwoPersonOrderState.WITHDRAWN, False, id="withdrawn"),
        pytest.param(order((OTHER, 5), subject=PAST), TwoPersonOrderState.OVER, False, id="its time is over"),
        pytest.param(
            order((OTHER, 5), (ME, 1), subject=LATER), TwoPersonOrderState.APPROVED, False, id="approved for later"
        ),
    ],
)
def test_how_an_order_stands_for_its_reader(made: Order, state: TwoPersonOrderState, may_approve: bool) -> None:
    view = order_view(made, PERSON, now=NOW)
    assert (view.state, view.may_approve) == (state, may_approve)
    assert view.digest == made.subject.digest().hex()
    assert [a.is_you for a in view.approvals] == [a.user_id == ME for a in made.approvals]


def test_an_order_that_one_person_may_give_is_approved_by_that_one() -> None:
    assert order_view(order((OTHER, 5)), PERSON, now=NOW, people=1).state is TwoPersonOrderState.APPROVED


def test_what_was_seen_is_what_is_approved_and_nothing_else() -> None:
    seen = order((OTHER, 5))
    require_seen(seen, seen.subject.digest().hex())
    with pytest.raises(RefusedError, match="not what you saw"):
        require_seen(replace(seen, subject=replace(SUBJECT, reason="quiet")), seen.subject.digest().hex())


@pytest.mark.parametrize(
    ("raised", "seen"),
    [(OpenAmiError("no"), RefusedError), (StateUnavailableError("away"), SourceUnavailableError)],
)
async def test_a_desks_refusal_is_told_in_its_words_and_an_engine_away_is_not_a_no(
    raised: Exception, seen: type[Exception]
) -> None:
    @desk_act
    async def act() -> None:
        raise raised

    with pytest.raises(seen, match=str(raised)):
        await act()
