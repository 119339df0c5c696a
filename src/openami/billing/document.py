"""Bills and comparisons as plain documents: the JSON shapes that scripts rely on. Money is decimal text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from openami.billing.rating.carried_document import carried_document
from openami.billing.rating.line import BillLine, RatedBill
from openami.kernel.time import instant_from_epoch_s


def plain(value: Decimal) -> str:
    """Return a decimal as text without exponent or idle zeros, at least two places for whole cents.

    >>> plain(Decimal("9.00")), plain(Decimal("79.650000")), plain(Decimal("0.1062"))
    ('9.00', '79.65', '0.1062')
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def money(value: Decimal) -> str:
    """Return an amount with two places."""
    return format(value, ".2f")


def line_document(line: BillLine) -> dict[str, Any]:
    """Return a line as JSON values."""
    return {
        "kind": line.kind.value,
        "name": line.name,
        "period": line.period,
        "tier": line.tier,
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "price": plain(line.price),
        "exact_amount": plain(line.exact_amount),
        "amount": money(line.amount),
        "clause": line.clause,
        "days": line.days,
    }


def bill_document(bill: RatedBill, zone: ZoneInfo) -> dict[str, Any]:
    """Return a bill as JSON values: ``from`` is the first day, ``to`` the first day no longer billed."""
    found = bill.determinants
    peaks = [
        {"kw": plain(Decimal(p.watts) / 1000), "at": instant_from_epoch_s(p.start_s).astimezone(zone).isoformat()}
        for p in found.peaks.values()
    ]
    return {
        "from": bill.span.first.isoformat(),
        "to": bill.span.end.isoformat(),
        "days": bill.span.days,
        "usage_wh": found.usage_wh,
        "received_wh": found.received_wh,
        "intervals": found.intervals,
        "missing_intervals": found.missing,
        "estimated_intervals": found.estimated,
        "estimated_wh": found.estimated_wh,
        "demand_peaks": peaks,
        "demand_left_out": [
            {
                "from": instant_from_epoch_s(row.start_s).astimezone(zone).isoformat(),
                "to": instant_from_epoch_s(row.end_s).astimezone(zone).isoformat(),
                "windows": row.windows,
                "reason": "estimated" if row.is_estimated else "missing",
            }
            for row in found.left_out
        ],
        "lines": [line_document(line) for line in bill.lines],
        "exact_total": plain(bill.exact_total),
        "total": money(bill.total),
        "stamps": [{"code": s.code.value, "clause": s.clause, "words": s.words} for s in bill.stamps],
        "notices": [{"code": f.code.value, "words": f.words, "holds": f.holds} for f in bill.findings],
        "carried": carried_document(bill.carried),
    }
