"""What an owner does with what it finds, without engines."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from openami.contracts.reading import uuid_column
from openami.headend.keeping.roster import Roster
from openami.headend.session.asking import GroupAsking
from openami.headend.session.group_work import AskingEngines
from openami.headend.state_ports import Lease
from openami.kernel.clock import FixedClock
from openami.security.keys.table import KeyTable


class Nothing:
    """Request store and roster of an installation without meters."""

    async def open(self, _group: int) -> list[object]:
        return []

    async def rested(self, _group: int, *, since_s: float) -> list[object]:
        return []

    async def roster(self) -> Roster:
        return Roster([])


async def test_pages_that_cannot_be_read_stop_no_frames_and_are_replaced() -> None:
    nothing, now = Nothing(), datetime(2026, 3, 3, tzinfo=UTC)
    engines = AskingEngines(nothing, nothing, None, None, lambda: 0.5)  # type: ignore[arg-type]
    asking = GroupAsking(
        Lease(0, 1, 0),
        frozenset({0}),
        zone="UTC",
        table=KeyTable(),
        engines=engines,
        clock=FixedClock(now),
        real_now=lambda: now,
    )
    await asking.restore([b"OM00 of another version"])
    assert len(asking.keeper.memory.coverage) == 0
    coverage = asking.keeper.memory.coverage
    coverage.numbers(np.array([7], np.uint64), uuid_column([UUID(int=7)]))
    coverage.lose_supply(0, int(now.timestamp()))
    page = asking.page()
    assert page is not None
    assert page.is_base
