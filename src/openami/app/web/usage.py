"""Readings for the portal, from meter data management."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from openami.contracts.channel import Channel
from openami.kernel.clock import Clock
from openami.kernel.time import Period, local_date
from openami.mdm.api import MeterData, StoreError, UnknownRecordError
from openami.portal.ports import Series, SourceUnavailableError
from openami.security.access.scope import Purpose, Scope, system_scope

RECEIVED_AGAIN_S = 900.0
"""How long a "no" to energy sent back is believed, real time; a "yes" is for good."""
MAX_KNOWN = 100_000
TAIL = timedelta(days=3)
"""What validation may not have reached yet."""
_SCOPE = system_scope(process="web", purpose=Purpose.OWN_DATA)
LOOK_BACK = timedelta(days=45)
"""How far back the newest reading is looked for: raw frames are kept as long."""


@dataclass(frozen=True, slots=True)
class MeterUsage:
    """Implements :class:`~openami.portal.ports.UsageData`."""

    data: MeterData
    domain: Clock
    _received: dict[tuple[UUID, int], float] = field(default_factory=dict)

    async def intervals(self, scope: Scope, service_point_id: UUID, channel: Channel, period: Period) -> Series:
        """Return validated intervals and the raw tail."""
        try:
            found = await self.data.intervals(scope, service_point_id, channel, period)
        except DBAPIError as error:
            raise SourceUnavailableError("the registry does not answer") from error
        return Series(
            start_s=found.start_s,
            value=found.value,
            quality=found.quality,
            low=found.low,
            high=found.high,
            preliminary=found.preliminary,
            interval_s=found.interval_s,
            method=found.method,
        )

    async def last_reading_end(self, scope: Scope, service_point_id: UUID) -> datetime | None:
        """Return the end of the newest interval received, within the scope's own time."""
        now = self.domain.now()
        ends = []
        for period in scope.granted(service_point_id, Period(now - LOOK_BACK, now + timedelta(minutes=1))):
            try:
                installed = await self.data.registry.installed({service_point_id}, period)
                spans = await self.data.registry.spans({service_point_id}, period)
            except DBAPIError as error:
                raise SourceUnavailableError("the registry does not answer") from error
            length_s = {i.meter.id: i.meter.interval_s for i in installed}
            newest = await self.data.store.last_readings(scope, spans, period) if spans else {}
            ends += [r.start + timedelta(seconds=length_s.get(m, 900)) for m, r in newest.items()]
        return max(ends, default=None)

    async def has_received(self, service_point_id: UUID, period: Period) -> bool:
        """Tell whether energy was ever sent back in the time of an agreement; no where the store does not answer.

        One bit about the reader's own place, for pages that offer or leave out a channel: no reading is returned.
        """
        key, real_s = (service_point_id, period.start_s), asyncio.get_running_loop().time()
        if self._received.get(key, 0.0) > real_s:
            return self._received[key] == math.inf
        try:
            found = await self._sent_back(service_point_id, period)
        except (DBAPIError, StoreError, UnknownRecordError):
            return False
        if len(self._received) >= MAX_KNOWN:
            self._received.clear()
        self._received[key] = math.inf if found else real_s + RECEIVED_AGAIN_S
        return found

    async def _sent_back(self, service_point_id: UUID, period: Period) -> bool:
        """Look at validated days, and at raw readings where validation may not have been yet."""
        now = self.domain.now()
        until = min(period.end, now)
        if until <= period.start:
            return False
        zone = await self.data.zone_of(service_point_id)
        first, last = local_date(period.start, zone), local_date(until, zone)
        days = await self.data.daily_totals(_SCOPE, [service_point_id], Channel.RECEIVED, first, last)
        if (days.total != 0).any():
            return True
        tail = Period(max(period.start, until - TAIL), until)
        raw = await self.data.intervals(_SCOPE, service_point_id, Channel.RECEIVED, tail)
        return bool((raw.value != 0).any())

    async def zone_of(self, service_point_id: UUID) -> str | None:
        """Return the zone of a service point, or None where there is none."""
        try:
            return (await self.data.zone_of(service_point_id)).key
        except UnknownRecordError:
            return None
        except DBAPIError as error:
            raise SourceUnavailableError("the registry does not answer") from error
