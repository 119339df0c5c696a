"""How well the fleet is read, and reads by hand: from the head-end's books to the words of the staff pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openami.portal.ports import SourceUnavailableError
from openami.portal.views.fleet import MeterReadView, MissingReadsView, ReadKind, ServiceLevelsView


@dataclass(frozen=True, slots=True)
class FleetDesk:
    """Implements :class:`~openami.portal.ports.FleetView`. The head-end's books of reads are not open yet."""

    async def service_levels(self) -> ServiceLevelsView:
        """Return completeness by cell and age, and who is unread."""
        raise SourceUnavailableError("the head-end keeps no book of expected reads yet")

    async def missing(self, meter_id: UUID, day: date | None) -> MissingReadsView | None:
        """Return why reads of a local day are missing."""
        raise SourceUnavailableError(f"the head-end keeps no book of expected reads yet: {meter_id}, {day}")

    async def ask(self, meter_id: UUID, kind: ReadKind) -> MeterReadView:
        """Put a read before all others of the meter."""
        raise SourceUnavailableError(f"the head-end asks no meter yet: {meter_id}, {kind}")

    async def reads(self, meter_id: UUID, *, limit: int) -> Sequence[MeterReadView]:
        """Return the newest reads that were asked for by hand."""
        raise SourceUnavailableError(f"the head-end asks no meter yet: {meter_id}, {limit}")
