"""Ports of meter data management. The interval store is ClickHouse's engine; its only owner is the store process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.reading import UUIDS, ReadingBatch, RegisterBatch
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.mdm.vee.history import History
from openami.mdm.vee.profile import DayDigests
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


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Raw readings without their origin, as columns of one length n, by (meter, start).

    Args:
        meter_id: (n,) V16.
        start: (n,) int64 interval start, seconds since the epoch.
        value: (n,) int64 counts in the channel's unit and power of ten.
        quality: (n,) :class:`~openami.contracts.quality.RawQuality` bits.
    """

    meter_id: UUIDS
    start: npt.NDArray[np.int64]
    value: npt.NDArray[np.int64]
    quality: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.meter_id)

    @classmethod
    def of(cls, batch: ReadingBatch) -> Values:
        """Return what a batch of readings of one channel says."""
        return cls(batch.meter_id, batch.start, batch.value, batch.quality)


class Arrived(Protocol):
    """How much came. Raises :class:`StoreError`."""

    async def completeness(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> dict[datetime, int]:
        """Return how many intervals (each counted once) arrived by hour of their start; hours with none are absent.

        ``spans`` None is the whole fleet, for a process's scope alone.
        """
        ...


class IntervalStore(Arrived, Protocol):
    """Readings and versions. Nothing is replaced; every write may be repeated and counts once.

    All methods raise :class:`StoreUnavailableError` when the store cannot be reached and :class:`StoreError` when it
    refuses; reads raise ``ScopeError`` for a service point outside the scope.
    """

    async def write_readings(self, batch: ReadingBatch, *, token: str) -> None:
        """Keep raw interval readings (bulk and file roads). ``token`` names the batch: a repeat counts once."""
        ...

    async def write_registers(self, batch: RegisterBatch, *, token: str) -> None:
        """Keep register reads."""
        ...

    async def write_days(
        self, days: DayTable, *, token: str, digests: DayDigests | None = None, stamp: bool = False
    ) -> None:
        """Keep versions of validated days and their digests.

        Args:
            days: n versions.
            token: names the write.
            digests: what rules will want to know of each; None keeps what the store can compute itself.
            stamp: have the store say since when they are known, so that what was known at any instant stays the same
                for ever. Without it the rows' own ``known_at`` counts: for history that nobody has asked about yet.
        """
        ...

    async def history(
        self, scope: Scope, service_points: Sequence[UUID], channel: Channel, before: date, days: int
    ) -> History:
        """Return the digests of the latest versions of the ``days`` days before a day, in the order of the places.

        The profile is the one kept with the day just before.
        """
        ...

    async def readings(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
    ) -> ReadingBatch:
        """Return raw readings whose start lies in the span and the period, by (meter, start).

        Of several readings of one interval one is returned, marked CONFLICTING if they differ: of the source of the
        highest number; of pushes the one that the meter made last, whenever it came; of others the last to come.
        """
        ...

    async def values(self, scope: Scope, spans: Sequence[MeterSpan], channel: Channel, period: Period) -> Values:
        """Return what :meth:`readings` would, without length, source and message: half the work for many meters."""
        ...

    async def registers(
        self,
        scope: Scope,
        spans: Sequence[MeterSpan],
        channel: Channel,
        period: Period,
        *,
        as_known_at: datetime | None = None,
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


@dataclass(frozen=True, slots=True, eq=False)
class DailyTotals:
    """Sums of the latest version of each local day, as columns of one length n, by (service point, day).

    Args:
        service_point_id: (n,) V16.
        local_day: (n,) int32 days since 1970-01-01 in the service point's zone.
        total: (n,) int64 sum of the day's values, in the channel's unit and power of ten (0 where missing).
        intervals: (n,) int32 intervals of the day.
        estimated: (n,) int32 of them, those in state ESTIMATED.
        missing: (n,) int32 of them, those in state MISSING.
        version: (n,) uint64 the version summed.
        known_at: (n,) int64 when it was written, seconds since the epoch, domain time.
    """

    service_point_id: UUIDS
    local_day: npt.NDArray[np.int32]
    total: npt.NDArray[np.int64]
    intervals: npt.NDArray[np.int32]
    estimated: npt.NDArray[np.int32]
    missing: npt.NDArray[np.int32]
    version: npt.NDArray[np.uint64]
    known_at: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.service_point_id)


@dataclass(frozen=True, slots=True)
class LastReading:
    """The newest raw interval of a meter in some period, when it was stored (domain time), and the period's oldest."""

    meter_id: UUID
    first: datetime
    start: datetime
    ingested_at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """One of several raw readings of one interval that disagree in value; all of them are kept."""

    meter_id: UUID
    channel: Channel
    start: datetime
    interval_s: int
    value: int
    source: int
    message_id: int
    ingested_at: datetime


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a table holds: rows as stored (replays not yet merged away included), octets on disk, parts."""

    table: str
    rows: int
    octets: int
    parts: int


class IntervalSummaries(Arrived, Protocol):
    """Roll-ups and oversight over the same tables. Errors are those of :class:`IntervalStore`."""

    async def daily_totals(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> DailyTotals:
        """Return each local day's sum and its estimated and missing intervals, from first to last (both included)."""
        ...

    async def last_readings(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, period: Period
    ) -> dict[UUID, LastReading]:
        """Return the newest raw interval of each meter that has one in the period, on any channel.

        ``spans`` None is every meter, assigned or not, for a process's scope alone.
        """
        ...

    async def conflicts(
        self, scope: Scope, spans: Sequence[MeterSpan] | None, channel: Channel, period: Period
    ) -> list[Conflict]:
        """Return the raw readings of intervals whose readings disagree in value, by (meter, start); at most 10,000."""
        ...

    async def table_sizes(self, scope: Scope) -> list[TableSize]:
        """Return what each table holds, for a process's scope alone."""
        ...
