"""What the radio loses, the head-end fetches: hours of a territory in minutes, through a kill, until nothing lacks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.e2e.conftest import Demo, start_demo, stop, wait_until_loaded
from tests.e2e.own_meter import signed_in, until

from openami.app.settings import Settings
from openami.app.territory.territory_files import TerritoryFiles
from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import uuids_of
from openami.kernel.time import QUARTER_HOUR_S, Period, epoch_s, instant_from_epoch_s, local_date, zone_named
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.security.access.scope import Purpose, system_scope

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(400)]
HOMES = 300
SPEED = 240
LIVE = timedelta(hours=4)
"""Domain time that is lived through before the account is made: a minute."""
SETTLED = timedelta(hours=2)
"""How old an interval must be to be asked for here: half an hour of grace, a plan, a few tries."""
NO_ROW = {"no_supply", "absent", "not_installed"}
"""What the head-end may say of an interval that no meter holds."""


@pytest.fixture
def fast_demo() -> Iterator[Demo]:
    folder = Path(tempfile.mkdtemp(prefix="oa-recovery-"))
    folder.chmod(0o755)
    running = start_demo(folder / "home", "--homes", str(HOMES), "--days", "3", "--speed", str(SPEED))
    try:
        wait_until_loaded(running)
        yield running
    finally:
        stop(running.process)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Account:
    """What the store holds: values and sources by (meter, start)."""

    values: dict[tuple[UUID, int], set[int]]
    sources: dict[tuple[UUID, int], set[int]]


async def account_of(settings: Settings, meters: list[UUID], due: Period) -> Account:
    store = SocketStore(settings.home.store_socket)
    scope = system_scope(process="e2e", purpose=Purpose.OPERATIONS)
    try:
        batch = await store.readings(scope, [MeterSpan(m, m, due) for m in meters], Channel.DELIVERED, due)
    finally:
        await store.close()
    found = Account(defaultdict(set), defaultdict(set))
    for meter, start, value, source in zip(
        uuids_of(batch.meter_id), batch.start.tolist(), batch.value.tolist(), batch.source.tolist(), strict=True
    ):
        found.values[meter, start].add(value)
        found.sources[meter, start].add(source)
    return found


async def without_row(staff: httpx.AsyncClient, meter: UUID, due: Period, zone: ZoneInfo) -> set[int]:
    """Return the starts of which the staff page says that no meter holds a row."""
    starts: set[int] = set()
    for day in {local_date(due.start, zone), local_date(due.end, zone)}:
        view = (await staff.get(f"/staff/meters/{meter}/missing", params={"day": day.isoformat()})).json()
        for span in view["spans"]:
            if span["code"] in NO_ROW:
                starts.update(range(span["start"], span["end"], QUARTER_HOUR_S))
    return starts


async def test_what_pushes_lose_is_fetched_once_through_a_kill_of_the_head_end(fast_demo: Demo) -> None:
    settings = Settings.load(fast_demo.home)
    meters = [m.meter_id for m in TerritoryFiles(settings.home.folder("territory")).book()]
    first_s = -(-epoch_s(settings.clock().now()) // QUARTER_HOUR_S) * QUARTER_HOUR_S
    first = instant_from_epoch_s(first_s)
    due = Period(first, first + LIVE - SETTLED)
    await asyncio.sleep(LIVE.total_seconds() / SPEED / 2)
    os.kill(fast_demo.pid_of("headend"), signal.SIGKILL)
    await asyncio.sleep(LIVE.total_seconds() / SPEED / 2)
    async with signed_in(fast_demo, fast_demo.people["staff"]) as staff:

        async def lacking() -> list[tuple[UUID, int]]:
            found = await account_of(settings, meters, due)
            starts = range(due.start_s, due.end_s, QUARTER_HOUR_S)
            lost = {m: {s for s in starts if (m, s) not in found.values} for m in meters}
            return [
                (m, s)
                for m, some in lost.items()
                if some
                for s in some - await without_row(staff, m, due, zone_named(settings.zone))
            ]

        async def is_complete() -> bool:
            return not await lacking()

        try:
            await until(is_complete, what="every interval is there, or no meter holds it", timeout_s=240)
        except AssertionError:
            raise AssertionError(f"still lacking: {(await lacking())[:20]}") from None
    found = await account_of(settings, meters, due)
    assert [k for k, v in found.values.items() if len(v) > 1] == [], "an interval has two values"
    fetched = sum(sources == {Source.PULL} for sources in found.sources.values())
    print(f"\n{len(found.values)} intervals of {len(meters)} meters, {fetched} of them fetched")  # noqa: T201
    assert fetched > 0, "nothing was lost: this shows nothing"
