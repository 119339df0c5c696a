"""The plan of a demonstration: written once when its territory is made, read by the loader and the live meters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import QUARTER_HOUR_S, epoch_s, instant_from_epoch_s, local_date, local_midnight, zone_named
from openami.sim.territory import Territory
from openami.sim.world.world import World

HELD_BACK_METERS = 20
HELD_BACK_DAYS = 7


class PlanError(OpenAmiError):
    """The plan of the territory cannot be read."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What fixes a demonstration's territory.

    Args:
        seed: of the world.
        homes: number of homes.
        zone: where they live.
        genesis: first local day of the history.
        history_end_s: when the territory was made, on a quarter-hour, seconds since the epoch.
        held_back_from_s: local midnight from which some meters' rows are sent instead of loaded.
        service_points: (homes,) random ids that the homes are registered under, as text.
        silent: meters that measured wrong for a while.
    """

    seed: int
    homes: int
    zone: str
    genesis: str
    history_end_s: int
    held_back_from_s: int
    service_points: tuple[str, ...]
    silent: int = 0

    def territory(self) -> Territory:
        """Return the territory that the plan fixes."""
        world = World(self.seed, self.homes, self.zone)
        genesis_s = epoch_s(local_midnight(self.first_day, world.zone))
        return Territory(world, genesis_s, self.history_end_s, self.silent)

    @property
    def first_day(self) -> date:
        """First local day of the history."""
        return date.fromisoformat(self.genesis)

    @property
    def last_day(self) -> date:
        """Local day that the history ends in."""
        return local_date(instant_from_epoch_s(self.history_end_s), zone_named(self.zone))

    @property
    def held_back_day(self) -> date:
        """First local day that is sent instead of loaded."""
        return local_date(instant_from_epoch_s(self.held_back_from_s), zone_named(self.zone))

    @property
    def held_back(self) -> npt.NDArray[np.int64]:
        """Meters whose newest days are sent as frames: spread over the feeder."""
        step = max(1, self.homes // HELD_BACK_METERS)
        return np.arange(0, self.homes, step, dtype=np.int64)[:HELD_BACK_METERS]

    def to_json(self) -> str:
        """Return the plan as text."""
        return json.dumps(asdict(self)) + "\n"


def make_plan(
    *, seed: int, homes: int, days: int, zone: str, now: datetime, service_points: list[UUID], silent: int = 0
) -> DemoPlan:
    """Return the plan of a history that ends now.

    Args:
        seed: of the world.
        homes: number of homes.
        days: local days of history before today.
        zone: where the homes live.
        now: domain time.
        service_points: random ids, one per home.
        silent: meters that measured wrong for a while.
    """
    end_s = epoch_s(now) // QUARTER_HOUR_S * QUARTER_HOUR_S
    place = zone_named(zone)
    today = local_date(instant_from_epoch_s(end_s), place)
    held_back = today - timedelta(days=min(HELD_BACK_DAYS, days))
    return DemoPlan(
        seed=seed,
        homes=homes,
        zone=zone,
        genesis=(today - timedelta(days=days)).isoformat(),
        history_end_s=end_s,
        held_back_from_s=epoch_s(local_midnight(held_back, place)),
        service_points=tuple(str(p) for p in service_points),
        silent=silent,
    )


def parse_plan(text: str) -> DemoPlan:
    """Read a plan back.

    Raises:
        PlanError: it is not one.
    """
    try:
        row = json.loads(text)
        return DemoPlan(**{**row, "service_points": tuple(row["service_points"])})
    except (ValueError, KeyError, TypeError) as error:
        raise PlanError(f"the territory's plan cannot be read: {type(error).__name__}") from None
