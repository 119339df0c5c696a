"""Outages of a feeder: substation, fused laterals, transformers and single service drops.

Rates give about one sustained interruption per customer and year (SAIFI near 1.0) and two hours without supply
(SAIDI near 120 minutes), usual figures of the United States (vee-grid 7.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice
from openami.sim.world.feeder import Feeder
from openami.sim.world.slots import DaySlots

_LONGEST_S = 14 * 3600
_SHORTEST_S = 8 * 60
_YEAR_DAYS = 365.0


class OutageScope(StrEnum):
    """What opened."""

    FEEDER = "feeder"
    LATERAL = "lateral"
    TRANSFORMER = "transformer"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, eq=False)
class Outage:
    """Homes without supply for a time.

    Args:
        scope: what opened.
        start_s: first second without supply, seconds since the epoch.
        end_s: first second with supply again.
        homes: the homes concerned.
    """

    scope: OutageScope
    start_s: int
    end_s: int
    homes: npt.NDArray[np.int64]


def outages_touching(seed: int, feeder: Feeder, slots: DaySlots) -> list[Outage]:
    """Return the outages that overlap a day, those of the day before included."""
    begin_s, end_s = int(slots.start_s[0]), slots.end_s
    found = []
    # A day's outages begin within 24 hours of its midnight; yesterday is taken as 24 hours long by either day alike.
    for number, origin_s in ((slots.number - 1, None), (slots.number, begin_s)):
        origin = origin_s if origin_s is not None else begin_s - 86_400
        found += [o for o in _begun_on(seed, feeder, number, origin) if o.end_s > begin_s and o.start_s < end_s]
    return found


def _begun_on(seed: int, feeder: Feeder, number: int, origin_s: int) -> list[Outage]:
    d = dice(seed=seed, stream=Stream.OUTAGE, day=number)
    rates = (
        (OutageScope.FEEDER, 0.04, 1),
        (OutageScope.LATERAL, 0.5 * feeder.lateral_count, feeder.lateral_count),
        (OutageScope.TRANSFORMER, 0.28 * feeder.transformer_count, feeder.transformer_count),
        (OutageScope.SERVICE, 0.03 * feeder.home_count, feeder.home_count),
    )
    outages = []
    for scope, per_year, places in rates:
        for _ in range(int(d.poisson(per_year / _YEAR_DAYS))):
            place = int(d.integers(0, places))
            start_s = origin_s + int(d.integers(0, 82_800))
            length_s = int(np.clip(d.lognormal(np.log(85 * 60), 0.75), _SHORTEST_S, _LONGEST_S))
            outages.append(Outage(scope, start_s, start_s + length_s, _homes_behind(feeder, scope, place)))
    return outages


def _homes_behind(feeder: Feeder, scope: OutageScope, place: int) -> npt.NDArray[np.int64]:
    match scope:
        case OutageScope.FEEDER:
            return np.arange(feeder.home_count, dtype=np.int64)
        case OutageScope.LATERAL:
            return np.flatnonzero(feeder.lateral_of[feeder.transformer_of] == place)
        case OutageScope.TRANSFORMER:
            return np.flatnonzero(feeder.transformer_of == place)
        case OutageScope.SERVICE:
            return np.array([place], dtype=np.int64)
