"""A chart of validated days asks the registry for nothing but the place's zone, and that once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest
from tests.property.mdm.test_series_of_days import day_row

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.kernel.time import Period, local_midnight, zone_named
from openami.mdm.api import MeterData, UnknownRecordError
from openami.mdm.registry.records import ServicePoint
from openami.security.access.scope import Purpose, ScopeError, granted_scope

PLACE, ZONE = UUID(int=1), zone_named("America/Chicago")
SCOPE = granted_scope(
    actor="user:1", purpose=Purpose.OWN_DATA, service_points=frozenset({PLACE}), audit_id=UUID(int=9), periods=None
)


class _Registry:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def service_point(self, service_point_id: UUID) -> ServicePoint:
        self.asked.append("service_point")
        if service_point_id != PLACE:
            raise UnknownRecordError("no such place")
        return ServicePoint(PLACE, ZONE.key, datetime(2026, 1, 1, tzinfo=UTC))

    async def installed(self, *_: Any) -> list[Any]:
        self.asked.append("installed")
        return []


class _Store:
    def __init__(self, days: DayTable) -> None:
        self._days = days

    async def days(self, *_: Any) -> DayTable:
        return self._days


def meter_data(registry: _Registry, days: list[date]) -> MeterData:
    table = DayTable.from_rows([day_row(d, 900, np.random.default_rng(1)) for d in days])
    return MeterData(registry=cast("Any", registry), store=cast("Any", _Store(table)), book=cast("Any", None))


def span(first: date, end: date) -> Period:
    return Period(local_midnight(first, ZONE), local_midnight(end, ZONE))


async def test_days_that_are_all_validated_need_no_meter() -> None:
    registry = _Registry()
    data = meter_data(registry, [date(2026, 10, 14), date(2026, 10, 15)])
    for _ in range(3):
        found = await data.intervals(SCOPE, PLACE, Channel.DELIVERED, span(date(2026, 10, 14), date(2026, 10, 16)))
        assert len(found) == 192
    assert registry.asked == ["service_point"]


async def test_a_day_without_a_version_asks_which_meter_hung_there() -> None:
    registry = _Registry()
    data = meter_data(registry, [date(2026, 10, 14)])
    await data.intervals(SCOPE, PLACE, Channel.DELIVERED, span(date(2026, 10, 14), date(2026, 10, 16)))
    assert registry.asked == ["service_point", "installed"]


async def test_a_place_outside_the_scope_is_refused_before_anything_is_asked() -> None:
    registry = _Registry()
    data = meter_data(registry, [])
    with pytest.raises(ScopeError):
        await data.intervals(SCOPE, UUID(int=2), Channel.DELIVERED, span(date(2026, 10, 14), date(2026, 10, 15)))
    assert registry.asked == []


async def test_a_place_that_is_not_there_is_asked_for_again() -> None:
    registry = _Registry()
    data = meter_data(registry, [])
    for _ in range(2):
        with pytest.raises(UnknownRecordError):
            await data.zone_of(UUID(int=2))
    assert registry.asked == ["service_point"] * 2
