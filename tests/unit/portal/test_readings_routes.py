"""The worklist's routes: who is shown whose readings is in the log by place, and nothing is done unseen."""

from __future__ import annotations

from typing import Any
from uuid import UUID

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


BODY = {"reason": "looked at the meters", "token": "0" * 64}


@pytest.mark.parametrize(
    ("path", "body", "query"),
    [
        (f"cases/{MINE}/fix", BODY, "cases.fix"),
        (f"cases/{MINE}/closing", {"reason": BODY["reason"]}, "cases.close"),
        (f"decisions/{MINE}/undo", BODY, "worklist.undo"),
        (f"decisions/{MINE}/approvals", {"digest": "0" * 64}, "worklist.approve"),
        (f"decisions/{MINE}/withdrawal", {"reason": BODY["reason"]}, "worklist.withdraw"),
    ],
)
async def test_who_lives_there_sees_what_was_done_through_a_case_or_a_decision(
    portal: Any, path: str, body: dict[str, str], query: str
) -> None:
    async with portal.client(Role.ENGINEER) as client:
        answer = await client.post(f"/api/v1/staff/{path}", json=body)
    assert answer.status_code < 300, answer.text
    assert [(e.query, e.action, e.subjects) for e in portal.log.entries] == [
        (query, "change", ()), (query, "change", (OTHER,)),
    ]  # fmt: skip


async def test_places_of_decisions_that_are_listed_are_in_the_log(portal: Any) -> None:
    async with portal.client(Role.ENGINEER) as client:
        await client.get("/api/v1/staff/decisions")
    assert [(e.query, e.subjects) for e in portal.log.entries] == [
        ("worklist.decisions", ()), ("worklist.decisions", (OTHER,)),
    ]  # fmt: skip


async def test_a_case_of_more_places_than_a_row_names_is_written_in_several(portal: Any) -> None:
    portal.readings.places = frozenset(UUID(int=n + 1) for n in range(2_500))
    async with portal.client(Role.ENGINEER) as client:
        await client.post(f"/api/v1/staff/cases/{MINE}/fix", json=BODY)
    assert [len(e.subjects) for e in portal.log.entries] == [0, 1_000, 1_000, 500]
    assert frozenset(s for e in portal.log.entries for s in e.subjects) == portal.readings.places


async def test_nothing_is_looked_up_for_who_may_not_change_it(portal: Any) -> None:
    portal.readings.places = None
    async with portal.client(Role.VIEWER) as client:
        answer = await client.post(f"/api/v1/staff/cases/{MINE}/fix", json=BODY)
    assert answer.status_code == 403
    assert [e.allowed for e in portal.log.entries] == [False]
