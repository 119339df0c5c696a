"""What the weather asks of its keeper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.mdm.weather.record import DayTemperature, Station, StationDays, StationSummary, StationUse


class WeatherBook(Protocol):
    """Keeps stations, their days and their uses. Days are never replaced: a changed one is a new version."""

    async def load(
        self, station: Station, days: Sequence[DayTemperature], *, by: UUID | None, at: datetime
    ) -> tuple[int, int]:
        """Keep days of a station; return how many were new and how many changed. A repeat changes nothing.

        Args:
            station: whose days they are; kept with the first of them.
            days: each once.
            by: who loads them; None for the demonstration.
            at: domain time.

        Raises:
            WeatherError: the station is known in another zone, or measured where these are simulated.
        """
        ...

    async def stations(self) -> list[StationSummary]:
        """Return every station, by id."""
        ...

    async def days(self, station: str, first: date, end: date) -> StationDays | None:
        """Return the newest version of the days ``[first, end)``; None where there is no such station."""
        ...

    async def uses(self) -> tuple[StationUse, ...]:
        """Return every use, in the order in which they were made."""
        ...

    async def use(self, use: StationUse, *, by: UUID | None, at: datetime) -> None:
        """Keep a use.

        Raises:
            WeatherError: there is no such station.
        """
        ...
