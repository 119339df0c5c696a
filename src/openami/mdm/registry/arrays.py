"""Facts as arrays of (service points x local days), for validation and estimation. Pure.

A day on which a fact changes counts as the milder of both: nobody is accused of the hours before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.kernel.time import epoch_s
from openami.mdm.registry.calendar import DEFAULT_CALENDAR
from openami.mdm.registry.facts import Fact, FactKind, ReadingKind, ServiceState
from openami.mdm.vee.grid import BOOLS, Grid

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PlaceDays:
    """What the registry says of S service points on the D local days of a grid.

    Args:
        state: (S, D) :class:`~openami.mdm.registry.facts.ServiceState`; ACTIVE where nothing is said.
        has_account: (S, D) an account holds the service for part of the day at least.
        may_feed_in: (S, D) an interconnection is approved for part of the day at least.
        is_holiday: (S, D) by the calendar of the service point.
        reading: (S, D) :class:`~openami.mdm.registry.facts.ReadingKind`; not INTERVAL means register-only.
        phase: (S,) phases on the last day, empty where nothing is said.
        check_of: (S,) the service point that this one checks on the last day, or None.
    """

    state: U8
    has_account: BOOLS
    may_feed_in: BOOLS
    is_holiday: BOOLS
    reading: U8
    phase: tuple[str, ...]
    check_of: tuple[UUID | None, ...]

    @property
    def is_register_only(self) -> BOOLS:
        """(S,) read by no network on the last day."""
        return np.asarray(self.reading[:, -1] != ReadingKind.INTERVAL)


def place_days(
    grid: Grid, points: Sequence[UUID], facts: Sequence[Fact], holidays: Mapping[str, frozenset[date]]
) -> PlaceDays:
    """Lay facts out by service point and day.

    Args:
        grid: the days.
        points: S service points, in the order of rows.
        facts: what is believed now of them; those of other points are ignored.
        holidays: days by name of calendar, :data:`~openami.mdm.registry.calendar.DEFAULT_CALENDAR` among them.
    """
    row_of = {point: row for row, point in enumerate(points)}
    shape = (len(points), grid.days)
    state, reading = np.full(shape, ServiceState.ACTIVE, np.uint8), np.full(shape, ReadingKind.INTERVAL, np.uint8)
    account, feeds = np.zeros(shape, bool), np.zeros(shape, bool)
    days_off = _days_off(grid, holidays)
    holiday = np.tile(days_off.get(DEFAULT_CALENDAR, np.zeros(grid.days, bool)), (len(points), 1))
    phase, check_of = [""] * len(points), [None] * len(points)  # type: list[str], list[UUID | None]
    for fact in facts:
        row = row_of.get(fact.service_point_id)
        if row is None:
            continue
        touched, whole = _days_of(grid, fact)
        match fact.kind:
            case FactKind.SERVICE:
                _paint_state(state[row], ServiceState[fact.value.upper()], touched, whole)
            case FactKind.READING:
                reading[row, whole] = ReadingKind[fact.value.upper()]
            case FactKind.ACCOUNT:
                account[row, touched] = True
            case FactKind.INTERCONNECTION:
                feeds[row, touched] = True
            case FactKind.CALENDAR:
                holiday[row, touched] = days_off.get(fact.value, np.zeros(grid.days, bool))[touched]
            case FactKind.PHASE if touched.stop == grid.days:
                phase[row] = fact.value
            case FactKind.CHECK_OF if touched.stop == grid.days:
                check_of[row] = UUID(fact.value)
            case _:
                pass
    return PlaceDays(state, account, feeds, holiday, reading, tuple(phase), tuple(check_of))


def _days_off(grid: Grid, holidays: Mapping[str, frozenset[date]]) -> dict[str, BOOLS]:
    days = [grid.day(d) for d in range(grid.days)]
    return {name: np.array([d in dates for d in days], dtype=bool) for name, dates in holidays.items()}


def _days_of(grid: Grid, fact: Fact) -> tuple[slice, slice]:
    """Return the days that a fact touches, and those that lie wholly in it."""
    edge = grid.edge_s[grid.day_at]
    start, end = epoch_s(fact.start), (int(edge[-1]) if fact.end is None else epoch_s(fact.end))
    first, after = int(np.searchsorted(edge, start, "right")) - 1, int(np.searchsorted(edge, end, "left"))
    whole_first, whole_after = int(np.searchsorted(edge, start, "left")), int(np.searchsorted(edge, end, "right")) - 1
    touched = slice(min(max(first, 0), grid.days), min(max(after, 0), grid.days))
    if end <= edge[0] or start >= edge[-1]:
        touched = slice(0, 0)
    return touched, slice(min(whole_first, grid.days), max(min(whole_after, grid.days), 0))


def _paint_state(row: U8, state: ServiceState, touched: slice, whole: slice) -> None:
    """Write a state on its whole days; a day that it only touches is changing."""
    partly = np.zeros(len(row), bool)
    partly[touched] = True
    partly[whole] = False
    row[whole] = state
    row[partly] = ServiceState.CHANGING
