"""The console's pages on bills write down each place whose bill is shown or changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.unit.portal.conftest import OTHER

from openami.security.access.policy import Action, Kind
from openami.security.access.role import Role

BILL = UUID(int=77)
WISH = {"cause": "readings:2026-11-10", "reason": "late readings came"}


@pytest.mark.parametrize(
    ("method", "path", "body", "action"),
    [
        ("get", "/bills/held", None, Action.READ),
        ("post", f"/bills/{BILL}/release", {"reason": "looked at the dates"}, Action.CHANGE),
        ("get", f"/places/{OTHER}/not-billed", None, Action.READ),
        ("post", "/corrections/preview", WISH, Action.READ),
        ("post", "/corrections/decisions", WISH | {"token": "ab" * 32}, Action.CHANGE),
        ("post", f"/corrections/decisions/{UUID(int=5)}/approvals", None, Action.CHANGE),
    ],
)
async def test_a_look_at_bills_names_the_places_in_the_log(
    portal: Any, method: str, path: str, body: dict[str, str] | None, action: Action
) -> None:
    async with portal.client(Role.OPERATOR) as client:
        answer = await client.request(method, f"/api/v1/staff{path}", json=body)
    assert answer.status_code < 400, answer.text
    named = [e for e in portal.log.entries if OTHER in e.subjects]
    assert named
    assert {(e.kind, e.action) for e in named} == {(Kind.BILLING, action)}


async def test_an_unreasoned_release_and_a_foreign_token_are_refused_at_the_door(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        for path, body in (
            (f"/bills/{BILL}/release", {"reason": "ok"}),
            (f"/bills/{BILL}/release", {}),
            ("/corrections/decisions", WISH | {"token": "ab"}),
        ):
            assert (await client.post(f"/api/v1/staff{path}", json=body)).status_code == 400


async def test_a_customer_sees_nothing_of_this_work(portal: Any) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        for path in ("/bills/held", "/corrections", f"/places/{OTHER}/not-billed"):
            assert (await client.get(f"/api/v1/staff{path}")).status_code in {403, 404}
