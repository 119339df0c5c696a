"""Revenue that is earned at a month's end and not billed by then: an estimate, taken back on the next day. Pure.

Energy of the days since the last bill is known from validated readings, to the Wh. What it will be charged is not, for
blocks, demand and minimums look at whole bills: each Wh counts for what a Wh of the same place came to on its last
bill, each day for what a day of its fixed charges came to. A place without a bill counts as the mean of its rate. Taxes
are owed to others and are no revenue.

An estimate is never refined: the next month's bills hold the energy, and the entry is reversed before they do.

Source: common practice of accrual by billed price ("unbilled revenue", FERC account 173); own derivation of the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import Entry, EntryKind, Posting, entry_id_of
from openami.kernel.money import rounded_to_cent

_BY_DAY = frozenset({"fixed", "minimum"})
_NO_REVENUE = frozenset({"tax"})


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a Wh and a day of a place come to, by bills that are out.

    Args:
        by_wh: money of lines that follow energy or demand, over energy; per Wh.
        by_day: money of fixed and minimum charges, over days.
        from_bills: how many bills it is the mean of; 1 for a place's own.
    """

    by_wh: Decimal
    by_day: Decimal
    from_bills: int = 1


@dataclass(frozen=True, slots=True)
class OpenUsage:
    """What a place used since its last bill.

    Args:
        agreement_id, service_point_id, rate_code: whose, where, on which rate.
        days: local days since the last bill to the month's end, both counted.
        wh: delivered on them.
        days_missing: of the days, those without validated readings; they count in ``days`` and not in ``wh``.
        currency: of the rate.
    """

    agreement_id: UUID
    service_point_id: UUID
    rate_code: str
    days: int
    wh: int
    days_missing: int = 0
    currency: str = "USD"


def yardstick_of(bills: Sequence[Bill]) -> Yardstick | None:
    """Return what a Wh and a day come to by these bills with their lines; None where none was issued."""
    issued = [b for b in bills if b.total is not None]
    if not issued:
        return None
    days, wh = sum(b.span.days for b in issued), sum(b.usage_wh or 0 for b in issued)
    lines = [line for b in issued for line in b.lines if line.kind not in _NO_REVENUE]
    by_day = sum((line.exact_amount for line in lines if line.kind in _BY_DAY), Decimal(0))
    by_wh = sum((line.exact_amount for line in lines if line.kind not in _BY_DAY), Decimal(0))
    return Yardstick(by_wh / wh if wh else Decimal(0), by_day / days, len(issued))


def rate_yardsticks(bills: Iterable[Bill]) -> dict[str, Yardstick]:
    """Return the mean of each rate's bills: for places that have none of their own yet."""
    of_rate: dict[str, list[Bill]] = {}
    for bill in bills:
        of_rate.setdefault(bill.own_rate_code, []).append(bill)
    found = {code: yardstick_of(some) for code, some in of_rate.items()}
    return {code: one for code, one in found.items() if one is not None}


def unbilled_entry(
    usage: OpenUsage,
    own: Yardstick | None,
    of_rate: Mapping[str, Yardstick],
    *,
    month_end: date,
    made_at: datetime,
) -> Entry | None:
    """Return the accrual of a place at a month's end; None where nothing was used, or nothing says what it comes to.

    Args:
        usage: since the last bill. Days without readings count as the mean of those with.
        own: of the place's last bill, or None.
        of_rate: means by rate.
        month_end: the last day of the month: the accounting day.
        made_at: domain time.
    """
    stick = own or of_rate.get(usage.rate_code)
    if stick is None or not usage.days:
        return None
    measured = usage.days - usage.days_missing
    wh = Decimal(usage.wh) * usage.days / measured if measured else Decimal(0)
    amount = rounded_to_cent(wh * stick.by_wh + usage.days * stick.by_day)
    if not amount:
        return None
    evidence: dict[str, str | int | None] = {
        "wh": usage.wh, "days": usage.days, "days_without_readings": usage.days_missing,
        "per_kwh": str(round(stick.by_wh * 1000, 6)), "per_day": str(round(stick.by_day, 6)), "bills": stick.from_bills,
    }  # fmt: skip
    return Entry(
        entry_id_of(EntryKind.UNBILLED, f"{usage.agreement_id}/{month_end.isoformat()}"), EntryKind.UNBILLED,
        usage.agreement_id, usage.service_point_id, month_end, usage.currency,
        (Posting(LedgerAccount.UNBILLED, amount), Posting(LedgerAccount.UNBILLED_REVENUE, -amount)), made_at,
        evidence=evidence,
    )  # fmt: skip
