"""The worklist's routes: who is shown whose readings is in the log by place, and nothing is done unseen."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.portal.conftest import A_PREVIEW, MINE, OTHER

from openami.security.access.role import Role

DECISION = {
    "kind": "accept",
    "reason": "looked at the meter",
    "places": [{"service_point_id": str(MINE), "first": "2026-11-01", "last": "2026-11-02"}],
}


async def test_the_log_names_the_places_of_a_page_before_it_is_returned(portal: Any) -> None:
    async with portal.client(Role.ENGINEER) as client:
        answer = await client.get("/api/v1/staff/worklist")
    assert answer.status_code == 200
    assert [(e.query, e.subjects) for e in portal.log.entries] == [("worklist", ()), ("worklist", (OTHER,))]


async def test_the_address_bar_is_the_filter(portal: Any) -> None:
    query = {"severity": "fail", "rule": ["spike", "stuck"], "cell": "C-7", "bill_before": "2026-12-01", "offset": 100}
    async with portal.client(Role.ENGINEER) as client:
        await client.get("/api/v1/staff/worklist", params=query)
    (asked,) = portal.readings.asked
    assert (asked.severity, asked.rules, asked.cell, asked.offset) == ("fail", ("spike", "stuck"), "C-7", 100)
    assert str(asked.bill_before) == "2026-12-01"


async def test_a_preview_is_a_look_and_a_decision_a_change_with_its_reason(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        assert (await client.post("/api/v1/staff/decisions/preview", json=DECISION)).status_code == 200
        kept = await client.post("/api/v1/staff/decisions", json=DECISION | {"token": A_PREVIEW.token})
    assert kept.status_code == 201
    looks = [(e.query, e.action, e.subjects) for e in portal.log.entries]
    assert looks == [("worklist.preview", "read", (MINE,)), ("worklist.decide", "change", (MINE,))]
    assert "looked at the meter" in portal.log.entries[-1].note


async def test_a_decision_without_its_preview_is_refused(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.post("/api/v1/staff/decisions", json=DECISION)
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert "since the preview" in answer.json()["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "erase"}, {"reason": "x"}, {"places": []}, {"places": [{"service_point_id": "no"}]},
        {"places": [{"service_point_id": str(MINE), "values": [0] * 4_000}]}, {"extra": 1},
    ],
)  # fmt: skip
async def test_what_is_no_decision_is_refused_with_the_field(portal: Any, change: dict[str, Any]) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.post("/api/v1/staff/decisions/preview", json=DECISION | change)
    assert answer.status_code in {400, 422}
    assert portal.log.entries == []


async def test_why_is_a_look_at_one_place(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.get(f"/api/v1/staff/service-points/{MINE}/why")
    assert answer.status_code == 200
    assert [(e.query, e.subjects) for e in portal.log.entries] == [("why", (MINE,))]
