"""Factory keys are replaced at a meter's first word, by an order of two people, over real processes and engines."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text
from tests.integration.rekey.conftest import Site

from openami.headend.keeping.rekey import Cause, RekeyPolicy, RekeyProgress
from openami.security.keys.context import KeyState
from openami.security.keys.level import SecurityLevel
from openami.security.keys.table import STATES, KeyTable

pytestmark = pytest.mark.engines


async def letters(site: Site) -> list[tuple[str, str]]:
    async with site.state.begin() as connection:
        rows = (await connection.execute(text("select reason, detail from headend.dead_letter"))).all()
    return [(row.reason, row.detail) for row in rows]


async def table_of(site: Site) -> KeyTable:
    table = KeyTable()
    table.merge(await site.vault.load())
    return table


async def states_of(site: Site) -> Counter[KeyState]:
    return Counter(STATES[s] for s in (await site.vault.load()).state.tolist())


def taken(site: Site) -> list[int]:
    return [disk.identity.keys_taken for disk in site.village.disks.values()]


async def test_factory_keys_go_at_the_first_word_of_each_meter_once_two_people_have_ordered_it(site: Site) -> None:
    await site.processes["headend"].start()
    await site.heard()
    # Nobody has ordered it yet: it is due, and nothing is sent. What one person orders changes nothing.
    async with asyncio.timeout(30):
        while (found := (await site.progress()).get(Cause.FACTORY)) is None or found.due < 6:
            await asyncio.sleep(0.2)
    assert await states_of(site) == {KeyState.ACTIVE: 6}
    await site.order(people=1)
    await asyncio.sleep(2.5)
    assert (taken(site), await states_of(site)) == ([0] * 6, {KeyState.ACTIVE: 6})
    await site.order()
    await site.until(6)
    assert await site.progress() == {Cause.FACTORY: RekeyProgress(done=6)}
    assert taken(site) == [1] * 6
    assert await states_of(site) == {KeyState.ACTIVE: 6, KeyState.EXPIRED: 6}
    table = await table_of(site)
    assert {table.level_of(t.octets) for t in site.village.disks} == {SecurityLevel.SECURED}
    # Under the new keys pushes arrive, and nothing is refused.
    await site.heard()
    assert await letters(site) == []


async def test_named_meters_change_and_the_others_do_not(site: Site) -> None:
    named = list(site.village.disks)[:2]
    await site.order(named)
    await site.processes["headend"].start()
    await site.heard()
    await site.until(2)
    changed = [title for title, disk in site.village.disks.items() if disk.identity.keys_taken]
    assert changed == named
    # Of the others it is known that their keys are still the factory's.
    assert await site.progress() == {Cause.FACTORY: RekeyProgress(due=4, done=2)}


async def test_a_meter_that_is_dark_is_left_over_and_done_at_its_next_word(site: Site) -> None:
    dark = next(iter(site.village.disks))
    site.village.deaf.add(dark)
    await site.order()
    await site.processes["headend"].start()
    await site.heard()
    await site.until(5)
    policy = RekeyPolicy(patient_tries=1)
    async with asyncio.timeout(60):
        while not (left := await site.rekeys.left_over(policy, limit=10)):
            await asyncio.sleep(0.2)
    assert [(job.title, job.cause, job.step) for job in left] == [(dark, Cause.FACTORY, left[0].step)]
    assert left[0].words
    site.village.deaf.clear()
    await site.heard([dark])
    await site.until(6)
    assert await site.rekeys.left_over(policy, limit=10) == []
