"""Bills for tests of the ledger and of corrections: small, with the lines that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill, BillState, KeptLine, bill_id_of
from openami.billing.rating.usage import BillSpan

POINT = UUID("00000000-0000-4000-8000-000000000001")
AT = datetime(2026, 11, 10, 18, tzinfo=UTC)


def line(kind: str, amount: str, name: str = "", *, quantity: str = "1", exact: str | None = None) -> KeptLine:
    return KeptLine(
        kind, name or kind, None, None, Decimal(quantity), "kWh", Decimal(1), Decimal(exact or amount),
        Decimal(amount), {},
    )  # fmt: skip


def bill(
    lines: Sequence[KeptLine],
    *,
    point: UUID = POINT,
    first: date = date(2026, 10, 1),
    days: int = 30,
    usage_wh: int = 500_000,
    total: Decimal | None = None,
    version: int = 1,
    rate_code: str = "flat",
    estimated_wh: int = 0,
) -> Bill:
    span = BillSpan(first, first + timedelta(days=days))
    return Bill(
        bill_id_of(point, first, version), point, span, "America/Chicago", rate_code, rate_code, "USD",
        BillState.ISSUED, (version,) * days, AT, version=version, usage_wh=usage_wh, received_wh=0,
        estimated_wh=estimated_wh, exact_total=sum((x.exact_amount for x in lines), Decimal(0)),
        total=sum((x.amount for x in lines), Decimal(0)) if total is None else total, issued_at=AT,
        lines=tuple(lines),
    )  # fmt: skip
