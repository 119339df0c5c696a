"""Announcements that raw rows were stored, and which local days of which places they concern. Pure.

A register read at midnight closes the day before it, so a row asks for the day of the second before it as well.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from openami.contracts.errors import ContractError
from openami.kernel.time import Period, instant_from_epoch_s, local_date, zone_named
from openami.mdm.registry.records import InstalledMeter

Spans = tuple[tuple[datetime, datetime], ...]
_BEFORE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An announcement that raw rows were stored.

    Args:
        meters: first and last instant of each piece of time of each meter; None for many meters.
        first, last: of all of them.
    """

    meters: Mapping[UUID, Spans] | None
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class DaysOfPlace:
    """Local days from first to last of one service point, both included."""

    service_point_id: UUID
    zone: str
    first: date
    last: date


def parse_arrival(octets: bytes) -> Arrival | None:
    """Read the store's announcement; None where it names no time.

    Raises:
        ContractError: it is not one.
    """
    try:
        row = json.loads(octets)
        if row["first"] is None:
            return None
        first, last = (instant_from_epoch_s(int(row[name])) for name in ("first", "last"))
        if row["many"]:
            return Arrival(None, first, last)
        # Announcements of an earlier release have no spans: there all meters share the batch's.
        spans = row.get("spans") or [[[row["first"], row["last"]]]] * len(row["meters"])
        meters = {UUID(hex=m): _instants(s) for m, s in zip(row["meters"], spans, strict=True)}
        return Arrival(meters, first, last)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ContractError(f"announcement of raw rows: {type(error).__name__}") from error


def _instants(pieces: Sequence[Sequence[int]]) -> Spans:
    return tuple((instant_from_epoch_s(int(a)), instant_from_epoch_s(int(b))) for a, b in pieces)


def by_meter(arrivals: Iterable[Arrival]) -> dict[UUID, Spans]:
    """Return the pieces of time of every meter that the arrivals name."""
    found: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    for arrival in arrivals:
        for meter, spans in (arrival.meters or {}).items():
            found[meter] += spans
    return {meter: tuple(spans) for meter, spans in found.items()}


def days_touched(
    meters: Mapping[UUID, Spans], installed: Iterable[InstalledMeter], zones: Mapping[UUID, str]
) -> list[DaysOfPlace]:
    """Return exactly the local days of the places at which meters hung when their rows were measured.

    Args:
        meters: pieces of time, see :func:`by_meter`.
        installed: installations of these meters.
        zones: of the service points.
    """
    days: dict[UUID, set[date]] = defaultdict(set)
    for one in installed:
        i = one.installation
        zone = zone_named(zones[i.service_point_id])
        for first, last in meters.get(one.meter.id, ()):
            # An interval belongs to the place that its start is in; a read at the very end closes the last one.
            begin, end = max(first - _BEFORE, i.start), last if i.end is None else min(last, i.end - _BEFORE)
            if begin <= end:
                day, until = local_date(begin, zone), local_date(end, zone)
                while day <= until:
                    days[i.service_point_id].add(day)
                    day += timedelta(days=1)
    return [DaysOfPlace(point, zones[point], a, b) for point, of_point in days.items() for a, b in runs_of(of_point)]


def runs_of(days: Iterable[date]) -> list[tuple[date, date]]:
    """Return days as runs without a hole, both ends included.

    >>> runs_of([date(2026, 3, 2), date(2026, 3, 1), date(2026, 3, 9)])
    [(datetime.date(2026, 3, 1), datetime.date(2026, 3, 2)), (datetime.date(2026, 3, 9), datetime.date(2026, 3, 9))]
    """
    ordered = sorted(set(days))
    if not ordered:
        return []
    heads = [ordered[0], *(b for a, b in pairwise(ordered) if b - a > timedelta(days=1))]
    tails = [*(a for a, b in pairwise(ordered) if b - a > timedelta(days=1)), ordered[-1]]
    return list(zip(heads, tails, strict=True))


def span_of(meters: Mapping[UUID, Spans], until: datetime) -> Period:
    """Return a period that holds every piece of time, and the second before it."""
    first = min(a for spans in meters.values() for a, _ in spans) - _BEFORE
    return Period(first, max(until, first + timedelta(days=1)))
