"""Weather in PostgreSQL, schema ``mdm``: rows are added and never altered; a changed day is a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.mdm.weather.record import (
    DayTemperature,
    Station,
    StationDays,
    StationSummary,
    StationUse,
    WeatherError,
)

# Two loads of one station at once would give one version twice: the second waits.
_LOCK = text("select pg_advisory_xact_lock(hashtext('weather ' || :station))")
_STATION = text("select * from mdm.weather_station where station = :station")
_ADD_STATION = text("""
    insert into mdm.weather_station (station, zone, source, name, is_simulated, made_by, made_at)
    values (:station, :zone, :source, :name, :is_simulated, :by, :at)
""")
_NEWEST = """
    select distinct on (local_day) local_day, version, min_dc, max_dc, mean_dc from mdm.weather_day
    where station = :station and local_day >= :first and local_day < :end order by local_day, version desc
"""
_DAYS = text(_NEWEST)
_ADD = text(f"""
    with told as (
        select * from unnest(cast(:days as date[]), cast(:mins as int[]), cast(:maxs as int[]), cast(:means as int[]))
            as t (local_day, min_dc, max_dc, mean_dc)
    ), kept as ({_NEWEST}), added as (
        insert into mdm.weather_day (station, local_day, version, min_dc, max_dc, mean_dc, loaded_by, loaded_at)
        select :station, t.local_day, coalesce(k.version, 0) + 1, t.min_dc, t.max_dc, t.mean_dc, :by, :at
        from told t left join kept k using (local_day)
        where (k.min_dc, k.max_dc, k.mean_dc) is distinct from (t.min_dc, t.max_dc, t.mean_dc) or k.version is null
        returning version
    )
    select count(*) filter (where version = 1) as new, count(*) filter (where version > 1) as changed from added
""")  # noqa: S608 - both parts are texts of this file
_SUMMARIES = text("""
    select s.*, count(distinct d.local_day) as days, min(d.local_day) as first, max(d.local_day) as last,
        coalesce(max(d.version), 0) as version
    from mdm.weather_station s left join mdm.weather_day d using (station) group by s.station order by s.station
""")
_USES = text("select * from mdm.weather_use order by use_id")
_ADD_USE = text("""
    insert into mdm.weather_use (station, first_day, transformer, feeder, reason, made_by, made_at)
    values (:station, :first, :transformer, :feeder, :reason, :by, :at)
""")


class PostgresWeather:
    """Implements :class:`~openami.mdm.weather.ports.WeatherBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(
        self, station: Station, days: Sequence[DayTemperature], *, by: UUID | None, at: datetime
    ) -> tuple[int, int]:
        """See the port."""
        if not days:
            return 0, 0
        row = {
            "station": station.station, "by": by, "at": at, "first": min(d.day for d in days),
            "end": date.fromordinal(max(d.day for d in days).toordinal() + 1), "days": [d.day for d in days],
            "mins": [d.min_dc for d in days], "maxs": [d.max_dc for d in days], "means": [d.mean_dc for d in days],
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_LOCK, {"station": station.station})
            await _ensure(connection, station, by=by, at=at)
            new, changed = (await connection.execute(_ADD, row)).one()
        return int(new), int(changed)

    async def stations(self) -> list[StationSummary]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_SUMMARIES)).mappings().all()
        return [
            StationSummary(_station(dict(r)), int(r["days"]), r["first"], r["last"], int(r["version"])) for r in rows
        ]

    async def days(self, station: str, first: date, end: date) -> StationDays | None:
        """See the port."""
        async with self._engine.connect() as connection:
            found = (await connection.execute(_STATION, {"station": station})).mappings().one_or_none()
            if found is None:
                return None
            asked = {"station": station, "first": first, "end": end}
            rows = (await connection.execute(_DAYS, asked)).mappings().all()
        days = (DayTemperature(r["local_day"], r["min_dc"], r["max_dc"], r["mean_dc"]) for r in rows)
        return StationDays(_station(dict(found)), tuple(days))

    async def uses(self) -> tuple[StationUse, ...]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_USES)).mappings().all()
        return tuple(
            StationUse(r["station"], r["first_day"], r["transformer"], r["feeder"], r["reason"], r["made_at"])
            for r in rows
        )

    async def use(self, use: StationUse, *, by: UUID | None, at: datetime) -> None:
        """See the port."""
        row = {
            "station": use.station, "first": use.first, "transformer": use.transformer, "feeder": use.feeder,
            "reason": use.reason, "by": by, "at": at,
        }  # fmt: skip
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_ADD_USE, row)
        except IntegrityError as error:
            raise WeatherError(f"there is no station {use.station}: load its file first") from error


async def _ensure(connection: AsyncConnection, station: Station, *, by: UUID | None, at: datetime) -> None:
    """Keep a station, or find that it is the one that is kept."""
    found = (await connection.execute(_STATION, {"station": station.station})).mappings().one_or_none()
    if found is None:
        row = {
            "station": station.station, "zone": station.zone, "source": station.source, "name": station.name,
            "is_simulated": station.is_simulated, "by": by, "at": at,
        }  # fmt: skip
        await connection.execute(_ADD_STATION, row)
        return
    kept = _station(dict(found))
    if kept.zone != station.zone:
        raise WeatherError(f"the days of {kept.station} are days of {kept.zone}, not of {station.zone}")
    if (kept.source, kept.is_simulated) != (station.source, station.is_simulated):
        raise WeatherError(f"{kept.station} is kept from {kept.source}: give these days a station of another name")


def _station(row: Mapping[str, Any]) -> Station:
    return Station(row["station"], row["zone"], row["source"], row["name"], row["is_simulated"])
