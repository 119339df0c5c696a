"""A3: whatever is set back to a backup, no counter comes twice."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.integration.downlink.test_counters_and_rights import ship

from openami.app.engines.postgres import PostgresEngine
from openami.headend.adapters.counter_epoch import CounterEpoch
from openami.headend.adapters.send_counters import PostgresCounterReserve
from openami.headend.command.counters import BLOCK
from openami.headend.command.epoch import MAX_JUMP
from openami.headend.command.ports import CommandUnavailableError

pytestmark = [pytest.mark.engines, pytest.mark.attack("A3")]
TABLES = ("security.send_counter", "security.counter_epoch", "security.counter_witness")


@dataclass
class Site:
    """A command process's counters, and everything that was ever reserved."""

    engine: AsyncEngine
    file: Path
    meter: UUID
    now_s: int = 1_000_000
    firsts: list[int] = field(default_factory=list)

    async def start(self) -> int:
        """Start it, or start it again; return by how much counters jumped."""
        epoch = CounterEpoch(self.engine, self.file, lambda: self.now_s)
        self.reserve = PostgresCounterReserve(self.engine, epoch)
        self.epoch = epoch
        return await epoch.renew()

    async def use(self, blocks: int = 5, *, generation: int = 1) -> None:
        for _ in range(blocks):
            self.firsts.append(await self.reserve.reserve(self.meter, generation, count=BLOCK))

    async def backup(self) -> dict[str, list[dict[str, Any]]]:
        shutil.copy(self.file, self.file.with_name("backup"))
        async with self.engine.begin() as connection:
            found = {}
            for table in TABLES:
                rows = await connection.execute(text(f"select * from {table}"))  # noqa: S608 - a name of this file
                found[table] = [dict(row) for row in rows.mappings()]
            return found

    async def restore(self, backup: dict[str, list[dict[str, Any]]], *, home_too: bool = False) -> None:
        if home_too:
            shutil.copy(self.file.with_name("backup"), self.file)
        async with self.engine.begin() as connection:
            for table, rows in backup.items():
                await connection.execute(text(f"delete from {table}"))  # noqa: S608 - a name of this file
                for row in rows:
                    names = ", ".join(row)
                    values = ", ".join(f":{name}" for name in row)
                    put = f"insert into {table} ({names}) values ({values})"  # noqa: S608 - names of this file
                    await connection.execute(text(put), row)

    def check(self) -> None:
        assert len(self.firsts) == len({first // BLOCK for first in self.firsts})
        assert all(a + BLOCK <= b for a, b in pairwise(sorted(self.firsts)))


@pytest.fixture
async def site(postgres: PostgresEngine, tmp_path: Path) -> AsyncIterator[Site]:
    factory = await ship(postgres, tmp_path)
    engine = create_async_engine(postgres.url("openami_security"))
    made = Site(engine, tmp_path / "counter_epoch", factory.meters[0].meter_id)
    assert await made.start() == 0
    await made.use()
    yield made
    await engine.dispose()


async def test_restarts_and_minutes_cost_no_counter(site: Site) -> None:
    for _ in range(5):
        site.now_s += 60
        assert await site.start() == 0
        assert await site.epoch.renew() == 0
        await site.use(1)
    assert site.firsts == list(range(1, 10 * BLOCK, BLOCK))


async def test_a_database_set_back_under_a_running_process_is_noticed_before_a_counter_is_used(site: Site) -> None:
    backup = await site.backup()
    site.now_s += 60
    await site.epoch.renew()
    await site.use()
    await site.restore(backup)
    await site.use()
    assert site.firsts[-5:] == [MAX_JUMP + 501 + n * BLOCK for n in range(5)]
    site.check()


async def test_a_database_set_back_while_nothing_ran_is_noticed_at_the_start(site: Site) -> None:
    backup = await site.backup()
    site.now_s += 60
    await site.epoch.renew()
    await site.use()
    await site.restore(backup)
    assert await site.start() == MAX_JUMP
    await site.use()
    site.check()


async def test_a_meter_first_called_after_the_backup_jumps_too(site: Site) -> None:
    backup = await site.backup()
    await site.start()
    site.firsts.clear()
    await site.use(generation=2)
    await site.restore(backup)
    await site.start()
    await site.use(generation=2)
    site.check()


async def test_home_and_database_set_back_together_jump_by_the_time_that_passed(site: Site) -> None:
    backup = await site.backup()
    for _ in range(10):
        site.now_s += 3_600
        await site.epoch.renew()
        await site.use(3)
    await site.restore(backup, home_too=True)
    assert await site.start() == 36_000
    await site.use()
    site.check()


async def test_nothing_is_reserved_before_the_first_comparison(site: Site) -> None:
    site.file.unlink()
    epoch = CounterEpoch(site.engine, site.file, lambda: site.now_s)
    reserve = PostgresCounterReserve(site.engine, epoch)
    site.firsts.append(await reserve.reserve(site.meter, 1, count=BLOCK))
    assert site.firsts[-1] > MAX_JUMP
    site.check()


async def test_a_disk_that_refuses_the_token_stops_the_start(site: Site) -> None:
    site.file.unlink()
    site.file.mkdir()
    with pytest.raises(CommandUnavailableError):
        await site.start()
