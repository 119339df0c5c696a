"""Ports of meter data management. The interval store is ClickHouse's engine; its only owner is the store process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.security.access.scope import Scope


class StoreError(OpenAmiError):
    """The store refused or did not answer; the text says whether trying again helps."""


class StoreUnavailableError(StoreError):
    """The store does not answer now: try again."""


@dataclass(frozen=True, slots=True)
class MeterSpan:
    """A meter while it hung at a service point: which raw rows belong to whom.

    The registry makes these from installations; the store never knows a service point of a raw row by itself.
    """

    service_point_id: UUID
    meter_id: UUID
    period: Period


class IntervalStore(Protocol):
    """Readings and versions. Nothing is replaced; every write may be repeated and counts once.

    All methods raise :class:`StoreUnavailableError` when the store cannot be reached and :class:`StoreError` when it
    refuses; reads raise ``ScopeError`` for a service point outside the scope.
    """

    async def write_readings(self, batch: ReadingBatch, *, token: str) -> None:
        """Keep raw interval readings (bulk and file roads). ``token`` names the batch: a repeat is dropped."""
        ...

    async def write_registers(self, batch: RegisterBatch, *, token: str) -> None:
        """Keep register reads."""
        ...

    async def write_days(self, days: DayTable, *, token: str) -> None:
        """Keep versions of validated days."""
        ...

    async def readings(
        self, scope: Scope, spans: Sequence[MeterSpan], channel: Channel, period: Period
    ) -> ReadingBatch:
        """Return raw readings whose start lies in the span and the period, by (meter, start).

        Of several readings of one interval the latest ingested non-conflicting one is returned once.
        """
        ...

    async def registers(
        self, scope: Scope, spans: Sequence[MeterSpan], channel: Channel, period: Period
    ) -> RegisterBatch:
        """Return register reads at instants in the span and the period (its end included), by (meter, at)."""
        ...

    async def days(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> DayTable:
        """Return the latest version of each day from first to last (both included), or the latest known then."""
        ...
