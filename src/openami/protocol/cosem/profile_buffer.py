"""The rows of a profile buffer, with what was left out to save octets put back, and left out again.

In a buffer null-data stands for "as in the row before" (in the clock's column: the row before and one capture period),
and a delta type for "that much more than in the row before". A column keeps its place whatever stands in it.
Knows no registers, units or zones. Source: IEC 62056-6-2, 4.3.6 (``buffer``) and 4.1.5 (null-data and delta types).
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from openami.protocol.axdr import CompactArray, Data, Tag, array, null, structure
from openami.protocol.axdr.types import FIXED, INTEGERS
from openami.protocol.cosem.datetime import DATE_TIME_OCTETS, UNSPECIFIED, CosemDateTime, decode_date_time
from openami.protocol.cosem.reference import CaptureObject
from openami.protocol.errors import PeerError, UsageError

Row: TypeAlias = tuple[Data, ...]

CLOCK_CLASS = 8
TIME_ATTRIBUTE = 2
DELTAS = frozenset(
    {
        Tag.DELTA_INTEGER,
        Tag.DELTA_LONG,
        Tag.DELTA_DOUBLE_LONG,
        Tag.DELTA_UNSIGNED,
        Tag.DELTA_LONG_UNSIGNED,
        Tag.DELTA_DOUBLE_LONG_UNSIGNED,
    }
)
_COUNTED = INTEGERS - DELTAS - {Tag.ENUM, Tag.BCD}
"""Types that a delta can be added to."""
_SHORTEST_FIRST = (
    Tag.DELTA_UNSIGNED,
    Tag.DELTA_INTEGER,
    Tag.DELTA_LONG_UNSIGNED,
    Tag.DELTA_LONG,
    Tag.DELTA_DOUBLE_LONG_UNSIGNED,
    Tag.DELTA_DOUBLE_LONG,
)


def clock_column_of(columns: Sequence[CaptureObject]) -> int | None:
    """Return which column is the clock's; None where no clock is captured."""
    stamps = (i for i, c in enumerate(columns) if (c.class_id, c.attribute) == (CLOCK_CLASS, TIME_ATTRIBUTE))
    return next(stamps, None)


def expand_rows(buffer: Data, *, clock_column: int | None = 0, capture_period_s: int = 0) -> tuple[Row, ...]:
    """Return the rows in full. What has nothing before it in its column stays null-data.

    Args:
        buffer: an array, or a compact array, of structures.
        clock_column: the column that steps by the capture period; None where there is none.
        capture_period_s: seconds between rows; 0 where rows are not captured by time, then the clock stands still.

    Raises:
        PeerError: no such buffer, rows of different lengths, or a delta with nothing to add to.
    """
    rows: list[Row] = []
    for number, element in enumerate(_elements(buffer)):
        if element.tag is not Tag.STRUCTURE:
            raise PeerError("bad_row", f"row {number} of a profile is no structure", 0)
        columns = element.elements
        if not rows:
            rows.append(tuple(_first(value, number) for value in columns))
            continue
        before = rows[-1]
        if len(columns) != len(before):
            text = f"row {number} of a profile has {len(columns)} columns, the row before it {len(before)}"
            raise PeerError("uneven", text, 0)
        rows.append(
            tuple(
                _full(value, known, capture_period_s if place == clock_column else 0)
                for place, (value, known) in enumerate(zip(columns, before, strict=True))
            )
        )
    return tuple(rows)


def compress_rows(
    rows: Sequence[Row], *, clock_column: int | None = 0, capture_period_s: int = 0, with_deltas: bool = False
) -> Data:
    """Return the array that :func:`expand_rows` makes the same rows of.

    Args:
        rows: rows in full, of one length.
        clock_column: as there.
        capture_period_s: as there.
        with_deltas: write a number as its difference where that is shorter (the client must have agreed to it).

    Raises:
        UsageError: rows of different lengths, or a missing value after a known one, which cannot be said.
    """
    if not rows:
        return array()
    written = [structure(*rows[0])]
    for before, row in itertools.pairwise(rows):
        if len(row) != len(before):
            raise UsageError("the rows of a profile have one length")
        written.append(
            structure(
                *(
                    _short(value, known, capture_period_s if place == clock_column else 0, with_deltas=with_deltas)
                    for place, (value, known) in enumerate(zip(row, before, strict=True))
                )
            )
        )
    return array(*written)


