"""The world: what every home of the feeder draws in any quarter-hour of any day, past or to come.

A day depends on the seed and its own date alone, so days may be made in any order, twice, or by two processes, and
agree. Power is an integer of milliwatts: energy then adds up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.kernel.time import zone_named
from openami.sim.dice import Stream, dice
from openami.sim.world.equipment import cooling_w, heating_w, solar_w, vehicle_w
from openami.sim.world.homes import Flags, Homes, make_homes
from openami.sim.world.household import household_w
from openami.sim.world.slots import DaySlots, day_slots
from openami.sim.world.weather import day_weather

I64 = npt.NDArray[np.int64]
_LONGEST_ABSENCES_PER_YEAR = 3


@dataclass(frozen=True, slots=True, eq=False)
class DayLoad:
    """What the homes would draw on one local day if nothing fails.

    Args:
        slots: the day.
        power_mw: (homes, n) int64 mean power of each quarter-hour [mW]; negative where a roof gives more than the
            home uses.
    """

    slots: DaySlots
    power_mw: I64


@dataclass(frozen=True)
class World:
    """A seeded feeder of homes.

    Args:
        seed: everything follows from it.
        home_count: number of homes.
        zone_name: the IANA zone they live in.
        plain: leave out electric heat, cooling, vehicles and solar.
    """

    seed: int
    home_count: int = 1000
    zone_name: str = "America/Chicago"
    plain: bool = False

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone."""
        return zone_named(self.zone_name)

    @cached_property
    def homes(self) -> Homes:
        """The traits of the homes."""
        return make_homes(self.seed, self.home_count, plain=self.plain)

    def slots(self, day: date) -> DaySlots:
        """Return the quarter-hours of a local day."""
        return day_slots(day, self.zone)

    def load(self, day: date) -> DayLoad:
        """Return what the homes draw on a local day."""
        slots = self.slots(day)
        weather = day_weather(self.seed, slots)
        homes, present = self.homes, self.present(slots)
        watts = household_w(self.seed, slots, weather, homes, present)
        if not self.plain:
            watts += cooling_w(self.seed, slots, weather, homes, present)
            watts += heating_w(self.seed, slots, weather, homes, present)
            watts += vehicle_w(self.seed, slots, homes)
            watts -= solar_w(weather, homes)
        return DayLoad(slots, np.rint(watts * 1000.0).astype(np.int64))

    def present(self, slots: DaySlots) -> Flags:
        """(homes,) whether anybody is at home on that day: not vacant, not on holiday."""
        here = ~self.homes.is_vacant
        # A holiday may begin in the year before.
        for year in (slots.local_day.year - 1, slots.local_day.year):
            d = dice(seed=self.seed, stream=Stream.ABSENCE, day=year)
            first = date(year, 1, 1).toordinal() + d.integers(0, 365, (self.home_count, _LONGEST_ABSENCES_PER_YEAR))
            length = d.integers(3, 15, first.shape) * (d.random(first.shape) < 0.5)
            today = slots.local_day.toordinal()
            here &= ~((first <= today) & (today < first + length)).any(axis=1)
        return here
