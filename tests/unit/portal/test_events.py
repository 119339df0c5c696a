"""The stream of events follows the rights of its session while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from openami.kernel.time import Period
from openami.portal.routes import events
from openami.security.access.role import Grant, Role

MINE = UUID(int=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)


def stream(portal: Any, role: Role) -> AsyncIterator[bytes]:
    return events._stream(portal.sessions.sessions[role.value], portal.app.state.ports, 1.0)


async def next_named(stream: AsyncIterator[bytes], *names: bytes) -> bytes:
    async for chunk in stream:
        for line in chunk.splitlines():
            if line.removeprefix(b"event: ") in names:
                return line.removeprefix(b"event: ")
    return b"end"


async def test_whoever_moves_out_hears_nothing_more_of_the_place(portal: Any) -> None:
    customer = portal.sessions.sessions[Role.CUSTOMER.value]
    async with aclosing(stream(portal, Role.CUSTOMER)) as lines:  # type: ignore[type-var]  # it is a generator
        assert await next_named(lines, b"clock") == b"clock"
        portal.hub.readings_arrived(service_points=frozenset({MINE}), meters=1, newest_end_s=1)
        assert await next_named(lines, b"reading") == b"reading"
        now = portal.app.state.ports.domain.now()
        ended = Grant(MINE, Period(now - timedelta(days=9), now - timedelta(seconds=1)))
        moved = replace(customer, principal=replace(customer.principal, grants=(ended,)))
        portal.sessions.sessions[Role.CUSTOMER.value] = moved
        for _ in range(2):
            assert await next_named(lines, b"clock") == b"clock"
        portal.hub.readings_arrived(service_points=frozenset({MINE}), meters=1, newest_end_s=2)
        assert await next_named(lines, b"reading", b"clock") == b"clock"


async def test_a_session_that_is_over_ends_its_stream(portal: Any) -> None:
    async with aclosing(stream(portal, Role.OPERATOR)) as lines:  # type: ignore[type-var]  # it is a generator
        assert await next_named(lines, b"clock") == b"clock"
        portal.sessions.sessions.pop(Role.OPERATOR.value)
        assert await next_named(lines, b"ended") == b"ended"
        assert await next_named(lines, b"clock") == b"end"


async def test_a_busy_stream_still_asks_whether_its_session_lives(portal: Any) -> None:
    async with aclosing(stream(portal, Role.OPERATOR)) as lines:  # type: ignore[type-var]  # it is a generator
        assert await next_named(lines, b"clock") == b"clock"
        portal.sessions.sessions.pop(Role.OPERATOR.value)
        for _ in range(10_000):
            portal.hub.readings_arrived(service_points=None, meters=1, newest_end_s=1)
            if await next_named(lines, b"staff", b"ended") == b"ended":
                return
        pytest.fail("the stream went on without its session")
