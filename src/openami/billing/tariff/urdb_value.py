"""Values of a URDB record: numbers, dates, price structures and month-by-hour tables, or a refusal by their clause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.price import Block, can_be_price

MAX_PERIODS = 64
MAX_BLOCKS = 32
FIRST_YEAR = 1990
"""Records hold years such as 0015: no rate in force is older, and no such day is meant."""

Row = tuple[int, ...]


def is_present(value: object) -> bool:
    """Tell whether a field says something: URDB fills lists of zeros by default."""
    if isinstance(value, list):
        return any(is_present(v) for v in value)
    if isinstance(value, dict):
        return any(is_present(v) for v in value.values())
    return bool(value)


def read_number(clause: str, value: object) -> Decimal:
    """Return a number that a price can be.

    Raises:
        TariffError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TariffError(clause, f"{str(value)[:40]!r} is not a number")
    number = Decimal(value)
    if not can_be_price(number):
        raise TariffError(clause, "the number is outside what a price can be")
    return number


def read_structure(document: Mapping[str, Any], clause: str) -> tuple[tuple[Block, ...], ...]:
    """Return the blocks of each period.

    Raises:
        TariffError: a period or block is missing or has no price.
    """
    periods = document.get(clause)
    if not isinstance(periods, list) or not 0 < len(periods) <= MAX_PERIODS:
        raise TariffError(clause, f"a list of 1 to {MAX_PERIODS} periods is needed")
    return tuple(_blocks(f"{clause}[{p}]", blocks) for p, blocks in enumerate(periods))


def _blocks(clause: str, blocks: object) -> tuple[Block, ...]:
    if not isinstance(blocks, list) or not 0 < len(blocks) <= MAX_BLOCKS:
        raise TariffError(clause, f"a list of 1 to {MAX_BLOCKS} blocks is needed")
    found = []
    for index, block in enumerate(blocks):
        here = f"{clause}[{index}]"
        if not isinstance(block, dict) or ("rate" not in block and "adj" not in block):
            raise TariffError(here, "a block without a price")
        price = read_number(f"{here}.rate", block.get("rate", 0)) + read_number(f"{here}.adj", block.get("adj", 0))
        last = index == len(blocks) - 1
        edge = None if last or block.get("max") is None else read_number(f"{here}.max", block["max"])
        found.append(Block(price, edge))
    return tuple(found)


def read_schedule(document: Mapping[str, Any], clause: str, periods: int) -> tuple[Row, ...]:
    """Return a table of 12 months of 24 hours.

    Raises:
        TariffError: it has another shape, or points past the prices.
    """
    rows = document.get(clause)
    if not isinstance(rows, list) or len(rows) != 12 or any(not isinstance(r, list) or len(r) != 24 for r in rows):
        raise TariffError(clause, "12 months of 24 hours are needed")
    for month, row in enumerate(rows):
        for hour, period in enumerate(row):
            if not isinstance(period, int) or isinstance(period, bool) or not 0 <= period < periods:
                raise TariffError(f"{clause}[{month}][{hour}]", f"{str(period)[:20]} has no price; there are {periods}")
    return tuple(tuple(r) for r in rows)


def as_whole(value: object) -> object:
    """Old records write months as 0.0."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def read_date(document: Mapping[str, Any], clause: str) -> date | None:
    """Return a day, from seconds since the epoch or text; None where there is none.

    Raises:
        TariffError: it is no day of a rate.
    """
    value = document.get(clause)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, (int, Decimal)):
            found = datetime.fromtimestamp(int(value), UTC).date()
        else:
            found = date.fromisoformat(str(value)[:10])
    except (ValueError, OverflowError, OSError) as error:
        raise TariffError(clause, f"{str(value)[:20]!r} is not a date; YYYY-MM-DD is") from error
    if found.year < FIRST_YEAR:
        raise TariffError(clause, f"{found} is before {FIRST_YEAR}: a year of two digits was read as it stands")
    return found
