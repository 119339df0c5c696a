"""Traits of the homes: how large, who lives there, what hangs on the meter. Thrown once per seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ELECTRIC_HEAT_SHARE = 1 / 3
COOLING_SHARE = 0.93
VEHICLE_SHARE = 0.10
SOLAR_SHARE = 0.10
VACANT_SHARE = 0.015


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """Traits as columns; every array has one value per home.

    Args:
        count: number of homes.
        scale: size of the household's own use, 1 is typical.
        restless: how strongly use swings with activity.
        away_on_weekdays: whether the home empties between morning and late afternoon on working days.
        wake_hour, sleep_hour: wall-clock habits.
        standby_w: what never goes off, refrigeration included.
        kettle_w, oven_w, dryer_w, heater_w: rated power of what comes and goes.
        has_heat, heat_pump, heat_w_per_k, balance_c: electric heat, of which kind, and the house's loss.
        has_cooling, cooling_w, cooling_set_c: central air conditioning and the outdoor temperature it starts at.
        has_vehicle, charger_w, charge_kwh, plug_hour: charging at home.
        has_solar, solar_w: peak output of the roof.
        is_vacant: nobody lives there; only standby and frost protection run.
    """

    count: int
    scale: F64
    restless: F64
    away_on_weekdays: Flags
    wake_hour: F64
    sleep_hour: F64
    standby_w: F64
    kettle_w: F64
    oven_w: F64
    dryer_w: F64
    heater_w: F64
    has_heat: Flags
    heat_pump: Flags
    heat_w_per_k: F64
    balance_c: F64
    has_cooling: Flags
    cooling_w: F64
    cooling_set_c: F64
    has_vehicle: Flags
    charger_w: F64
    charge_kwh: F64
    plug_hour: F64
    has_solar: Flags
    solar_w: F64
    is_vacant: Flags

    @property
    def is_plain(self) -> Flags:
        """(homes,) neither electric heat nor cooling nor vehicle nor solar, and lived in."""
        return ~(self.has_heat | self.has_cooling | self.has_vehicle | self.has_solar | self.is_vacant)


def make_homes(seed: int, count: int, *, plain: bool = False) -> Homes:
    """Throw the traits of ``count`` homes.

    Args:
        seed: the world's seed.
        count: how many.
        plain: leave out heat, cooling, vehicles, solar and vacancy: the homes that published bands speak of.
    """
    d = dice(seed=seed, stream=Stream.TRAITS)
    extras = 0.0 if plain else 1.0
    size = d.lognormal(0.09, 0.29, count)
    away = d.random(count) < 0.55
    has_heat = d.random(count) < ELECTRIC_HEAT_SHARE * extras
    heat_pump = d.random(count) < 0.62
    loss_w_per_k = np.where(heat_pump, 240.0, 155.0) * d.lognormal(0.0, 0.18, count)
    return Homes(
        count=count,
        scale=size,
        restless=d.uniform(0.8, 1.2, count),
        away_on_weekdays=away,
        wake_hour=np.where(away, d.normal(6.4, 0.7, count), d.normal(7.5, 0.9, count)),
        sleep_hour=d.normal(22.8, 0.8, count),
        standby_w=d.lognormal(np.log(185.0), 0.25, count) * size,
        kettle_w=d.uniform(1300.0, 2000.0, count),
        oven_w=d.uniform(1900.0, 3000.0, count),
        dryer_w=d.uniform(2000.0, 3400.0, count),
        heater_w=d.uniform(3600.0, 4600.0, count),
        has_heat=has_heat,
        heat_pump=heat_pump,
        heat_w_per_k=loss_w_per_k,
        balance_c=d.normal(15.0, 1.2, count),
        has_cooling=d.random(count) < COOLING_SHARE * extras,
        cooling_w=d.choice(np.array([2700.0, 3300.0, 3900.0, 4700.0]), count, p=[0.25, 0.35, 0.27, 0.13]),
        cooling_set_c=d.normal(18.9, 1.2, count),
        has_vehicle=d.random(count) < VEHICLE_SHARE * extras,
        charger_w=d.choice(np.array([3700.0, 7200.0, 9600.0, 11500.0]), count, p=[0.12, 0.6, 0.18, 0.1]),
        charge_kwh=d.uniform(6.0, 14.0, count),
        plug_hour=np.where(d.random(count) < 0.4, 22.05, d.normal(18.2, 1.1, count)),
        has_solar=d.random(count) < SOLAR_SHARE * extras,
        solar_w=d.uniform(4000.0, 9000.0, count),
        is_vacant=d.random(count) < VACANT_SHARE * extras,
    )
