"""Synthetic weather of a place like St. Louis: a season, a day that warms and cools, and spells that last some days.

The anomaly of a day is a weighted sum of the throws of that day and of the nine before it, so it has the memory of
an AR(1) process and yet needs no past to be computed. Means follow the published climate normals in round figures
(January mean 0 °C, July mean 27 °C); nothing here is a measured series.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice
from openami.sim.world.slots import DaySlots

F64 = npt.NDArray[np.float64]

LATITUDE_DEG = 38.6
LONGITUDE_DEG = -90.3
_YEAR_DAYS = 365.2425
_MEAN_C, _SEASON_C, _COLDEST_DAY = 13.4, 13.6, 17.0
_MEMORY_DAYS, _PERSISTENCE = 10, 0.72
_WINTER_SPREAD_C, _SUMMER_SPREAD_C = 5.2, 2.7


@dataclass(frozen=True, slots=True, eq=False)
class DayWeather:
    """Weather of one local day. All arrays have one value per interval.

    Args:
        temperature_c: outdoor air.
        felt_c: outdoor air as a house feels it: damped and an hour and a half late.
        sun: clear-sky fraction of 1 kW/m2 on a tilted roof, clouds taken off, 0 to about 1.
        darkness: 0 in daylight to 1 at night.
        season: -1 in the depth of winter to 1 in high summer.
    """

    temperature_c: F64
    felt_c: F64
    sun: F64
    darkness: F64
    season: float


def day_weather(seed: int, slots: DaySlots) -> DayWeather:
    """Return the weather of a day.

    Args:
        seed: the world's seed.
        slots: the day.
    """
    number = slots.number
    before, today, after = (_daily_mean_c(seed, n) for n in (number - 1, number, number + 1))
    hour = slots.hour
    # Daily means hold at noon; between noons the mean moves linearly, so midnight joins without a step.
    mean = np.where(
        hour < 12, before + (today - before) * (hour + 12) / 24, today + (after - today) * np.maximum(hour - 12, 0) / 24
    )
    cloud = _cloud(seed, number)
    swing = 6.4 - 3.6 * cloud
    temperature = mean + swing * np.cos((hour - 15.5) * np.pi / 12)
    felt = mean + 0.8 * swing * np.cos((hour - 17.0) * np.pi / 12)
    elevation = _sine_of_elevation(slots)
    broken = dice(seed=seed, stream=Stream.SOLAR, day=number).normal(0.0, 1.0, len(slots))
    passing = np.clip(1 - 0.75 * cloud + 0.16 * np.sqrt(cloud) * broken, 0.05, 1.0)
    sun = np.clip(elevation * 1.12, 0.0, 1.0) * passing
    darkness = 1.0 - np.clip(elevation * 6 + 0.3, 0.0, 1.0)
    return DayWeather(temperature, felt, sun, darkness, _season(number))


def day_extremes_dc(seed: int, slots: DaySlots) -> tuple[int, int, int]:
    """Return a day's lowest, highest and mean air temperature, in tenths of a degree Celsius."""
    air = day_weather(seed, slots).temperature_c
    lowest, highest, mean = (round(float(v) * 10) for v in (air.min(), air.max(), air.mean()))
    return lowest, highest, mean


def _season(number: int) -> float:
    return float(-np.cos(2 * np.pi * (number % _YEAR_DAYS - _COLDEST_DAY) / _YEAR_DAYS))


@lru_cache(maxsize=4096)
def _throw(seed: int, number: int) -> tuple[float, float]:
    throws = dice(seed=seed, stream=Stream.WEATHER, day=number).normal(0.0, 1.0, 2)
    return float(throws[0]), float(throws[1])


def _daily_mean_c(seed: int, number: int) -> float:
    season = _season(number)
    spread = _WINTER_SPREAD_C + (season + 1) / 2 * (_SUMMER_SPREAD_C - _WINTER_SPREAD_C)
    return _MEAN_C + _SEASON_C * season + spread * _remembered(seed, number, 0)


def _cloud(seed: int, number: int) -> float:
    """Return cloudiness 0 to 1; spells of weather last a little less than spells of warmth."""
    return float(1 / (1 + np.exp(-(_remembered(seed, number, 1) * 1.6 - 0.3))))


def _remembered(seed: int, number: int, which: int) -> float:
    weights = _PERSISTENCE ** np.arange(_MEMORY_DAYS)
    throws = np.array([_throw(seed, number - back)[which] for back in range(_MEMORY_DAYS)])
    return float(weights @ throws / np.sqrt(weights @ weights))


def _sine_of_elevation(slots: DaySlots) -> F64:
    """Return the sine of the sun's height. Source: the usual declination and hour-angle formula (Cooper 1969)."""
    day_of_year = slots.local_day.timetuple().tm_yday
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    solar_hour = (slots.start_s % 86_400 + 450) / 3600 + LONGITUDE_DEG / 15
    angle = (solar_hour - 12) * np.pi / 12
    latitude = np.deg2rad(LATITUDE_DEG)
    height: F64 = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    return height
