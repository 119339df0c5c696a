"""The OpenAPI document is walked: every operation states a policy, and every role is tried on every one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.unit.portal.conftest import HELD

from openami.portal.application import openapi_document
from openami.portal.routes.customer import LOG_ENTRIES
from openami.security.access.policy import TABLE, Action, Kind, Relation
from openami.security.access.role import STAFF_ROLES, Role

DOCUMENT: dict[str, Any] = dict(openapi_document())
OPERATIONS = [(p, m, op) for p, methods in DOCUMENT["paths"].items() for m, op in methods.items()]
IDS = [f"{m}-{p}" for p, m, _ in OPERATIONS]
MINE, OTHER, METER = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002", (
    "00000000-0000-0000-0000-000000000003"
)  # fmt: skip
QUERY = {"from": "2026-11-20", "to": "2026-11-21", "q": "a", "day": "2026-11-20"}
BODIES = {
    "/api/v1/service-points/{service_point_id}/rate-wish": {"rate_code": "smart"},
    "/api/v1/service-points/{service_point_id}/own-reads": {"shown_kwh": "12345"},
    "/api/v1/session": {"login": "x", "password": "y"},
    "/api/v1/staff/installations": {
        "meter_id": METER, "service_point_id": OTHER, "installed_at": 1_700_000_000, "reason": "found in the field",
    },
    "/api/v1/staff/collectors/{collector_id}/reports": {"whereabouts": "stolen", "at": None, "reason": "empty box"},
    "/api/v1/staff/keys/orders": {"system_titles": None, "days": 366, "reason": "as every year"},
    "/api/v1/staff/keys/orders/{order_id}/approvals": {"digest": "ab" * 32},
    "/api/v1/staff/keys/orders/{order_id}/withdrawal": {"reason": "no more needed"},
    "/api/v1/staff/keys/retries": {"system_title": None, "reason": "the radio is back"},
    "/api/v1/staff/keys/incidents": {
        "system_titles": ["4f414d0000000001"], "masters": False, "reason": "a lost laptop",
    },
    "/api/v1/staff/gateway/releases": {"held_ids": [METER], "reason": "a storm is over"},
    "/api/v1/staff/gateway/thresholds": {"document": "{}", "reason": "a new forecast"},
    "/api/v1/staff/gateway/orders/{order_id}/approvals": {"digest": "ab" * 32},
    "/api/v1/staff/gateway/orders/{order_id}/withdrawal": {"reason": "no more needed"},
    "/api/v1/staff/bills/{bill_id}/release": {"reason": "looked at the dates"},
    "/api/v1/staff/corrections/preview": {"cause": "readings:2026-11-10", "reason": "late readings came"},
    "/api/v1/staff/corrections/decisions": {
        "cause": "readings:2026-11-10", "reason": "late readings came", "token": "ab" * 32,
    },
    "/api/v1/staff/decisions": {
        "kind": "accept", "reason": "looked at the meter", "token": "ab" * 32,
        "places": [{"service_point_id": OTHER, "first": "2026-11-01", "last": "2026-11-01"}],
    },
    "/api/v1/staff/decisions/preview": {
        "kind": "accept", "reason": "looked at the meter",
        "places": [{"service_point_id": OTHER, "first": "2026-11-01", "last": "2026-11-01"}],
    },
    "/api/v1/staff/decisions/{decision_id}/approvals": {"digest": "ab" * 32},
    "/api/v1/staff/decisions/{decision_id}/withdrawal": {"reason": "no more needed"},
    "/api/v1/staff/decisions/{decision_id}/undo": {"reason": "it was wrong", "token": "ab" * 32},
    "/api/v1/staff/cases/{case_id}/fix": {"reason": "the clock was wrong", "token": "ab" * 32},
    "/api/v1/staff/cases/{case_id}/closing": {"reason": "nothing to mend"},
    "/api/v1/staff/orders": {
        "action": "disconnect", "reason": "safety", "system_titles": ["4f414d0000000001"], "note": "a house on fire",
    },
    "/api/v1/staff/order-lists": {"text": "openami order list 1"},
    "/api/v1/staff/orders/{order_id}/approvals": {"digest": "0" * 64},
    "/api/v1/staff/orders/{order_id}/withdrawal": {"reason": "no more needed"},
    "/api/v1/staff/meters/{meter_id}/reads": {"kind": "registers", "reason": "a caller doubts the bill"},
    "/api/v1/staff/dead-letters/{letter_id}/release": {"reason": "repaired by its maker"},
}  # fmt: skip


def allowed_relation(role: Role, operation: dict[str, Any]) -> Relation | None:
    """What the decision table gives this role on this operation, for any purpose the interface lets it state."""
    policy = operation["x-openami-policy"]
    relations = {
        r.relation
        for r in TABLE
        if role in r.roles and r.action == Action(policy["action"]) and r.kind == Kind(policy["kind"])
    }
    for relation in (Relation.ANY, Relation.OWN, Relation.NONE):
        if relation in relations:
            return relation
    return None


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
def test_each_operation_states_its_policy(path: str, method: str, operation: dict[str, Any]) -> None:
    policy = operation["x-openami-policy"]
    if policy == "open":
        assert (path, method) == ("/api/v1/session", "post")
    else:
        assert Kind(policy["kind"])
        assert Action(policy["action"])


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
async def test_nobody_enters_without_a_session(portal: Any, path: str, method: str, operation: dict[str, Any]) -> None:
    if operation["x-openami-policy"] == "open":
        return
    async with portal.client() as client:
        answer = await client.request(method, _address(path, MINE), params=QUERY, json=BODIES.get(path))
    assert answer.status_code == 401
    assert portal.log.entries == []


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
async def test_each_role_gets_what_the_table_gives_and_a_foreign_home_only_with_a_rule(
    portal: Any, role: Role, path: str, method: str, operation: dict[str, Any]
) -> None:
    if operation["x-openami-policy"] == "open" or path == "/api/v1/events":
        return
    relation = allowed_relation(role, operation)
    has_subject = "{service_point_id}" in path
    is_allowed = relation is not None and (not has_subject or relation is Relation.ANY)
    params = dict(QUERY)
    if role in STAFF_ROLES and operation["x-openami-policy"]["kind"] == "bill":
        params["purpose"] = "customer_service"
    async with portal.client(role) as client:
        answer = await client.request(method, _address(path, OTHER), params=params, json=BODIES.get(path))
    if is_allowed:
        # A bill that is not there is a 404 behind an open gate: the log tells the two apart.
        assert answer.status_code < 400 or "{bill_id}" in path, answer.text
    else:
        assert answer.status_code == (403 if role in STAFF_ROLES else 404), answer.text
        assert answer.json()["reference"]
    if operation["x-openami-policy"]["kind"] != "session":
        decisions = [e.allowed for e in portal.log.entries]
        assert decisions[-1:] == [is_allowed], "the decision is in the log"
        assert all(decisions) is is_allowed


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
async def test_without_the_audit_log_nothing_is_shown(
    portal: Any, path: str, method: str, operation: dict[str, Any]
) -> None:
    if operation["x-openami-policy"] == "open" or operation["x-openami-policy"]["kind"] == "session":
        return
    portal.log.is_down = True
    for role in (Role.CUSTOMER, Role.OPERATOR, Role.SECAUD):
        async with portal.client(role) as client:
            answer = await client.request(method, _address(path, MINE), params=QUERY, json=BODIES.get(path))
        assert answer.status_code == 503, (role, answer.text)
        assert answer.json()["code"] == "audit_unavailable"


def test_the_document_kept_for_the_web_application_is_this_one() -> None:
    kept = Path(__file__).parents[3] / "web" / "openapi.json"
    assert json.loads(kept.read_text()) == json.loads(json.dumps(DOCUMENT)), "run scripts/openapi.py web/openapi.json"
    assert LOG_ENTRIES > 0


def _address(path: str, place: str) -> str:
    return path.format(
        service_point_id=place,
        bill_id=uuid4(),
        meter_id=METER,
        letter_id=HELD,
        collector_id=7,
        order_id=OTHER,
        alert_id=OTHER,
        decision_id=OTHER,
        case_id=OTHER,
    )


@pytest.mark.parametrize("purpose", [None, "customer_service", "own_data"])
@pytest.mark.parametrize("role", list(Role))
async def test_who_may_not_look_does_not_learn_whether_a_place_exists(
    portal: Any, role: Role, purpose: str | None
) -> None:
    paths = [p for p, m, _ in OPERATIONS if "{service_point_id}" in p and m == "get" and "{bill_id}" not in p]
    params = {**QUERY, "purpose": purpose} if purpose else QUERY
    async with portal.client(role) as client:
        for path in paths:
            there = await client.get(_address(path, OTHER), params=params)
            nowhere = await client.get(_address(path, str(uuid4())), params=params)
            if there.status_code == 200:
                continue
            documents = [{k: v for k, v in a.json().items() if k != "reference"} for a in (there, nowhere)]
            assert (there.status_code, documents[0]) == (nowhere.status_code, documents[1]), path
            assert not portal.log.entries[-1].allowed, "both attempts are in the log"
            assert not portal.log.entries[-2].allowed
