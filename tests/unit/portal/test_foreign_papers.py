"""Another place's bill gives no paper, whatever its number: the papers are not even asked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from tests.unit.billing.statement.made import made_facts
from tests.unit.portal.conftest import MINE

from openami.app.web.bills import PortalBills
from openami.billing.api import Billing
from openami.kernel.clock import FixedClock
from openami.security.access.scope import Purpose, Scope, granted_scope

FOREIGN = made_facts().bill
Ask = Callable[[PortalBills, Scope], Coroutine[Any, Any, object]]


class _Papers:
    """Fails whoever asks."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked of a bill that is not theirs")


class _Billing:
    papers = _Papers()

    async def bill(self, scope: Scope, bill_id: UUID) -> object:
        return FOREIGN


@pytest.mark.parametrize(
    "ask",
    [
        lambda b, s: b.statement(s, MINE, FOREIGN.bill_id),
        lambda b, s: b.document(s, MINE, FOREIGN.bill_id, ()),
        lambda b, s: b.answer(s, MINE, FOREIGN.bill_id),
        lambda b, s: b.proof(s, MINE, FOREIGN.bill_id),
        lambda b, s: b.readings(s, MINE, FOREIGN.bill_id, date(2026, 10, 1)),
        lambda b, s: b.made_again(s, MINE, FOREIGN.bill_id),
    ],
    ids=["statement", "document", "answer", "proof", "readings", "made_again"],
)
async def test_a_bill_of_another_place_has_no_papers_here(ask: Ask) -> None:
    bills = PortalBills(cast("Billing", _Billing()), FixedClock(datetime(2026, 11, 30, tzinfo=UTC)))
    scope = granted_scope(
        actor=f"user:{UUID(int=9)}", purpose=Purpose.OWN_DATA, service_points=frozenset({MINE}), audit_id=UUID(int=1)
    )
    assert FOREIGN.service_point_id != MINE
    assert await ask(bills, scope) is None
