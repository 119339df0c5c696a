"""What ``openami vee`` is told about estimation: the calendar, whether demand is billed, the order of methods."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openami.app.commands.intervals import octets_of
from openami.kernel.errors import MisuseError
from openami.mdm.registry.calendar import SHIPPED, shipped_holidays
from openami.mdm.vee.estimate import DEFAULT_ORDER, References, Step, parse_order
from openami.mdm.vee.grid import Grid


@dataclass(frozen=True, slots=True)
class Estimation:
    """How gaps of a file are filled.

    Args:
        calendar: name of a shipped calendar whose holidays are like weekends.
        is_demand_billed: gaps take the shape of one day.
        order: methods, first to last.
    """

    calendar: str = "none"
    is_demand_billed: bool = False
    order: tuple[Step, ...] = DEFAULT_ORDER

    def references(self, grid: Grid) -> References:
        """Return it for one series."""
        holidays = shipped_holidays(self.calendar, grid.first, grid.last)
        off = np.array([grid.day(d) in holidays for d in range(grid.days)], dtype=bool)
        return References(
            day_kind=(grid.is_weekend | off).astype(np.uint8)[None, :],
            is_demand_billed=np.array([True]) if self.is_demand_billed else None,
        )


def estimation_of(calendar: str | None, methods: Path | None, *, is_demand_billed: bool) -> Estimation:
    """Return what the options say.

    Args:
        calendar: name of a shipped calendar; None for one without holidays.
        methods: TOML with tables ``[[step]]`` of ``method`` and ``max_gap_s``; None for the order as shipped.
        is_demand_billed: gaps take the shape of one day.

    Raises:
        MisuseError: there is no such calendar, or the file is no order of methods.
    """
    if calendar is not None and calendar not in SHIPPED:
        raise MisuseError(f"--calendar {calendar}: one of {', '.join(SHIPPED)}")
    order = DEFAULT_ORDER
    if methods is not None:
        try:
            table = tomllib.loads(octets_of(methods).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise MisuseError(f"--methods {methods}: not TOML: {error}") from error
        steps = table.get("step")
        if set(table) != {"step"} or not isinstance(steps, list) or not steps:
            raise MisuseError(f"--methods {methods}: one or more tables [[step]], and nothing else")
        order = parse_order(steps)
    return Estimation(calendar or "none", is_demand_billed, order)
