"""Every route that shows or changes usage, bills or rates is closed to roles that have no business with them."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import UUID

import pytest
from tests.unit.portal.conftest import MINE, OTHER

from openami.portal.application import openapi_document
from openami.security.access.role import Role

pytestmark = pytest.mark.attack("A22")
OF_HOMES = {"intervals", "bill", "billing", "rate_wish", "own_read"}
STRANGERS = (Role.VIEWER, Role.INSTALLER, Role.SECADM, Role.SECAUD, Role.THIRD_PARTY)
BODIES: dict[str, dict[str, str]] = {
    "release": {"reason": "looked at the dates"},
    "preview": {"cause": "readings:2026-11-10", "reason": "late readings came"},
    "decisions": {"cause": "readings:2026-11-10", "reason": "late readings came", "token": "ab" * 32},
    "rate-wish": {"rate_code": "ameren-mo-smart"},
    "own-reads": {"shown_kwh": "12345"},
}
ASKED = "?from=2026-10-01&to=2026-10-02&day=2026-10-01"


@cache
def routes() -> list[tuple[str, str]]:
    """Return method and path of each route of a home's usage, bill or rate."""
    paths: Any = openapi_document()["paths"]
    found = [(method, path, _kind(op)) for path, methods in paths.items() for method, op in methods.items()]
    return [(method, path) for method, path, kind in found if kind in OF_HOMES]


def _kind(operation: dict[str, Any]) -> str:
    """Return what a route is about; the sign-in, which belongs to nobody yet, says so in a word."""
    policy = operation.get("x-openami-policy", "")
    return str(policy["kind"]) if isinstance(policy, dict) else ""


def filled(path: str, place: UUID) -> str:
    """Return a path with numbers in it."""
    path = path.replace("{service_point_id}", str(place)).replace("{decision_id}", str(UUID(int=5)))
    return path.replace("{bill_id}", str(UUID(int=77))) + ASKED


async def _answer(portal: Any, role: Role, method: str, path: str, place: UUID) -> int:
    body = BODIES.get(path.rsplit("/", 1)[-1]) if method == "post" else None
    async with portal.client(role) as client:
        status: int = (await client.request(method, filled(path, place), json=body)).status_code
    return status


def test_the_routes_of_bills_and_rates_are_among_them() -> None:
    found = {path.rsplit("/", 1)[-1] for _, path in routes()}
    assert {"statement.pdf", "proof", "answer", "made-again", "rate-wish", "break-even", "held", "approvals"} <= found


@pytest.mark.parametrize("role", STRANGERS, ids=str)
async def test_a_role_without_business_with_homes_sees_and_changes_nothing(portal: Any, role: Role) -> None:
    for method, path in routes():
        assert await _answer(portal, role, method, path, MINE) in {403, 404}, (method, path)
    assert portal.log.entries
    assert not any(e.allowed for e in portal.log.entries)


async def test_a_customer_sees_and_changes_nothing_of_another_and_each_try_is_in_the_log(portal: Any) -> None:
    for method, path in routes():
        before = len(portal.log.entries)
        assert await _answer(portal, Role.CUSTOMER, method, path, OTHER) == 404, (method, path)
        tries = portal.log.entries[before:]
        assert tries, (method, path)
        assert not any(e.allowed for e in tries)
        if "{service_point_id}" in path:
            assert any(OTHER in e.subjects for e in tries)


async def test_a_change_without_the_sessions_token_or_from_another_site_is_refused(portal: Any) -> None:
    for method, path in routes():
        if method == "get":
            continue
        body = BODIES.get(path.rsplit("/", 1)[-1])
        for headers in ({"X-CSRF-Token": "other"}, {"Origin": "https://evil.example"}):
            async with portal.client(Role.OPERATOR, **headers) as client:
                answer = await client.request(method, filled(path, MINE), json=body)
            assert answer.status_code == 403, (method, path, headers)
    assert not portal.log.entries
