"""Factory keys are replaced at a meter's first word, by an order of two people, over real processes and engines."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.rekey.conftest import PASSWORD, PEOPLE, Site
from typer.testing import CliRunner

from openami.app.commands.keys import app as keys_command
from openami.app.keys.rekey_desk import RekeyDesk, RekeyRefusedError
from openami.app.orders.order_desk import standing_words
from openami.app.people.desk import Person, SignInRefusedError
from openami.headend.keeping.rekey import Cause, RekeyProgress
from openami.kernel.ids import SystemTitle
from openami.security.access.order import OrderRefusedError
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


async def test_factory_keys_go_at_the_first_word_of_each_meter_by_an_order_of_two_people(site: Site) -> None:
    await site.processes["headend"].start()
    await site.heard()
    # Nobody has ordered it yet: it is due, and nothing is sent. What one person orders changes nothing.
    async with asyncio.timeout(30):
        while (found := (await site.progress()).get(Cause.FACTORY)) is None or found.due < 6:
            await asyncio.sleep(0.2)
    assert await states_of(site) == {KeyState.ACTIVE: 6}
    north = list(site.village.disks)[:4]
    await site.vault.make_group("north", [], at=site.settings.clock().now())
    await site.vault.join_group("north", north)
    await site.order(people=1)
    await asyncio.sleep(2.5)
    assert (taken(site), await states_of(site)) == ([0] * 6, {KeyState.ACTIVE: 6})
    dark = next(iter(site.village.disks))
    site.village.deaf.add(dark)
    await site.order()
    await site.until(5)
    await _is_left_over(site, dark)
    # At its next word it is done.
    site.village.deaf.clear()
    await site.heard([dark])
    await site.until(6)
    assert await told(site, "left-over") == (0, [])
    assert await site.progress() == {Cause.FACTORY: RekeyProgress(done=6)}
    assert taken(site) == [1] * 6
    assert await states_of(site) == {KeyState.ACTIVE: 6, KeyState.EXPIRED: 6}
    table = await table_of(site)
    assert {table.level_of(t.octets) for t in site.village.disks} == {SecurityLevel.SECURED}
    # With their own keys came that of their group, to its members alone.
    shared = [disk.identity.broadcast_key for title, disk in site.village.disks.items() if title in north]
    assert (len(set(shared)), None in shared) == (1, False)
    assert {d.identity.broadcast_key for t, d in site.village.disks.items() if t not in north} == {None}
    assert [(g.members, g.behind) for g in await site.vault.groups()] == [(4, 0)]
    # Under the new keys pushes arrive, and nothing is refused.
    await site.heard()
    assert await letters(site) == []


async def _is_left_over(site: Site, dark: SystemTitle) -> None:
    """Wait until people see the one meter that does not answer, and why."""
    async with asyncio.timeout(120):
        while (await told(site, "status"))[0] == 0:
            await asyncio.sleep(0.5)
    exit_code, (shown,) = await told(site, "left-over")
    assert (exit_code, shown["meter"], shown["cause"]) == (1, str(dark), "factory")
    assert "no answer" in shown["words"]


async def test_named_meters_change_and_the_others_do_not(site: Site) -> None:
    named = list(site.village.disks)[:2]
    desk, (anna, ben) = RekeyDesk(site.settings), (Person(login, PASSWORD) for login in PEOPLE)
    made = await desk.order_named(anna, named, reason="a tool was lost", days=1.0)
    with pytest.raises(OrderRefusedError, match="another must"):
        await desk.approve(anna, made.subject.order_id)
    with pytest.raises(RekeyRefusedError, match="no keys here"):
        await desk.order_named(anna, [SystemTitle(b"OAMOTHER")], reason="", days=1.0)
    with pytest.raises(SignInRefusedError):
        await desk.approve(Person(PEOPLE[1], "something else entirely"), made.subject.order_id)
    assert standing_words(await desk.approve(ben, made.subject.order_id)) == "approved by two people"
    await site.processes["headend"].start()
    await site.heard()
    # Of the others it is known, once they were heard, that their keys are still the factory's. The two are done for the
    # order's sake or, where they were heard before they had their turn, for the factory's.
    found = await until_progress(site, due=4, done=2)
    assert found[Cause.FACTORY].due == 4
    assert set(found) <= {Cause.FACTORY, Cause.ORDERED}
    changed = [title for title, disk in site.village.disks.items() if disk.identity.keys_taken]
    assert changed == named
    await desk.withdraw(anna, made.subject.order_id)
    assert [standing_words(order) for order in await desk.orders()] == ["withdrawn"]
    assert not (await desk.standing()).is_ordered
    exit_code, status = await told(site, "status")
    causes = {c.value: {"uncertain": 0, "failed": 0, "left_over": 0, **due_and_done(p)} for c, p in found.items()}
    assert (exit_code, status) == (
        0, {"is_ordered": False, "pace": {"per_hour": 1200.0, "at_once": 16}, "left_over": 0, "causes": causes},
    )  # fmt: skip
    exit_code, (shown,) = await told(site, "orders")
    assert (exit_code, shown["meters"], shown["approved_by"], shown["state"]) == (0, 2, 2, "withdrawn")


def due_and_done(progress: RekeyProgress) -> dict[str, int]:
    return {"due": progress.due, "done": progress.done}


async def until_progress(site: Site, *, due: int, done: int) -> dict[Cause, RekeyProgress]:
    """Wait until that many changes are due and done, whatever their causes; return them by cause."""
    async with asyncio.timeout(100):
        while True:
            found = await site.progress()
            if (sum(p.due for p in found.values()), sum(p.done for p in found.values())) == (due, done):
                return found
            await asyncio.sleep(0.2)


async def told(site: Site, *words: str) -> tuple[int, Any]:
    """Return exit status and document of a command of ``openami keys rotate``."""
    line = ["rotate", *words, "--json", "--home", str(site.settings.home.path)]
    # In a thread of its own: the command runs a loop.
    result = await asyncio.to_thread(CliRunner().invoke, keys_command, line)
    return result.exit_code, json.loads(result.stdout)
