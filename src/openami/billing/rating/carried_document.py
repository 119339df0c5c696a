"""Carried state as a plain document: JSON values, money and dates as text, so that it reads the same for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from openami.billing.rating.carried import ANY_BUCKET, BankedCredit, Carried, MonthPeak, YearToDate
from openami.billing.rating.errors import UsageError

MOST_ROWS = 10_000
"""Far more credits or peaks than a customer can have: 24 buckets of 36 months are under 1,000."""

MOST_PLACES = 20
"""Of an amount: exact ones have a dozen, and each is written out in full."""


def carried_document(carried: Carried) -> dict[str, Any]:
    """Return carried state as JSON values.

    >>> carried_document(Carried(remainder_wh=412))["remainder_wh"]
    412
    """
    year = carried.year_to_date
    return {
        "bank": [
            {
                "month": c.month.isoformat(),
                "earned_on": c.earned_on.isoformat(),
                "bucket": c.bucket,
                "wh": c.wh,
                "amount": format(c.amount, "f"),
            }
            for c in carried.bank
        ],
        "peaks": [
            {"month": p.month.isoformat(), "charge": p.charge, "period": p.period, "w": p.watts, "start_s": p.start_s}
            for p in carried.peaks
        ],
        "remainder_wh": carried.remainder_wh,
        "received_remainder_wh": carried.received_remainder_wh,
        "year_to_date": {
            "first": None if year.first is None else year.first.isoformat(),
            "days": year.days,
            "delivered_wh": year.delivered_wh,
            "charged": format(year.charged, "f"),
            "minimum": format(year.minimum, "f"),
        },
    }


def parse_carried(document: object) -> Carried:
    """Return the carried state of a document; what it leaves out is neutral.

    Raises:
        UsageError: a value has another shape, with the place of it.
    """
    row = _mapping("carried", document)
    year = _mapping("carried.year_to_date", row.get("year_to_date", {}))
    first = year.get("first")
    return Carried(
        bank=tuple(_credit(f"carried.bank[{i}]", c) for i, c in enumerate(_rows("carried.bank", row.get("bank", [])))),
        peaks=tuple(
            _peak(f"carried.peaks[{i}]", p) for i, p in enumerate(_rows("carried.peaks", row.get("peaks", [])))
        ),
        remainder_wh=_whole("carried.remainder_wh", row.get("remainder_wh", 0)),
        received_remainder_wh=_whole("carried.received_remainder_wh", row.get("received_remainder_wh", 0)),
        year_to_date=YearToDate(
            None if first is None else _day("carried.year_to_date.first", first),
            _whole("carried.year_to_date.days", year.get("days", 0)),
            _whole("carried.year_to_date.delivered_wh", year.get("delivered_wh", 0)),
            _money("carried.year_to_date.charged", year.get("charged", "0")),
            _money("carried.year_to_date.minimum", year.get("minimum", "0")),
        ),
    )


def _credit(place: str, value: object) -> BankedCredit:
    row = _mapping(place, value)
    found = BankedCredit(
        _day(f"{place}.month", row.get("month")),
        _day(f"{place}.earned_on", row.get("earned_on")),
        str(row.get("bucket", ANY_BUCKET))[:200],
        _whole(f"{place}.wh", row.get("wh", 0)),
        _money(f"{place}.amount", row.get("amount", "0")),
    )
    if found.wh < 0 or found.amount < 0:
        raise UsageError(f"{place}: a credit is not negative")
    if found.wh and found.amount:
        raise UsageError(f"{place}: a credit is energy or money, not both")
    return found


def _peak(place: str, value: object) -> MonthPeak:
    row = _mapping(place, value)
    return MonthPeak(
        _day(f"{place}.month", row.get("month")),
        str(row.get("charge", ""))[:200],
        str(row.get("period", ""))[:200],
        _whole(f"{place}.w", row.get("w")),
        _whole(f"{place}.start_s", row.get("start_s", 0)),
    )


def _mapping(place: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{place}: an object is needed")
    return cast("Mapping[str, object]", value)


def _rows(place: str, value: object) -> Sequence[object]:
    if not isinstance(value, list) or len(value) > MOST_ROWS:
        raise UsageError(f"{place}: a list of at most {MOST_ROWS} is needed")
    return cast("Sequence[object]", value)


def _whole(place: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise UsageError(f"{place}: a whole number is needed")
    return value


def _day(place: str, value: object) -> date:
    try:
        return date.fromisoformat(str(value)[:20])
    except ValueError as error:
        raise UsageError(f"{place}: {str(value)[:20]!r} is not a date; YYYY-MM-DD is") from error


def _money(place: str, value: object) -> Decimal:
    try:
        found = Decimal(str(value)[:40])
    except InvalidOperation as error:
        raise UsageError(f"{place}: {str(value)[:20]!r} is not an amount") from error
    exponent = found.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MOST_PLACES or found.adjusted() > 12:
        raise UsageError(f"{place}: {str(value)[:20]!r} is not an amount")
    return found
