"""Cut bills to be made into parts that are read together: wide enough to ask little, small enough to hold. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from openami.billing.rating.usage import BillSpan

CHUNK = 500
"""Service points of one part: 1.5 million quarter-hours of a month."""
MOST_DAYS = timedelta(days=45)
"""From the first day of a part to the end of its last: a month's bills with their short and late neighbors."""


class OfPlace(Protocol):
    """A bill to be made, of a place and days."""

    @property
    def service_point_id(self) -> UUID:
        """Where."""
        ...

    @property
    def span(self) -> BillSpan:
        """Local days."""
        ...


Row = TypeVar("Row", bound=OfPlace)


def turns(rows: Iterable[Row], most: int = CHUNK) -> list[list[list[Row]]]:
    """Return rows in turns, and each turn in parts.

    The bills of a place are in different turns, by their days: what one hands over, the next can take in. Parts of one
    turn have no place in common. A part holds at most ``most`` rows, whose days lie near each other.
    """
    of_place: dict[UUID, int] = defaultdict(int)
    found: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.span, r.service_point_id.int)):
        found[of_place[row.service_point_id]].append(row)
        of_place[row.service_point_id] += 1
    return [_parts(turn, most) for _, turn in sorted(found.items())]


def _parts(rows: Sequence[Row], most: int) -> list[list[Row]]:
    """Cut rows, which come by first day."""
    parts: list[list[Row]] = []
    end = date.min
    for row in rows:
        is_far = bool(parts) and max(end, row.span.end) - parts[-1][0].span.first > MOST_DAYS
        if not parts or len(parts[-1]) >= most or is_far:
            parts.append([])
            end = date.min
        parts[-1].append(row)
        end = max(end, row.span.end)
    return parts
