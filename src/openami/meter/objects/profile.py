"""Profile generic: a table of rows sorted by clock, read whole, by range of the clock, or by entry.

A table holds one clock and whole numbers, as columns; only what is asked for becomes values. Source: IEC 62056-6-2,
4.3.6 (profile generic, selective access: both ends of a range are included).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.kernel.obis import Obis
from openami.kernel.time import EPOCH
from openami.meter.objects.model import READERS, Attribute, CosemObject, cosem_object
from openami.meter.objects.shapes import moment
from openami.meter.objects.values import capture_value, clock_value, enum
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.axdr import Data, Tag, array, structure, u32
from openami.protocol.cosem.reference import (
    ENTRY_SELECTOR,
    RANGE_SELECTOR,
    CaptureObject,
    DataAccessResult,
    EntrySelection,
    RangeSelection,
    Selection,
)

I64 = npt.NDArray[np.int64]
CLOCK = CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2)
SORTED_SMALLEST = 4
"""Sort method: the smallest value of the sort object comes first."""
_HUNDREDTH = timedelta(milliseconds=10)


def hundredths(instant: datetime) -> int:
    """Return hundredths of a second since the epoch, rounded down: what a COSEM date-time can say."""
    return (instant - EPOCH) // _HUNDREDTH


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of a profile.

    Args:
        at_cs: (n,) int64 clock, hundredths of a second since the epoch, UTC, not falling.
        columns: (n,) int64 each, the other columns in the order of the capture objects.
    """

    at_cs: I64
    columns: tuple[I64, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.at_cs)

    def part(self, first: int, last: int) -> Table:
        """Return rows first (included) to last (excluded)."""
        return Table(self.at_cs[first:last], tuple(c[first:last] for c in self.columns))


def table_of(rows: Sequence[tuple[int, ...]], columns: int) -> Table:
    """Return a table of rows (clock first), sorted by clock."""
    matrix = np.array(rows, dtype=np.int64).reshape(-1, columns + 1)
    matrix = matrix[np.argsort(matrix[:, 0], kind="stable")]
    return Table(matrix[:, 0], tuple(matrix[:, k + 1] for k in range(columns)))


@dataclass(frozen=True, slots=True)
class Column:
    """One column beside the clock: what is captured, and the type of its numbers."""

    captured: CaptureObject
    tag: Tag


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile's shape and where its rows come from.

    Args:
        instance: logical name.
        columns: columns after the clock.
        period_s: capture period; 0 where rows come by events.
        capacity: most rows that it keeps.
        rows: gives the rows of now.
        zone: zone of a range given without deviation.
    """

    instance: str
    columns: tuple[Column, ...]
    period_s: int
    capacity: int
    rows: Callable[[], Table]
    zone: ZoneInfo

    @property
    def captured(self) -> tuple[CaptureObject, ...]:
        """All columns, the clock first."""
        return (CLOCK, *(c.captured for c in self.columns))

    def select(self, selection: Selection) -> Data:
        """Return the rows and columns of a selection.

        Raises:
            AccessRefusedError: a selection that this profile does not have, or that names what is not in it.
        """
        match selection:
            case RangeSelection():
                return self._range(selection)
            case EntrySelection():
                return self._entries(selection)
        raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)

    def whole(self) -> Data:
        """Return all rows."""
        return self._values(self.rows(), range(len(self.columns) + 1))

    def _range(self, selection: RangeSelection) -> Data:
        if selection.restricting != CLOCK:
            raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        low = hundredths(moment(selection.from_value, self.zone))
        high = hundredths(moment(selection.to_value, self.zone))
        places = range(len(self.columns) + 1)
        if selection.columns:
            captured = self.captured
            if len(selection.columns) > len(captured) or not set(selection.columns) <= set(captured):
                raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
            places_asked = [captured.index(c) for c in selection.columns]
        else:
            places_asked = list(places)
        rows = self.rows()
        first = int(np.searchsorted(rows.at_cs, low, side="left"))
        last = int(np.searchsorted(rows.at_cs, high, side="right"))
        return self._values(rows.part(first, max(first, last)), places_asked)

    def _entries(self, selection: EntrySelection) -> Data:
        count = len(self.columns) + 1
        last_column = selection.last_column or count
        if selection.first_row < 1 or not 1 <= selection.first_column <= last_column <= count:
            raise AccessRefusedError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        rows = self.rows()
        last = min(selection.last_row, len(rows)) if selection.last_row else len(rows)
        first = min(selection.first_row - 1, last)
        return self._values(rows.part(first, last), range(selection.first_column - 1, last_column))

    def _values(self, rows: Table, places: range | list[int]) -> Data:
        columns = [self._column(rows, place) for place in places]
        return array(*(structure(*row) for row in zip(*columns, strict=True)))

    def _column(self, rows: Table, place: int) -> list[Data]:
        if place == 0:
            return [clock_value(EPOCH + at * _HUNDREDTH) for at in rows.at_cs.tolist()]
        tag = self.columns[place - 1].tag
        return [Data(tag, value) for value in rows.columns[place - 1].tolist()]


def profile_object(profile: Profile) -> CosemObject:
    """Return a profile (class 7). It has no methods here: what was measured is not erased from afar."""
    captured = array(*(capture_value(c) for c in profile.captured))
    return cosem_object(
        7, 1, profile.instance,
        [
            Attribute(2, profile.whole, READERS, select=profile.select, selectors=(RANGE_SELECTOR, ENTRY_SELECTOR)),
            Attribute(3, lambda: captured, READERS),
            Attribute(4, lambda: u32(profile.period_s), READERS),
            Attribute(5, lambda: enum(SORTED_SMALLEST), READERS),
            Attribute(6, lambda: capture_value(CLOCK), READERS),
            Attribute(7, lambda: u32(len(profile.rows())), READERS),
            Attribute(8, lambda: u32(profile.capacity), READERS),
        ],
    )  # fmt: skip
