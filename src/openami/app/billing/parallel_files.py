"""Our side of another system's bills, from files alone: rates, intervals by service point, and who was on what.

``--places`` is CSV: ``service_point,rate,from,to`` and, where they are known, ``multiplier,begin_wh,end_wh,
capacity_wh,revenue_month,municipality``. The intervals' column ``meter`` names the service point.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from openami.billing.parallel.ours import OurRead, OurSide
from openami.billing.parallel.theirs import ParallelFileError, span_of, text_of
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.model import RateSchedule

NEEDED = ("service_point", "rate", "from", "to")
OPTIONAL = ("multiplier", "begin_wh", "end_wh", "capacity_wh", "revenue_month", "municipality")


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One service point of the cycle, as we would bill it."""

    service_point: str
    rate: str
    span: BillSpan
    multiplier: int = 1
    begin_wh: int | None = None
    end_wh: int | None = None
    capacity_wh: int | None = None
    revenue_month: date | None = None
    municipality: str = ""


def parse_places(octets: bytes) -> list[PlaceRow]:
    """Return the rows of a file of places.

    Raises:
        ParallelFileError: it cannot be taken; the text names the line.
    """
    try:
        rows = csv.DictReader(io.StringIO(text_of(octets), newline=""))
        header = [f.strip() for f in rows.fieldnames or ()]
    except csv.Error as error:
        raise ParallelFileError(1, "places: not a CSV file in UTF-8") from error
    unknown = [h[:20] for h in header if h not in (*NEEDED, *OPTIONAL)]
    missing = [n for n in NEEDED if n not in header]
    if unknown or missing:
        raise ParallelFileError(1, f"places: columns missing {missing}, not known {unknown}")
    found: dict[str, PlaceRow] = {}
    try:
        for number, row in enumerate(rows, start=2):
            one = _row({k: (v or "").strip() for k, v in row.items() if k}, number)
            if one.service_point in found:
                raise ParallelFileError(number, f"places: {one.service_point[:40]} stands twice")
            found[one.service_point] = one
    except csv.Error as error:
        raise ParallelFileError(rows.line_num, f"places: not CSV: {str(error)[:80]}") from error
    return list(found.values())


def _row(cells: Mapping[str, str], line: int) -> PlaceRow:
    span = span_of(cells, line)
    try:
        month = date.fromisoformat(cells["revenue_month"]) if cells.get("revenue_month") else None
    except ValueError as error:
        raise ParallelFileError(line, "places: revenue_month is a day YYYY-MM-DD") from error
    numbers = {n: _whole(cells.get(n, ""), n, line) for n in ("multiplier", "begin_wh", "end_wh", "capacity_wh")}
    if not cells["service_point"] or not cells["rate"]:
        raise ParallelFileError(line, "places: service_point and rate must be named")
    return PlaceRow(
        cells["service_point"], cells["rate"], span, numbers["multiplier"] or 1, numbers["begin_wh"],
        numbers["end_wh"], numbers["capacity_wh"], month, cells.get("municipality", ""),
    )  # fmt: skip


def _whole(text: str, name: str, line: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise ParallelFileError(line, f"places: {name} {text[:20]!r} is no whole number")
    return int(text)


def sides_of(
    places: list[PlaceRow], usage: Mapping[str, Usage], rates: Mapping[str, RateSchedule], zone: ZoneInfo
) -> dict[str, OurSide]:
    """Return our side of each place; one without intervals, or on a rate that is not there, says why it is held."""
    found = {}
    for place in places:
        schedule, own = rates.get(place.rate), usage.get(place.service_point)
        held = "" if schedule is not None else f"the rate {place.rate} is not among the rate files"
        held = held if own is not None else "the interval file has no such meter"
        any_rate, any_usage = schedule or next(iter(rates.values())), own or next(iter(usage.values()))
        found[place.service_point] = OurSide(
            any_rate, place.span, any_usage, zone, BillTerms(place.revenue_month, place.municipality),
            multiplier=place.multiplier, begin=None if place.begin_wh is None else OurRead(place.begin_wh),
            end=None if place.end_wh is None else OurRead(place.end_wh), capacity_wh=place.capacity_wh, held=held,
        )  # fmt: skip
    return found
