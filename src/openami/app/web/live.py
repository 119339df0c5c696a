"""From the bus to the browser: announcements of stored readings become events of service points."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError

from openami.kernel.clock import Clock
from openami.kernel.time import Period
from openami.mdm.api import MeterData
from openami.portal.live import LiveHub

INTERVAL_S = 900
REFRESH_S = 30.0
UNKNOWN_REFRESH_S = 2.0
_log = structlog.get_logger("openami.web")


@dataclass(slots=True)
class LiveFeed:
    """Turns ``core.changed.v1.raw`` into events.

    Args:
        hub: fans out.
        data: the registry says which meter hangs where now.
        domain: domain time.
    """

    hub: LiveHub
    data: MeterData
    domain: Clock
    _places: dict[UUID, UUID] = field(default_factory=dict)
    _read_at: float = float("-inf")

    async def take(self, message: Msg) -> None:
        """Announce one message; one that cannot be read is counted and passed over."""
        try:
            row: dict[str, Any] = json.loads(message.data)
            if row["kind"] != "reading":
                return
            meters = [UUID(m) for m in row["meters"]]
            is_many, count, last = bool(row["many"]), int(row["rows"]), row["last"]
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("announcement unreadable", error=type(error).__name__)
            return
        newest_end_s = int(last) + INTERVAL_S if last is not None else None
        if is_many:
            self.hub.readings_arrived(service_points=None, meters=count, newest_end_s=newest_end_s)
            return
        await self._refresh(meters)
        places = frozenset(self._places[m] for m in meters if m in self._places)
        self.hub.readings_arrived(service_points=places, meters=len(meters), newest_end_s=newest_end_s)

    async def _refresh(self, meters: list[UUID]) -> None:
        """Read again who hangs where when that is old, or soon when a meter is not known."""
        now = asyncio.get_running_loop().time()
        is_strange = any(m not in self._places for m in meters)
        if now - self._read_at < (UNKNOWN_REFRESH_S if is_strange else REFRESH_S):
            return
        self._read_at = now
        instant = self.domain.now()
        try:
            installed = await self.data.registry.installed(None, Period(instant, instant + timedelta(seconds=1)))
        except DBAPIError as error:
            _log.warning("registry unavailable", error=type(error).__name__)
            return
        self._places = {i.meter.id: i.installation.service_point_id for i in installed}