def _elements(buffer: Data) -> tuple[Data, ...]:
    if isinstance(buffer.value, CompactArray):
        return buffer.value.elements
    if buffer.tag is not Tag.ARRAY:
        raise PeerError("bad_buffer", f"{buffer.tag.name} where a profile's rows should stand", 0)
    return buffer.elements


def _first(value: Data, number: int) -> Data:
    if value.tag in DELTAS:
        raise PeerError("bad_delta", f"a difference in row {number}, and no row before it", 0)
    return value


def _full(value: Data, before: Data, step_s: int) -> Data:
    """Return a value in full, from what stands in the row before."""
    if value.tag is Tag.NULL:
        return _stepped(before, step_s) if step_s else before
    if value.tag not in DELTAS:
        return value
    difference, base = value.integer, before.integer
    if before.tag not in _COUNTED or difference is None or base is None:
        raise PeerError("bad_delta", f"a difference to {before.tag.name}", 0)
    total = base + difference
    if not _fits(before.tag, total):
        raise PeerError("bad_delta", f"a difference beyond what {before.tag.name} holds", 0)
    return Data(before.tag, total)


def _fits(tag: Tag, number: int) -> bool:
    try:
        FIXED[tag].pack(number)
    except (struct.error, OverflowError):
        return False
    return True


def _stepped(before: Data, step_s: int) -> Data:
    """Return the clock one step on; a clock that counts seconds counts on.

    Raises:
        PeerError: a clock that names no moment.
    """
    octets = before.octets
    if octets is not None and len(octets) == DATE_TIME_OCTETS:
        return Data(before.tag, _later(decode_date_time(octets), step_s).encode())
    seconds = before.integer
    if seconds is not None and before.tag in _COUNTED and _fits(before.tag, seconds + step_s):
        return Data(before.tag, seconds + step_s)
    if before.tag is Tag.NULL:
        return before
    raise PeerError("bad_date_time", f"{before.tag.name} where a profile's clock should stand", 0)


def _later(clock: CosemDateTime, step_s: int) -> CosemDateTime:
    # The deviation stays: the instant is right even where daylight saving began in between.
    try:
        moved = clock.local() + timedelta(seconds=step_s)
    except OverflowError:
        raise PeerError("bad_date_time", "a date-time at the edge of the calendar", 0) from None
    return replace(
        clock,
        year=moved.year,
        month=moved.month,
        day=moved.day,
        weekday=UNSPECIFIED if clock.weekday == UNSPECIFIED else moved.isoweekday(),
        hour=moved.hour,
        minute=moved.minute,
        second=UNSPECIFIED if clock.second == UNSPECIFIED and moved.second == 0 else moved.second,
    )


def _short(value: Data, before: Data, step_s: int, *, with_deltas: bool) -> Data:
    if value.tag is Tag.NULL and before.tag is not Tag.NULL:
        raise UsageError("a missing value after a known one cannot be told from a repeated one")
    if value == _expected(before, step_s):
        return null()
    return _difference(value, before) if with_deltas else value


def _expected(before: Data, step_s: int) -> Data | None:
    """Return what null-data would say; None where it would say nothing."""
    try:
        return _full(null(), before, step_s)
    except PeerError:
        return None


def _difference(value: Data, before: Data) -> Data:
    """Return the shortest difference, or the value where none is shorter."""
    number, base = value.integer, before.integer
    if value.tag is not before.tag or value.tag not in _COUNTED or number is None or base is None:
        return value
    fitting = (t for t in _SHORTEST_FIRST if _fits(t, number - base))
    tag = next(fitting, None)
    if tag is None or FIXED[tag].size >= FIXED[value.tag].size:
        return value
    return Data(tag, number - base)
