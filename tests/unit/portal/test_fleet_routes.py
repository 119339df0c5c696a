"""A meter read by hand: only the desk may ask, the customer of the place sees it, and nothing is asked of strangers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.unit.portal.conftest import METER, MINE, NOW

from openami.portal.ports import MeterFacts
from openami.portal.views.fleet import ReadKind
from openami.portal.views.staff import InstallationView
from openami.security.access.role import Role

READS = f"/api/v1/staff/meters/{METER}/reads"
ASK = {"kind": "registers", "reason": "a caller doubts the bill"}


def hung(portal: Any, *, start: int, end: int | None) -> None:
    installation = InstallationView(service_point_id=MINE, start=start, end=end)
    facts = MeterFacts(METER, "4f414d0000000001", "S1", "oam-1", (installation,), None, None)

    async def meter(meter_id: UUID) -> MeterFacts | None:
        return facts if meter_id == METER else None

    portal.operations.meter = meter


@pytest.mark.parametrize(
    ("start_ago_s", "end_ago_s", "subject"),
    [(100, None, frozenset({MINE})), (100, 50, frozenset()), (-100, None, frozenset())],
    ids=["hangs there now", "was taken down", "will hang there"],
)
async def test_the_customer_of_the_place_where_it_hangs_now_sees_who_asked(
    portal: Any, start_ago_s: int, end_ago_s: int | None, subject: frozenset[UUID]
) -> None:
    now_s = int(NOW.timestamp())
    hung(portal, start=now_s - start_ago_s, end=None if end_ago_s is None else now_s - end_ago_s)
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.post(READS, json=ASK)
    assert answer.status_code == 202, answer.text
    entry = portal.log.entries[-1]
    assert frozenset(entry.subjects) == subject
    assert (entry.query, entry.note) == ("read_registers", ASK["reason"])
    assert portal.fleet.asked == [(METER, ReadKind.REGISTERS)]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INSTALLER, Role.SECADM, Role.SECAUD, Role.CUSTOMER])
async def test_whoever_is_not_of_the_desk_asks_no_meter(portal: Any, role: Role) -> None:
    async with portal.client(role) as client:
        answer = await client.post(READS, json=ASK)
    assert answer.status_code in {403, 404}
    assert portal.fleet.asked == []


@pytest.mark.parametrize("body", [{"kind": "disconnect", "reason": "because"}, {"kind": "registers", "reason": "x"}])
async def test_what_cannot_be_asked_is_refused_with_the_field(portal: Any, body: dict[str, str]) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.post(READS, json=body)
    assert answer.status_code == 400
    assert "body." in answer.json()["message"]
    assert portal.fleet.asked == []


async def test_an_unknown_meter_is_not_there(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answers = [
            await client.get(f"/api/v1/staff/meters/{UUID(int=99)}/missing"),
            await client.post(f"/api/v1/staff/meters/{UUID(int=99)}/reads", json=ASK),
        ]
    assert [a.status_code for a in answers] == [404, 404]
    assert portal.fleet.asked == []
