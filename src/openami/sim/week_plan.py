"""The acceptance week: how many meters, what fails and when, and which days bills close on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from openami.kernel.time import epoch_s
from openami.sim.week import Week
from openami.sim.week_world import Air, Blackout, Silence, WeekWorld

ZONE = "America/Chicago"
START_S = epoch_s(datetime(2026, 3, 3, tzinfo=UTC))
"""A Tuesday; on the Sunday of this week clocks jump ahead."""
HOUR_S, DAY_S = 3_600, 86_400
READ_DAYS = (date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6), date(2026, 3, 8), date(2026, 3, 9))
DRAIN_S = 12 * HOUR_S
"""How long recovery may go on after the week."""


@dataclass(frozen=True, slots=True)
class WeekSize:
    """How large a run is.

    Args:
        meters, cells: how many.
        days: how long.
        seed: of all dice.
    """

    meters: int = 500
    cells: int = 10
    days: int = 7
    seed: int = 1


def made_week(size: WeekSize) -> Week:
    """Return a week that has not begun: 3 % lost pushes, two cells silent for hours, some meters without supply."""
    end_s = START_S + size.days * DAY_S
    silences = (
        Silence(3 % size.cells, START_S + 14 * HOUR_S, START_S + 23 * HOUR_S),
        # From ten in the evening of one day to half past four of the next, a read day: recovery has until seven.
        Silence(7 % size.cells, START_S + 2 * DAY_S + 4 * HOUR_S, START_S + 2 * DAY_S + 10 * HOUR_S + 1_800),
    )
    dark_s = START_S + DAY_S + 18 * HOUR_S
    blackouts = (Blackout(range(0, size.meters, 12), dark_s + 400, dark_s + 3 * HOUR_S + 1_000),)
    world = WeekWorld(
        meters=size.meters,
        cells=size.cells,
        seed=size.seed,
        start_s=START_S,
        zone=ZoneInfo(ZONE),
        air=Air(),
        silences=silences,
        blackouts=blackouts,
    )
    days = [(READ_DAYS[n // size.cells % len(READ_DAYS)],) for n in range(size.meters)]
    return Week(world, start_s=START_S, end_s=end_s, zone=ZONE, read_days=days)


def run_week(size: WeekSize) -> Week:
    """Run it, with one kill of the head-end in the night of the second day, and return it."""
    week = made_week(size)
    killed_s = START_S + DAY_S + 8 * HOUR_S + 77
    week.run(week.end_s + DRAIN_S, crashes=[(killed_s, killed_s + 1_200)])
    return week
