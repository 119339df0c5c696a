"""What watching events asks of the bus and the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from openami.contracts.event import DeviceEvent
from openami.headend.events.tally import EventHour


class EventSource(Protocol):
    """Events as head-ends publish them. Every method raises :class:`~openami.headend.ports.BusUnavailableError`."""

    async def read(self) -> list[DeviceEvent]:
        """Return events that nobody has dealt with; after a short wait perhaps none."""
        ...

    async def done(self) -> None:
        """Say that what was read last has been dealt with; else it comes again."""
        ...


class EventBook(Protocol):
    """Counts of events. Raises :class:`~openami.headend.ports.StateUnavailableError`."""

    async def add(self, counts: Mapping[EventHour, int]) -> Mapping[EventHour, int]:
        """Add to the counts, and return how many of each there are now."""
        ...
