"""Readings for the portal, from meter data management."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from openami.contracts.channel import Channel
from openami.kernel.clock import Clock
from openami.kernel.time import Period
from openami.mdm.api import MeterData, UnknownRecordError
from openami.portal.ports import Series, SourceUnavailableError
from openami.security.access.scope import Scope

LOOK_BACK = timedelta(days=45)
"""How far back the newest reading is looked for: raw frames are kept as long."""


@dataclass(frozen=True, slots=True)
class MeterUsage:
    """Implements :class:`~openami.portal.ports.UsageData`."""

    data: MeterData
    domain: Clock
    _zones: dict[UUID, str] = field(default_factory=dict)

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

    async def zone_of(self, service_point_id: UUID) -> str | None:
        """Return the zone of a service point; it never changes, so it is asked once."""
        if service_point_id not in self._zones:
            try:
                point = await self.data.registry.service_point(service_point_id)
            except UnknownRecordError:
                return None
            except DBAPIError as error:
                raise SourceUnavailableError("the registry does not answer") from error
            self._zones[service_point_id] = point.zone
        return self._zones[service_point_id]
