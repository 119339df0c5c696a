"""Whoever has moved out keeps their own time and learns nothing of the next occupant's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from openami.app.web.bills import PortalBills
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.security.access.role import Grant, Role
from openami.security.access.scope import Purpose, granted_scope

MINE = UUID(int=1)


@pytest.mark.parametrize(("ended_days_ago", "rate"), [(1, None), (-1, "Anytime")])
async def test_the_rate_of_today_is_told_while_the_agreement_runs(
    portal: Any, ended_days_ago: int, rate: str | None
) -> None:
    now = portal.app.state.ports.domain.now()
    customer = portal.sessions.sessions[Role.CUSTOMER.value]
    grant = Grant(MINE, Period(now - timedelta(days=90), now - timedelta(days=ended_days_ago)))
    moved = replace(customer, principal=replace(customer.principal, grants=(grant,)))
    portal.sessions.sessions[Role.CUSTOMER.value] = moved
    async with portal.client(Role.CUSTOMER) as client:
        (place,) = (await client.get("/api/v1/me/service-points")).json()["service_points"]
    assert place["rate_name"] == rate


async def test_there_is_no_open_bill_after_moving_out(portal: Any) -> None:
    now = portal.app.state.ports.domain.now()
    scope = granted_scope(
        actor=f"user:{uuid4()}",
        purpose=Purpose.OWN_DATA,
        service_points=frozenset({MINE}),
        audit_id=uuid4(),
        periods={MINE: (Period(now - timedelta(days=90), now - timedelta(days=1)),)},
    )
    nobody_is_asked = cast("Any", None)
    assert await PortalBills(nobody_is_asked, FixedClock(now)).so_far(scope, MINE, now) is None
