"""What one decision was given is given again without the store; another decision asks anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from openami.app.web.recall import RecallingStore
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.security.access.scope import Purpose, Scope, ScopeError, granted_scope

pytestmark = pytest.mark.engines
FIRST = date(2026, 3, 1)


@pytest.fixture
async def store(store_process: Path) -> AsyncIterator[RecallingStore]:
    opened = RecallingStore(store_process)
    yield opened
    await opened.close()


def decision(*points: UUID) -> Scope:
    return granted_scope(
        actor="user:1", purpose=Purpose.OWN_DATA, service_points=frozenset(points), audit_id=uuid4(), periods=None
    )


def day(point: UUID, number: int, *, version: int) -> DayVersion:
    values = np.arange(96, dtype=np.int64) + 1000 * number + version
    zeros = np.zeros(96, np.uint8)
    local_day = FIRST + timedelta(days=number)
    start = datetime(local_day.year, local_day.month, local_day.day, 6, tzinfo=UTC)
    return DayVersion(
        point, Channel.DELIVERED, local_day, 900, start, version, start + timedelta(days=2), UUID(int=version), values,
        quality=zeros, method=zeros, band_low=values, band_high=values,
    )  # fmt: skip


async def test_a_part_of_an_answer_is_the_answer_to_the_part(store: RecallingStore) -> None:
    point = uuid4()
    await store.write_days(DayTable.from_rows([day(point, k, version=1) for k in (0, 1, 3, 4)]), token=f"{point}")
    mine = decision(point)
    await store.days(mine, [point], Channel.DELIVERED, FIRST, FIRST + timedelta(days=9))
    for first, last in ((0, 9), (1, 3), (2, 2), (4, 8), (5, 9), (0, 0)):
        span = (FIRST + timedelta(days=first), FIRST + timedelta(days=last))
        recalled = await store.days(mine, [point], Channel.DELIVERED, *span)
        fresh = await store.days(decision(point), [point], Channel.DELIVERED, *span)
        for name in DayTable.__dataclass_fields__:
            assert np.array_equal(getattr(recalled, name), getattr(fresh, name)), (name, span)


async def test_only_the_same_decision_is_answered_from_memory(store: RecallingStore) -> None:
    point = uuid4()
    await store.write_days(DayTable.from_rows([day(point, 0, version=1)]), token=f"{point}-1")
    mine = decision(point)
    first = await store.days(mine, [point], Channel.DELIVERED, FIRST, FIRST)
    await store.write_days(DayTable.from_rows([day(point, 0, version=2)]), token=f"{point}-2")
    again = await store.days(mine, [point], Channel.DELIVERED, FIRST, FIRST)
    other = await store.days(decision(point), [point], Channel.DELIVERED, FIRST, FIRST)
    known_then = await store.days(
        mine, [point], Channel.DELIVERED, FIRST, FIRST, as_known_at=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert [t.version.tolist() for t in (first, again, other, known_then)] == [[1], [1], [2], [2]]
    with pytest.raises(ScopeError):
        await store.days(mine, [uuid4()], Channel.DELIVERED, FIRST, FIRST)
