"""Terms of a file checked before a bill is made with them: shapes, sizes and instants. Pure.

The terms that the platform keeps are its own; those of a file are whatever somebody wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from openami.billing.rating.terms import BillTerms
from openami.billing.tariff.clause import is_plain
from openami.billing.tariff.price import can_be_price

MOST_TEXT = 200
LARGEST_W = 10**9
LONGEST_PRICE_S = 366 * 86_400
YEARS = range(1971, 2200)


def fault_of(terms: BillTerms) -> str:
    """Return the first thing that terms cannot say, in words; empty where they are sound."""
    return next(_faults(terms), "")


# What a file holds has any type, whatever the annotations of the values say.
def _faults(terms: Any) -> Iterator[str]:
    if not isinstance(terms.is_final, bool):
        yield "is_final is true or false"
    if not isinstance(terms.attributes, Mapping):
        yield "attributes are an object of texts"
        return
    names = [e.signal for e in terms.events] + [p.signal for p in terms.prices]
    places = [terms.municipality, *(a.municipality for a in terms.annexed)]
    texts = [terms.instead_of, *places, *names, *(t for pair in terms.attributes.items() for t in pair)]
    if not all(isinstance(t, str) and len(t) <= MOST_TEXT and is_plain(t) for t in texts):
        yield f"names, places and attributes are texts of up to {MOST_TEXT} letters"
    firsts = [a.first for a in terms.annexed]
    if firsts != sorted(set(firsts)):
        yield "the days on which the municipality changes rise"
    if not all(type(a.capacity_w) is int and 0 <= a.capacity_w <= LARGEST_W for a in terms.approved_w):
        yield f"an approved capacity is a whole number of watts, 0 to {LARGEST_W:,}"
    if not can_be_price(terms.most_left_out) or not 0 <= terms.most_left_out <= 1:
        yield "most_left_out is a share from 0 to 1"
    yield from _price_faults(terms)
    instants = [*terms.coincident, *(i for e in terms.events for i in (e.start, e.end))]
    if not all(_is_instant(i) for i in instants):
        yield "an instant has a zone and a year of our time"


def _price_faults(terms: Any) -> Iterator[str]:
    for series in terms.prices:
        length = series.interval_s
        if type(length) is not int or length > LONGEST_PRICE_S:
            yield "a price holds for whole seconds, a year at most"
        elif not _is_instant(series.start) or length * len(series.prices) > 100 * LONGEST_PRICE_S:
            yield "prices begin and end in years of our time"
        if not all(isinstance(p, Decimal) and can_be_price(p) for p in series.prices):
            yield "a price is a decimal of a size that prices have"


def _is_instant(at: datetime) -> bool:
    return at.tzinfo is not None and at.year in YEARS
