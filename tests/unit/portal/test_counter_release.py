"""A held counter is released by the desk alone, with a reason, and the log names who did it before it happens."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.portal.conftest import HELD

from openami.security.access.role import Role

WHY = {"reason": "the meter was repaired by its maker"}


def release(letter: str) -> str:
    return f"/api/v1/staff/dead-letters/{letter}/release"


async def test_the_desk_releases_and_is_named(portal: Any) -> None:
    async with portal.client(Role.ENGINEER) as client:
        answer = await client.post(release(HELD), json=WHY)
    assert answer.status_code == 204, answer.text
    entry = portal.log.entries[-1]
    assert (entry.query, entry.note) == ("release_counter", f"letter {HELD}: {WHY['reason']}")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.INSTALLER, Role.SECADM, Role.SECAUD, Role.CUSTOMER])
async def test_whoever_is_not_of_the_desk_releases_nothing(portal: Any, role: Role) -> None:
    async with portal.client(role) as client:
        assert (await client.post(release(HELD), json=WHY)).status_code in {403, 404}


@pytest.mark.parametrize(("letter", "body", "status"), [("1-1", WHY, 409), (HELD, {"reason": "ok"}, 400)])
async def test_what_is_not_held_or_has_no_reason_is_refused(
    portal: Any, letter: str, body: dict[str, str], status: int
) -> None:
    async with portal.client(Role.ENGINEER) as client:
        assert (await client.post(release(letter), json=body)).status_code == status
