"""Weather in the database: loaded once, changed as a new version, and nothing of it altered or taken away."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from openami.app.engines.postgres import PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.settings import Home, Settings
from openami.mdm.adapters.weather_postgres import PostgresWeather
from openami.mdm.weather.record import DayTemperature, Station, StationUse, WeatherError

pytestmark = pytest.mark.engines
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
AIRPORT = Station("USW00013994", "America/Chicago", "NOAA GHCN-Daily", "ST LOUIS LAMBERT")
WEEK = [DayTemperature(date(2026, 7, n), 200 + n, 300 + n, None if n % 2 else 250) for n in range(1, 8)]


async def test_days_are_loaded_once_a_change_is_a_version_and_nothing_is_altered(
    postgres: PostgresEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(home=Home(tmp_path_factory.mktemp("home")), postgres_url=postgres.url("postgres"))
    async with room_database(settings, "openami_mdm") as engine:
        weather, who = PostgresWeather(engine), uuid4()
        assert await weather.load(AIRPORT, WEEK, by=who, at=NOW) == (7, 0)
        assert await weather.load(AIRPORT, list(reversed(WEEK)), by=who, at=NOW) == (0, 0)
        warmer = DayTemperature(date(2026, 7, 2), 205, 340, 250)
        no_mean = DayTemperature(date(2026, 7, 4), 204, 304)
        later = DayTemperature(date(2026, 7, 8), 210, 310)
        assert await weather.load(AIRPORT, [warmer, no_mean, later], by=None, at=NOW) == (1, 2)

        found = await weather.days("USW00013994", date(2026, 7, 2), date(2026, 7, 4))
        assert found is not None
        assert found.station == AIRPORT
        assert found.days == (warmer, WEEK[2]), "half-open, the newest version of each"
        (summary,) = await weather.stations()
        assert (summary.days, summary.first, summary.last, summary.version) == (
            8, date(2026, 7, 1), date(2026, 7, 8), 2,
        )  # fmt: skip
        assert await weather.days("nowhere", date(2026, 7, 2), date(2026, 7, 4)) is None

        with pytest.raises(WeatherError, match="days of America/Chicago"):
            await weather.load(Station("USW00013994", "UTC", "NOAA GHCN-Daily"), WEEK, by=who, at=NOW)
        made_up = Station("USW00013994", "America/Chicago", "simulated", is_simulated=True)
        with pytest.raises(WeatherError, match="another name"):
            await weather.load(made_up, WEEK, by=None, at=NOW)

        use = StationUse("USW00013994", date(2026, 1, 1), reason="the nearest airport")
        await weather.use(use, by=who, at=NOW)
        assert [(u.station, u.first, u.made_at) for u in await weather.uses()] == [
            ("USW00013994", date(2026, 1, 1), NOW)
        ]
        with pytest.raises(WeatherError, match="load its file first"):
            await weather.use(StationUse("nowhere", date(2026, 1, 1), reason="the nearest"), by=who, at=NOW)
        for act in ("update mdm.weather_day set max_dc = 0", "delete from mdm.weather_use"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                async with engine.begin() as connection:
                    await connection.execute(text(act))
