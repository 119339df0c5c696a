"""Read the export clause of a rate file of our own format."""

from __future__ import annotations

from datetime import date

from openami.billing.tariff.clause import UNKNOWN, Clause
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

_USUAL_NETTING = {
    ExportKind.NET_METERING: Netting.BILLING_PERIOD,
    ExportKind.NET_BILLING: Netting.REGISTER,
    ExportKind.BUY_ALL: Netting.REGISTER,
}
_USUAL_SURPLUS = {
    ExportKind.NET_METERING: Unused.CARRY,
    ExportKind.NET_BILLING: Unused.CARRY,
    ExportKind.BUY_ALL: Unused.PAY,
}


def read_export(row: Clause) -> ExportTerms:
    """Return the export terms of a version.

    Raises:
        TariffError: a key is unknown, a value is malformed, or the parts contradict one another.
    """
    kind = row.at("kind").word(ExportKind)
    netting = row.get("netting", lambda c: c.word(Netting), _USUAL_NETTING[kind])
    prices = tuple(_price(p) for p in row.each("prices"))
    try:
        terms = ExportTerms(
            kind=kind,
            netting=netting,
            prices=prices,
            credit=row.get("credit", lambda c: c.word(CreditUnit), CreditUnit.MONEY),
            order=row.get("order", lambda c: c.word(UseOrder), UseOrder.OLDEST_FIRST),
            reach=row.get("reach", lambda c: c.word(CreditReach), CreditReach.CHARGES),
            expires_after_months=row.get("expires_after_months", lambda c: c.whole(), None),
            expires_on=row.get("expires_on", _month_day, None),
            at_expiry=row.get("at_expiry", lambda c: c.word(Unused), Unused.FORFEIT),
            at_stop=row.get("at_stop", lambda c: c.word(Unused), Unused.FORFEIT),
            surplus=row.get("surplus", lambda c: c.word(Unused), _USUAL_SURPLUS[kind]),
            buckets=row.map_at("buckets"),
            needs_interconnection=row.get("needs_interconnection", Clause.truth, True),
            largest_w=row.get("largest_w", lambda c: c.whole(), None),
        )
    except TariffError as error:
        if not error.clause.startswith("export."):
            raise
        raise TariffError(f"{row.path}{error.clause.removeprefix('export')}", error.reason) from error
    row.close()
    return terms


def _price(row: Clause) -> ExportPrice:
    if "price" not in row.fields():
        raise row.refuse('"price" is missing; "unknown" says that it is not known')
    price = ExportPrice(
        row.get("price", lambda c: None if c.value == UNKNOWN else c.number(), None),
        row.get("from", lambda c: c.day(), None),
        row.get("period", Clause.text, ""),
        row.get("confidence", Clause.text, ""),
    )
    row.close()
    return price


def _month_day(row: Clause) -> tuple[int, int]:
    """Read ``MM-DD``."""
    try:
        found = date.fromisoformat(f"2001-{row.text()}")
    except ValueError as error:
        raise row.refuse(f"{row.text()[:20]!r} is not a day of the year; MM-DD is") from error
    return found.month, found.day
