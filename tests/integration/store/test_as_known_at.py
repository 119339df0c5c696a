"""What was known at an instant is the same ever after: versions written, asked about and killed in the middle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from tests.conftest import free_port
from tests.integration.store.support import StoreChild

from openami.app.settings import Home
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import StoreUnavailableError
from openami.security.access.scope import Purpose, system_scope

pytestmark = pytest.mark.engines
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)
WHEN, OLD = date(2026, 3, 8), datetime(2026, 3, 9, tzinfo=UTC)
POINTS = [uuid4() for _ in range(3)]
ANSWERS = 30


@pytest.fixture
def child(short_tmp: Path) -> Iterator[StoreChild]:
    running = StoreChild(Home(short_tmp), free_port())
    running.start()
    yield running
    running.stop()


def version(number: int, point_at: int) -> DayTable:
    values, zeros = np.full(96, number, np.int64), np.zeros(96, np.uint8)
    start = datetime(2026, 3, 8, 6, tzinfo=UTC)
    row = DayVersion(
        POINTS[point_at], Channel.DELIVERED, WHEN, 900, start, number, OLD, uuid4(), values, quality=zeros,
        method=zeros, band_low=values, band_high=values,
    )  # fmt: skip
    return DayTable.from_rows([row])


async def asked(store: SocketStore, instant: datetime) -> dict[bytes, int] | None:
    """Return the version known then of each place, or None where the store was away."""
    try:
        got = await store.days(SYSTEM, POINTS, Channel.DELIVERED, WHEN, WHEN, as_known_at=instant)
    except StoreUnavailableError:
        return None
    return {bytes(p): int(v) for p, v in zip(got.service_point_id.tolist(), got.version.tolist(), strict=True)}


async def test_every_answer_as_of_an_instant_is_given_again_through_writes_and_a_kill(child: StoreChild) -> None:
    store, dice, done = child.client(), random.Random(7), asyncio.Event()
    answers: list[tuple[datetime, dict[bytes, int]]] = []
    written = [0] * len(POINTS)

    async def write(at: int) -> None:
        while not done.is_set():
            try:
                await store.write_days(version(written[at] + 1, at), token=f"{at}-{written[at] + 1}", stamp=True)
                written[at] += 1
            except StoreUnavailableError:
                await asyncio.sleep(0.05)
            await asyncio.sleep(dice.random() * 0.05)

    async def ask() -> None:
        while len(answers) < ANSWERS:
            instant = datetime.now(UTC) - timedelta(seconds=dice.choice([0, 0, 0, 1, 2]))
            found = await asked(store, instant)
            if found is not None:
                answers.append((instant, found))
            await asyncio.sleep(dice.random() * 0.05)

    writers = [asyncio.create_task(write(at)) for at in range(len(POINTS))]
    asking = asyncio.create_task(ask())
    async with asyncio.timeout(100):
        while len(answers) < ANSWERS // 2:
            await asyncio.sleep(0.02)
        child.kill()
        await asyncio.to_thread(child.start)
        await asking
    done.set()
    await asyncio.gather(*writers)
    assert min(written) > 3, "too little was written to tell anything"
    assert len({tuple(sorted(a.items())) for _, a in answers}) > 3
    for instant, answer in answers:
        assert await asked(store, instant) == answer, instant
    await store.close()
