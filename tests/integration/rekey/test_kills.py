"""A3: processes die by kill -9 while keys change and messages are sent, and the meters lose their supply as well.

Afterwards no key has sealed two messages under one initialization vector, in either direction, and every meter is
reached. ``OPENAMI_KILLS`` says how many kills; ``make soak`` takes a thousand.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from tests.integration.rekey.conftest import Site

from openami.app.settings import real_now
from openami.headend.keeping.rekey import Rekey, RekeyPolicy
from openami.kernel.ids import SystemTitle
from openami.protocol.envelope.association import parse_association
from openami.protocol.envelope.sealed import parse_sealed_header, parse_service_sealed
from openami.protocol.errors import PeerError
from openami.security.keys.context import KeyState
from openami.security.keys.table import STATES, title_number
from openami.security.keys.weak import KEY_OCTETS
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import open_sealed

KILLS = int(os.environ.get("OPENAMI_KILLS", "1000"))
MENDS_S = 300.0
LONGEST_LIFE_S = 20.0
pytestmark = pytest.mark.engines


@pytest.fixture
def meters() -> int:
    return 16


class Trouble:
    """Kills, cuts, orders and pushes until there were enough kills.

    Args:
        site: the installation.
        kills: how many.
        dice: when and whom.
    """

    def __init__(self, site: Site, kills: int, dice: Random) -> None:
        self.site, self.left, self.dice = site, kills, dice
        self.killed: Counter[str] = Counter()
        self.orders = 0

    async def make(self) -> None:
        """Make trouble until the kills are used up."""
        village = self.site.village
        village.cut_share, village.lose_share = 0.08, 0.08
        others = [asyncio.create_task(work) for work in (self._order(), self._push())]
        try:
            await asyncio.gather(self._kill("command"), self._kill("headend"))
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            village.cut_share = village.lose_share = 0.0

    async def _kill(self, name: str) -> None:
        process = self.site.processes[name]
        while self.left > 0:
            self.left -= 1
            await process.kill()
            await process.start()
            await self._work(self.dice.choice((0, 2, 8, 20, 40)))
            await process.kill()
            self.killed[name] += 1
        await process.start()

    async def _work(self, commands: int) -> None:
        """Wait for that many commands on their way, however slow the machine is; some die as they begin."""
        before, deadline = len(self.site.commands), time.monotonic() + LONGEST_LIFE_S
        while len(self.site.commands) < before + commands and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.dice.random() * 0.05)

    async def _order(self) -> None:
        """Order new keys for every meter, again and again."""
        titles, before = list(self.site.village.disks), None
        while True:
            order = await self.site.order(titles)
            self.orders += 1
            if before is not None:
                await self.site.orders.withdraw(before, at=real_now())
            before = order
            # Until it is taken up, and then until it is carried out or was long enough.
            await asyncio.sleep(6)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and await _open(self.site):
                await asyncio.sleep(0.5)

    async def _push(self) -> None:
        while True:
            await self.site.offer([self.dice.choice(list(self.site.village.disks))])
            await asyncio.sleep(0.1)


async def _open(site: Site) -> bool:
    jobs = await site.rekeys.due(frozenset(range(64)), now_s=9e12, limit=1)
    return bool(jobs)


async def mended(site: Site) -> list[Rekey]:
    """Let everything come to rest and return what is not done."""
    deadline = time.monotonic() + MENDS_S
    while time.monotonic() < deadline:
        await site.heard()
        for _ in range(20):
            if not await _open(site):
                return []
            await asyncio.sleep(0.5)
    return await site.rekeys.due(frozenset(range(64)), now_s=9e12, limit=100)


async def used_twice(site: Site) -> list[str]:
    """Return messages that were sealed under a key and vector of another one; there must be none."""
    columns = await site.vault.load()
    keys: dict[int, list[tuple[bytes, bytes]]] = {}
    for place, title in enumerate(columns.title.tolist()):
        start = place * KEY_OCTETS
        pair = (columns.encryption_keys[start:][:KEY_OCTETS], columns.authentication_keys[start:][:KEY_OCTETS])
        keys.setdefault(title, []).append(pair)
    seen: dict[tuple[bytes, bytes, bytes], bytes] = {}
    found: list[str] = []
    opened = 0
    for title, apdu, sender in _every_message(site):
        body = _sealed_in(apdu, sender)
        if body is None:
            continue
        for key, auth_key in keys[title_number(title.octets)]:
            try:
                open_sealed(sender, body, key=key, auth_key=auth_key)
            except SuiteError:
                continue
            opened += 1
            before = seen.setdefault((key, sender, body[1:5]), body)
            if before != body:
                found.append(f"{title} counter {int.from_bytes(body[1:5])}")
            break
        else:
            found.append(f"{title}: a message under no key of the vault")
    assert opened > len(site.village.disks)
    return found


def _every_message(site: Site) -> Iterable[tuple[SystemTitle, bytes, bytes]]:
    own = site.own_title
    yield from ((title, apdu, own) for title, apdu in site.commands)
    yield from ((title, apdu, title.octets) for title, apdu in site.village.sealed)


def _sealed_in(apdu: bytes, sender: bytes) -> bytes | None:
    try:
        if apdu[0] in {0x60, 0x61, 0x62, 0x63}:
            at = parse_association(apdu).sealed_at
            return apdu[at:] if at is not None else None
        if apdu[0] == 0xDB:
            return apdu[parse_sealed_header(apdu).body_offset :]
        return apdu[parse_service_sealed(apdu, title=sender).body_offset :]
    except PeerError:
        return None


async def survives(site: Site, kills: int, seed: int) -> None:
    """Make trouble and see that nothing is lost."""
    for process in site.processes.values():
        # A soak may run beside other work: a start that takes long is no loss.
        process.starts_within_s = 600.0
    await site.heard()
    began = time.monotonic()
    trouble = Trouble(site, kills, Random(seed))
    await trouble.make()
    assert await mended(site) == []
    # Once more, in peace: a change of keys reaches the meter, so every meter is reached.
    before = {title: disk.identity.keys_taken for title, disk in site.village.disks.items()}
    await site.order(list(site.village.disks))
    deadline = time.monotonic() + MENDS_S
    while any(site.village.disks[t].identity.keys_taken == taken for t, taken in before.items()):
        assert time.monotonic() < deadline, await site.every_job()
        await asyncio.sleep(0.5)
    assert await mended(site) == []
    columns = await site.vault.load()
    active = {
        title: columns.encryption_keys[place * KEY_OCTETS :][:KEY_OCTETS]
        for place, (title, state) in enumerate(zip(columns.title.tolist(), columns.state.tolist(), strict=True))
        if STATES[state] is KeyState.ACTIVE
    }
    assert active == {title_number(t.octets): d.identity.encryption_key for t, d in site.village.disks.items()}
    assert await used_twice(site) == []
    taken = sum(disk.identity.keys_taken for disk in site.village.disks.values())
    assert not await site.rekeys.left_over(RekeyPolicy(patient_tries=10**6), limit=10)
    print(  # noqa: T201 - what a soak shows
        f"{sum(trouble.killed.values())} kills {dict(trouble.killed)}, {site.village.power_ups} cuts of meters, "
        f"{trouble.orders} orders, {taken} changes of keys at {len(active)} meters, {len(site.commands)} commands and "
        f"{len(site.village.sealed)} messages of meters: no (key, IV) pair twice, every meter reached; "
        f"{time.monotonic() - began:.0f} s"
    )


@pytest.mark.attack("A3")
@pytest.mark.attack("A11")
@pytest.mark.soak
@pytest.mark.timeout(14_400)
async def test_a3_a11_a_thousand_kills_lose_no_meter_and_use_no_counter_twice(site: Site) -> None:
    await survives(site, KILLS, seed=1)
