"""The load of a meter is its highest interval of the last day, of any length; without figures nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np

from openami.app.orders.switch_loads import LOOK_BACK, peak_loads_w
from openami.contracts.channel import Channel
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.time import Period
from openami.mdm.ports import MeterSpan, StoreUnavailableError

NOW = datetime(2026, 4, 14, 15, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
SPANS = [MeterSpan(UUID(int=9), ONE, Period(NOW - LOOK_BACK, NOW))]


class Store:
    """Gives these rows: meter, interval [s], energy [Wh]."""

    def __init__(self, rows: Sequence[tuple[UUID, int, int]] = (), *, is_away: bool = False) -> None:
        self.rows, self.is_away = rows, is_away

    async def readings(self, _scope: Any, _spans: Any, channel: Channel, period: Period) -> ReadingBatch:
        assert (channel, period.duration_s) == (Channel.DELIVERED, 86_400)
        if self.is_away:
            raise StoreUnavailableError("the store is away")
        n = len(self.rows)
        return ReadingBatch(
            meter_id=uuid_column([meter for meter, _, _ in self.rows]),
            channel=np.full(n, Channel.DELIVERED, np.uint8),
            start=np.arange(n, dtype=np.int64),
            interval_s=np.array([interval for _, interval, _ in self.rows], np.uint32),
            value=np.array([wh for _, _, wh in self.rows], np.int64),
            quality=np.zeros(n, np.uint16),
            source=np.zeros(n, np.uint8),
            message_id=np.zeros(n, np.uint64),
        )


async def loads(store: Any, spans: Sequence[MeterSpan] = SPANS) -> dict[UUID, int]:
    return await peak_loads_w(store, spans, until=NOW)


async def test_the_highest_interval_counts() -> None:
    rows = [(ONE, 900, 250), (ONE, 900, 1_000), (ONE, 900, 0), (TWO, 3_600, 1_500)]
    assert await loads(Store(rows)) == {ONE: 4_000, TWO: 1_500}


async def test_where_nothing_is_known_nothing_is_said() -> None:
    assert await loads(Store(is_away=True)) == {}
    assert await loads(Store()) == {}
    assert await loads(Store(is_away=True), []) == {}
