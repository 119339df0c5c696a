"""Read the export clause of a rate file of our own format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import (
    CreditReach,
    CreditUnit,
    ExportKind,
    ExportPrice,
    ExportTerms,
    Netting,
    Unused,
    UseOrder,
)
from openami.billing.tariff.price import can_be_price

_Word = TypeVar("_Word", bound=StrEnum)
_KEYS = frozenset(
    {
        "kind", "netting", "prices", "credit", "order", "reach", "expires_after_months", "expires_on", "at_expiry",
        "at_stop", "surplus", "buckets", "needs_interconnection", "largest_w",
    }
)  # fmt: skip
_PRICE_KEYS = frozenset({"price", "from", "period", "confidence"})
_DEFAULT_NETTING = {
    ExportKind.NET_METERING: Netting.BILLING_PERIOD,
    ExportKind.NET_BILLING: Netting.REGISTER,
    ExportKind.BUY_ALL: Netting.REGISTER,
}


def read_export(clause: str, row: Mapping[str, Any]) -> ExportTerms:
    """Return the export terms of a version.

    Args:
        clause: path of the clause, for refusals.
        row: the object of the file.

    Raises:
        TariffError: a key is unknown, a value is malformed, or the parts contradict one another.
    """
    _only(clause, row, _KEYS)
    kind = _word(f"{clause}.kind", ExportKind, row.get("kind"))
    try:
        return ExportTerms(
            kind=kind,
            netting=_word(f"{clause}.netting", Netting, row.get("netting", _DEFAULT_NETTING[kind])),
            prices=tuple(_price(f"{clause}.prices[{i}]", p) for i, p in enumerate(row.get("prices", []))),
            credit=_word(f"{clause}.credit", CreditUnit, row.get("credit", CreditUnit.MONEY)),
            order=_word(f"{clause}.order", UseOrder, row.get("order", UseOrder.OLDEST_FIRST)),
            reach=_word(f"{clause}.reach", CreditReach, row.get("reach", CreditReach.CHARGES)),
            expires_after_months=_whole(f"{clause}.expires_after_months", row.get("expires_after_months")),
            expires_on=_month_day(f"{clause}.expires_on", row.get("expires_on")),
            at_expiry=_word(f"{clause}.at_expiry", Unused, row.get("at_expiry", Unused.FORFEIT)),
            at_stop=_word(f"{clause}.at_stop", Unused, row.get("at_stop", Unused.FORFEIT)),
            surplus=_word(f"{clause}.surplus", Unused, row.get("surplus", Unused.CARRY)),
            buckets={str(k): str(v) for k, v in row.get("buckets", {}).items()},
            needs_interconnection=_truth(f"{clause}.needs_interconnection", row.get("needs_interconnection", True)),
            largest_w=_whole(f"{clause}.largest_w", row.get("largest_w")),
        )
    except TariffError as error:
        if error.clause.startswith("export."):
            raise TariffError(f"{clause}{error.clause.removeprefix('export')}", error.reason) from error
        raise
    except (TypeError, AttributeError) as error:
        raise TariffError(clause, f"has another shape than the format: {str(error)[:120]}") from error


def _only(clause: str, row: Mapping[str, Any], known: frozenset[str]) -> None:
    if not isinstance(row, Mapping):
        raise TariffError(clause, "an object is needed")
    unknown = sorted(str(k)[:40] for k in set(row) - known)
    if unknown:
        raise TariffError(f"{clause}.{unknown[0]}", f"not known here; one of {sorted(known)}")


def _word(clause: str, words: type[_Word], value: object) -> _Word:
    try:
        return words(str(value))
    except ValueError as error:
        raise TariffError(clause, f"{str(value)[:40]!r} is not one of {[w.value for w in words]}") from error


def _price(clause: str, row: Mapping[str, Any]) -> ExportPrice:
    _only(clause, row, _PRICE_KEYS)
    if "price" not in row:
        raise TariffError(clause, "a price is needed; null says that it is not known")
    value, first = row["price"], row.get("from")
    try:
        price = None if value is None else Decimal(str(value))
        day = None if first is None else date.fromisoformat(str(first))
    except (InvalidOperation, ValueError) as error:
        raise TariffError(clause, "the price is decimal text and the day YYYY-MM-DD") from error
    if price is not None and not can_be_price(price):
        raise TariffError(f"{clause}.price", f"{str(value)[:20]!r} is not a price")
    return ExportPrice(price, day, str(row.get("period", "")), str(row.get("confidence", ""))[:500])


def _whole(clause: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TariffError(clause, f"{str(value)[:20]!r} is not a whole number")
    return value


def _truth(clause: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TariffError(clause, f"{str(value)[:20]!r} is neither true nor false")
    return value


def _month_day(clause: str, value: object) -> tuple[int, int] | None:
    """Read ``MM-DD``."""
    if value is None:
        return None
    try:
        found = date.fromisoformat(f"2001-{str(value)[:10]}")
    except ValueError as error:
        raise TariffError(clause, f"{str(value)[:20]!r} is not a day of the year; MM-DD is") from error
    return found.month, found.day
