"""One person who asks in a loop for what takes long is told to wait, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.unit.portal.conftest import MINE

from openami.kernel.clock import FixedClock
from openami.portal.application import create_app, openapi_document
from openami.portal.config import PortalConfig
from openami.portal.problem import ProblemError
from openami.portal.turns import AT_ONCE, EACH, PACE, Turns
from openami.security.access.role import Role

AT = datetime(2026, 11, 30, tzinfo=UTC)
ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
BILL = UUID(int=77)
LONG = (
    f"bills/{BILL}/statement", f"bills/{BILL}/statement.pdf", f"bills/{BILL}/answer", f"bills/{BILL}/proof",
    f"bills/{BILL}/readings?day=2026-10-01", f"bills/{BILL}/made-again", "rates", "rates/break-even",
)  # fmt: skip


async def test_one_person_has_few_on_the_way_and_another_gets_the_next_turn() -> None:
    turns, open_ = Turns(FixedClock(AT)), asyncio.Event()
    done: list[UUID] = []

    async def work(who: UUID) -> None:
        async with turns.turn(who):
            await open_.wait()
            done.append(who)

    tasks = [asyncio.create_task(work(ONE)) for _ in range(EACH)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError) as refused:
        await work(ONE)
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "5"})
    tasks.append(asyncio.create_task(work(TWO)))
    await asyncio.sleep(0)
    assert not done
    open_.set()
    await asyncio.gather(*tasks)
    assert sorted(done) == [*[ONE] * EACH, TWO]


async def test_no_more_are_made_at_once_than_a_process_can() -> None:
    turns, now, most = Turns(FixedClock(AT)), 0, 0

    async def work(who: UUID) -> None:
        nonlocal now, most
        async with turns.turn(who):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1

    await asyncio.gather(*(work(who) for who in (ONE, TWO, THREE) for _ in range(EACH)))
    assert most == AT_ONCE


async def test_a_turn_is_given_back_whatever_ends_it() -> None:
    turns = Turns(FixedClock(AT))
    for _ in range(2 * EACH):
        with pytest.raises(ZeroDivisionError):
            async with turns.turn(ONE):
                raise ZeroDivisionError


async def test_whoever_asks_without_end_gets_as_many_as_a_person_reads() -> None:
    clock = FixedClock(AT)
    turns = Turns(clock)
    for _ in range(PACE.burst):
        async with turns.turn(ONE):
            pass
    with pytest.raises(ProblemError):
        async with turns.turn(ONE):
            pass
    async with turns.turn(TWO):
        pass
    later = Turns(FixedClock(AT + timedelta(seconds=2)))
    later._buckets = turns._buckets
    async with later.turn(ONE):
        pass


@pytest.mark.parametrize("path", LONG)
async def test_every_answer_that_takes_long_takes_a_turn(portal: Any, path: str) -> None:
    app = create_app(PortalConfig(zone="America/Chicago"), portal.app.state.ports)
    portal.app = app
    async with portal.client(Role.CUSTOMER) as client:
        answers = [
            (await client.get(f"/api/v1/service-points/{MINE}/{path}")).status_code for _ in range(PACE.burst + 1)
        ]
    assert 429 not in answers[:-1]
    assert answers[-1] == 429


async def test_wishes_for_rates_have_a_pace_for_each_is_kept_for_good(portal: Any) -> None:
    path, body = f"/api/v1/service-points/{MINE}/rate-wish", {"rate_code": "ameren-mo-smart"}
    async with portal.client(Role.CUSTOMER) as client:
        answers = [(await client.post(path, json=body)).status_code for _ in range(PACE.burst)]
        answers.append((await client.delete(path)).status_code)
    assert 429 not in answers[:-1]
    assert answers[-1] == 429


def test_every_route_that_takes_a_turn_says_in_the_document_that_it_may_tell_to_wait() -> None:
    document: Any = openapi_document()
    paced = {path for path, ways in document["paths"].items() for way in ways.values() if "429" in way["responses"]}
    place = "/api/v1/service-points/{service_point_id}/"
    papers = {f"{place}{p.partition('?')[0].replace(str(BILL), '{bill_id}')}" for p in LONG}
    assert paced == papers | {f"{place}rate-wish", "/api/v1/session"}
    told = document["paths"][f"{place}rates"]["get"]["responses"]["429"]
    assert "Retry-After" in told["headers"]


async def test_whoever_is_told_to_wait_reads_in_words_what_is_safe_and_when(portal: Any) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        path = f"/api/v1/service-points/{MINE}/rates/break-even"
        answers = [await client.get(path) for _ in range(PACE.burst + 1)]
    said = answers[-1].json()
    assert said["mend"] == "Nothing is lost. Wait 2 seconds, then ask again."
    assert answers[-1].headers["Retry-After"] == "2"


async def test_nobody_takes_a_turn_who_is_not_signed_in(portal: Any) -> None:
    async with portal.client() as client:
        answers = {
            (await client.get(f"/api/v1/service-points/{MINE}/rates/break-even")).status_code
            for _ in range(PACE.burst + 5)
        }
    assert answers == {401}
