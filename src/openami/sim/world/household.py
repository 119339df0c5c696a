"""What the people of a home use: standby, light, activity, and appliances that come on for a while.

A home is not a class average. Its quarter-hours jump: an oven for half an hour, a dryer for an hour, a kettle for
five minutes. The strengths here were set against published statistics of 74 metered homes (annual energy, highest
quarter-hour, lag-1 autocorrelation, daily spike ratio), which the simulation tests hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice
from openami.sim.world.homes import F64, Flags, Homes
from openami.sim.world.slots import DaySlots
from openami.sim.world.weather import DayWeather

MOST_W = 24_000.0
"""Highest quarter-hour of a household: a 100 A service."""
_MEMORY = 0.70
"""Lag-1 memory of activity from one quarter-hour to the next."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """A kind of use that comes and goes.

    Args:
        runs_per_day: mean number of runs in a lived-in home of typical size.
        power: name of the trait with its rated power [W].
        minutes: mean length of a run.
        spread: relative spread of the length.
        share: fraction of rated power that a run draws on average (thermostats cycle).
        hours: wall-clock hours of (center, spread, weight) at which runs begin.
    """

    runs_per_day: float
    power: str
    minutes: float
    spread: float
    share: float
    hours: tuple[tuple[float, float, float], ...]


APPLIANCES = (
    Appliance(3.4, "kettle_w", 7.0, 0.5, 1.0, ((7.3, 1.2, 0.4), (12.5, 2.0, 0.2), (18.5, 2.5, 0.4))),
    Appliance(1.2, "oven_w", 28.0, 0.5, 0.72, ((7.8, 1.0, 0.15), (12.3, 1.2, 0.2), (18.1, 1.3, 0.65))),
    Appliance(0.42, "dryer_w", 46.0, 0.3, 0.75, ((10.5, 2.5, 0.4), (19.0, 2.2, 0.6))),
    Appliance(0.62, "oven_w", 52.0, 0.3, 0.42, ((9.5, 2.5, 0.4), (20.0, 1.6, 0.6))),
    Appliance(0.55, "heater_w", 13.5, 0.6, 0.95, ((6.9, 0.9, 0.55), (20.3, 1.8, 0.45))),
)
_MAX_RUNS = 8
_MAX_SLOTS = 12


def household_w(seed: int, slots: DaySlots, weather: DayWeather, homes: Homes, present: Flags) -> F64:
    """Return the mean power of each quarter-hour.

    Args:
        seed: the world's seed.
        slots: the day.
        weather: its weather.
        homes: traits.
        present: (homes,) whether anybody is there on this day.

    Returns:
        (homes, n) watts.
    """
    d = dice(seed=seed, stream=Stream.HOUSEHOLD, day=slots.number)
    awake = _awake(slots, homes, d) * present[:, None]
    mood = np.exp(d.normal(0.0, 0.22, homes.count))
    activity = _activity(d, homes, len(slots))
    light = 135.0 * weather.darkness[None, :] + 25.0
    use = awake * (light + 250.0 * (1.0 - 0.12 * weather.season)) * activity * (mood * homes.scale)[:, None]
    use += homes.standby_w[:, None] * (1.0 + 0.16 * d.standard_normal((homes.count, len(slots))).clip(-2, 2))
    runs = dice(seed=seed, stream=Stream.APPLIANCE, day=slots.number)
    for appliance in APPLIANCES:
        _add_runs(use, runs, slots, homes, appliance, present)
    return np.minimum(use, MOST_W)


def _awake(slots: DaySlots, homes: Homes, d: np.random.Generator) -> F64:
    """(homes, n) how much of the household is up and at home, 0 to 1, with a little left over at night."""
    late = 0.9 if slots.is_weekend else 0.0
    wake = (homes.wake_hour + late + d.normal(0.0, 0.35, homes.count))[:, None]
    sleep = (homes.sleep_hour + d.normal(0.0, 0.5, homes.count))[:, None]
    hour = slots.hour[None, :]
    up = _ramp(hour - wake, 0.8) * (1.0 - _ramp(hour - sleep, 0.8)) + _ramp(hour + 24 - wake, 0.8) * (
        1.0 - _ramp(hour + 24 - sleep, 0.8)
    )
    gone = np.zeros(homes.count)
    if not slots.is_weekend:
        gone = np.where(homes.away_on_weekdays, 0.78, 0.2)
    back = (16.8 + d.normal(0.0, 0.7, homes.count))[:, None]
    absent = gone[:, None] * _ramp(hour - wake - 1.6, 0.6) * (1.0 - _ramp(hour - back, 0.8))
    evening = 1.0 + 0.7 * np.exp(-(((hour - 19.5) / 2.3) ** 2))
    return np.clip(0.10 + up * (1.0 - absent) * evening, 0.08, None)


def _ramp(hours: F64, width: float) -> F64:
    rising: F64 = np.clip(hours / width, 0.0, 1.0)
    return rising


def _activity(d: np.random.Generator, homes: Homes, n: int) -> F64:
    """(homes, n) lognormal multiplier with memory, mean about one, stationary from the first quarter-hour."""
    throws = d.standard_normal((n, homes.count))
    fresh = np.sqrt(1.0 - _MEMORY**2)
    for i in range(1, n):
        throws[i] = _MEMORY * throws[i - 1] + fresh * throws[i]
    spread = 0.62 * homes.restless
    return np.ascontiguousarray(np.exp(throws * spread[None, :] - spread[None, :] ** 2 / 2).T)


def _add_runs(
    use: F64, d: np.random.Generator, slots: DaySlots, homes: Homes, appliance: Appliance, present: Flags
) -> None:
    """Add every run of one kind of appliance to ``use`` in place."""
    busy = 1.25 if slots.is_weekend else 0.9
    runs = np.minimum(d.poisson(appliance.runs_per_day * busy * np.sqrt(homes.scale) * present), _MAX_RUNS)
    owner = np.repeat(np.arange(homes.count), runs)
    if not len(owner):
        return
    centers, spreads, weights = (np.array(v) for v in zip(*appliance.hours, strict=True))
    which = d.choice(len(centers), len(owner), p=weights / weights.sum())
    begin_min = (d.normal(centers[which], spreads[which]) % 24.0) * 60.0
    # Runs are laid on the day's real quarter-hours; the last ones end with the day.
    begin_min = np.minimum(begin_min, len(slots) * 15.0 - 1.0)
    minutes = appliance.minutes * np.exp(d.normal(0.0, appliance.spread, len(owner)))
    end_min = begin_min + np.minimum(minutes, _MAX_SLOTS * 15.0 - 15.0)
    rated: npt.NDArray[np.float64] = getattr(homes, appliance.power)
    power = rated[owner] * appliance.share * d.uniform(0.8, 1.2, len(owner))
    first = (begin_min // 15).astype(np.int64)
    for step in range(_MAX_SLOTS):
        slot = first + step
        part = np.minimum(end_min, (slot + 1) * 15.0) - np.maximum(begin_min, slot * 15.0)
        live = (part > 0) & (slot < len(slots))
        if not live.any():
            break
        np.add.at(use, (owner[live], slot[live]), power[live] * part[live] / 15.0)
