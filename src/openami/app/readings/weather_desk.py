"""Where people load temperatures and say which station speaks for which places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.kernel.time import zone_named
from openami.mdm.adapters.weather_postgres import PostgresWeather
from openami.mdm.weather.file import WeatherFile
from openami.mdm.weather.record import Station, StationDays, StationSummary, StationUse, WeatherError
from openami.security.access.policy import Kind


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    Args:
        station: whose days they are.
        file: what it held.
        new, changed: days that were not there, and days that have a new version; the rest was there as it is.
        is_used: whether the station speaks for any place yet.
    """

    station: Station
    file: WeatherFile
    new: int
    changed: int
    is_used: bool


class WeatherDesk:
    """Acts of people on the weather of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def load(self, person: Actor, file: WeatherFile, *, station: str = "", zone: str = "") -> Loaded:
        """Keep the days of a file. A repeat changes nothing.

        Args:
            person: who.
            file: as read.
            station: id, where the file gives none.
            zone: of the station's days, where it is not the installation's.

        Raises:
            WeatherError: no station is named, or its days are of another zone.
            UnknownZoneError: no such zone.
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        wanted = station_of(file, station=station, zone=zone or self._settings.zone)
        act = Act(Kind.MASTER_DATA, "weather.load", f"station {wanted.station}, {len(file.days)} days")
        async with acting(self._settings, person, act) as who, self._weather() as weather:
            at = self._settings.clock().now()
            new, changed = await weather.load(wanted, file.days, by=who.user_id, at=at)
            is_used = any(u.station == wanted.station for u in await weather.uses())
        return Loaded(wanted, file, new, changed, is_used)

    async def use(
        self, person: Actor, station: str, *, first: date | None, transformer: str, feeder: str, reason: str
    ) -> StationUse:
        """Let a station speak for places from a day on; without a day from the first of its days.

        Raises:
            WeatherError: there is no such station, or no day of it, or the reason is none.
            As :meth:`load`.
        """
        async with self._weather() as weather:
            known = {s.station.station: s for s in await weather.stations()}
            start = first or (known[station].first if station in known else None)
            if start is None:
                raise WeatherError(f"there is no station {station}: load its file first")
            use = StationUse(station, start, transformer, feeder, reason)
            where = f"transformer {transformer}" if transformer else f"feeder {feeder}" if feeder else "every place"
            act = Act(Kind.MASTER_DATA, "weather.use", f"station {station} for {where} from {start}")
            async with acting(self._settings, person, act) as who:
                await weather.use(use, by=who.user_id, at=self._settings.clock().now())
        return use

    async def stations(self) -> list[StationSummary]:
        """Return every station."""
        async with self._weather() as weather:
            return await weather.stations()

    async def uses(self) -> tuple[StationUse, ...]:
        """Return which station was set for what, in the order in which it was set."""
        async with self._weather() as weather:
            return await weather.uses()

    async def days(self, station: str, first: date, end: date) -> StationDays:
        """Return days of a station.

        Raises:
            WeatherError: there is no such station.
        """
        async with self._weather() as weather:
            found = await weather.days(station, first, end)
        if found is None:
            raise WeatherError(f"there is no station {station}: `openami weather list` shows those that are")
        return found

    @asynccontextmanager
    async def _weather(self) -> AsyncIterator[PostgresWeather]:
        async with room_database(self._settings, "openami_mdm") as engine:
            yield PostgresWeather(engine)


def station_of(file: WeatherFile, *, station: str, zone: str) -> Station:
    """Return the station that a file's days belong to.

    Raises:
        WeatherError: neither file nor caller names one, they name two, or the file's days are another zone's.
        UnknownZoneError: no such zone.
    """
    if file.station and station and file.station != station:
        raise WeatherError(f"the file is of station {file.station}, not of {station}: leave --station away")
    if not file.station and not station:
        raise WeatherError("the file names no station: give it a name with --station, for example st-louis-grid")
    if file.zone and file.zone != zone:
        raise WeatherError(
            f"the file's days are days of {file.zone}, and {zone} is wanted: ask for timezone={zone_named(zone).key}"
        )
    found = Station(file.station or station, zone, file.source, file.name)
    return replace(found, name=file.name[:100])
