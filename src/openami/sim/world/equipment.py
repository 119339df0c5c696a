"""Large equipment: cooling, electric heat, vehicle charging and solar roofs."""

from __future__ import annotations

import numpy as np

from openami.kernel.time import QUARTER_HOUR_S
from openami.sim.dice import Stream, dice
from openami.sim.world.homes import F64, Flags, Homes
from openami.sim.world.slots import DaySlots
from openami.sim.world.weather import DayWeather

_HOTTEST_C = 37.0
_AWAY_SETBACK_C = 3.0
_STRIP_ONSET_C = -4.0


def cooling_w(seed: int, slots: DaySlots, weather: DayWeather, homes: Homes, present: Flags) -> F64:
    """Return the power of central air conditioners; compressors cycle, so the share of a quarter-hour jumps.

    Returns:
        (homes, n) watts, mean of each quarter-hour.
    """
    n = len(slots)
    if weather.felt_c.max() < homes.cooling_set_c.min():
        return np.zeros((homes.count, n))
    d = dice(seed=seed, stream=Stream.COOLING, day=slots.number)
    start_c = (homes.cooling_set_c + np.where(present, 0.0, _AWAY_SETBACK_C) + d.normal(0.0, 0.7, homes.count))[:, None]
    duty = np.clip((weather.felt_c[None, :] - start_c) / (_HOTTEST_C - start_c), 0.0, 1.0)
    power: F64 = _cycled(d, duty) * (homes.cooling_w * homes.has_cooling)[:, None]
    return power


def heating_w(seed: int, slots: DaySlots, weather: DayWeather, homes: Homes, present: Flags) -> F64:
    """Return the power of heat pumps (with resistance strips in deep cold) and resistance furnaces.

    Returns:
        (homes, n) watts, mean of each quarter-hour.
    """
    n = len(slots)
    if weather.felt_c.min() > homes.balance_c.max():
        return np.zeros((homes.count, n))
    d = dice(seed=seed, stream=Stream.HEATING, day=slots.number)
    rows = np.flatnonzero(homes.has_heat)
    setback = np.where(present, 0.0, 5.0)[rows, None]
    felt = weather.felt_c[None, :]
    need_w = np.clip(homes.balance_c[rows, None] - setback - felt, 0.0, None) * homes.heat_w_per_k[rows, None]
    performance = np.clip(2.6 + 0.065 * weather.temperature_c[None, :], 1.4, 4.0)
    pump_w = np.where(felt > _STRIP_ONSET_C, need_w / performance, 0.65 * need_w / performance + 0.35 * need_w)
    mean_w = np.where(homes.heat_pump[rows, None], pump_w, need_w)
    rated_w = np.where(homes.heat_pump[rows, None], 4_500.0, 9_600.0)
    heat = np.zeros((homes.count, n))
    heat[rows] = _cycled(d, np.clip(mean_w / rated_w, 0.0, 1.0)) * rated_w
    return heat


def _cycled(d: np.random.Generator, duty: F64) -> F64:
    """Return the on-share of each quarter-hour of a machine that switches: right on average, never quite even."""
    throws = d.random(duty.shape) - 0.5
    swing = 1.15 * np.minimum(duty, 1.0 - duty)
    share: F64 = np.clip(duty + 2.0 * throws * swing, 0.0, 1.0)
    return share


def vehicle_w(seed: int, slots: DaySlots, homes: Homes) -> F64:
    """Return the power of vehicle charging. A charge that began yesterday evening runs on past midnight.

    Returns:
        (homes, n) watts, mean of each quarter-hour.
    """
    power = np.zeros((homes.count, len(slots)))
    rows = np.flatnonzero(homes.has_vehicle)
    begin_day = int(slots.start_s[0])
    for back in (1, 0):
        d = dice(seed=seed, stream=Stream.VEHICLE, day=slots.number - back)
        drives = d.random(homes.count)[rows] < 0.78
        energy_kwh = homes.charge_kwh[rows] * d.lognormal(-0.1, 0.45, homes.count)[rows] * drives
        hour = homes.plug_hour[rows] + np.abs(d.normal(0.0, 0.6, homes.count))[rows]
        # Yesterday is taken as 24 hours long; on the two odd days of a year a charge is an hour off, not lost.
        begin_s = begin_day + hour * 3600.0 - back * 86_400.0
        end_s = begin_s + energy_kwh * 3_600_000.0 / homes.charger_w[rows]
        overlap_s = np.minimum(end_s[:, None], slots.start_s[None, :] + QUARTER_HOUR_S) - np.maximum(
            begin_s[:, None], slots.start_s[None, :]
        )
        power[rows] += np.clip(overlap_s, 0.0, None) / QUARTER_HOUR_S * homes.charger_w[rows, None]
    return np.minimum(power, homes.charger_w[:, None])


def solar_w(weather: DayWeather, homes: Homes) -> F64:
    """Return what the roofs give, (homes, n) watts, not negative."""
    power: F64 = (homes.solar_w * homes.has_solar)[:, None] * (0.86 * weather.sun)[None, :]
    return power
