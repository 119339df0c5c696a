"""The first-year ledger: both rates bill by bill, and the lower year is paid."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from openami.billing.compare.protection import Protection, ProtectionError, ShadowEntry, settlement, standing_of
from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.entry import Entry
from openami.billing.rating import BillSpan, calendar_months

YEAR = calendar_months(date(2026, 1, 1), date(2027, 1, 1))
GUARD = Protection(UUID(int=1), UUID(int=2), "smart", "anytime", date(2026, 1, 1), 12)


def entry(span: BillSpan, billed: str, shadow: str | None, version: int = 1) -> ShadowEntry:
    amount = None if shadow is None else Decimal(shadow)
    return ShadowEntry(UUID(int=span.first.toordinal() * 10 + version), version, span, Decimal(billed), amount)


def test_a_dear_month_is_paid_for_by_a_cheap_one_and_only_the_year_counts() -> None:
    rows = [entry(s, "100.00", "90.00" if n < 6 else "95.00") for n, s in enumerate(YEAR)]
    found = standing_of(GUARD, rows)
    assert (found.over, found.credit, found.settled) == (Decimal("90.00"), Decimal("90.00"), True)
    cheaper = standing_of(GUARD, [entry(s, "80.00", "90.00") for s in YEAR])
    assert (cheaper.over, cheaper.credit) == (Decimal("-120.00"), Decimal(0))


def test_nothing_is_settled_before_the_year_is_whole() -> None:
    assert not standing_of(GUARD, [entry(s, "100", "90") for s in YEAR[:11]]).settled
    assert not standing_of(GUARD, [entry(s, "100", "90") for s in (*YEAR[:5], *YEAR[6:])]).settled


def test_a_corrected_bill_replaces_its_entry_and_later_bills_do_not_count() -> None:
    late = BillSpan(date(2027, 1, 1), date(2027, 2, 1))
    rows = [entry(YEAR[0], "100", "90"), entry(YEAR[0], "70", "65", version=2), entry(late, "500", "1")]
    found = standing_of(GUARD, rows)
    assert (found.billed, found.shadow) == (Decimal(70), Decimal(65))


def test_a_bill_whose_shadow_cannot_be_told_holds_the_settlement() -> None:
    rows = [entry(s, "100", None if n == 3 else "90") for n, s in enumerate(YEAR)]
    found = standing_of(GUARD, rows)
    assert found.unpriced == (YEAR[3],)
    assert not found.settled
    assert found.over == Decimal(110)


def test_a_rate_is_no_guarantee_against_itself() -> None:
    with pytest.raises(ProtectionError):
        Protection(UUID(int=1), UUID(int=2), "smart", "smart", date(2026, 1, 1), 12)


def test_a_whole_year_that_cost_more_is_booked_back_and_nothing_else_is() -> None:
    def booked(rows: list[ShadowEntry]) -> Entry | None:
        return settlement(
            GUARD, standing_of(GUARD, rows), agreement_id=UUID(int=9), day=date(2027, 1, 5), currency="USD",
            made_at=datetime(2027, 1, 5, tzinfo=UTC),
        )  # fmt: skip

    dear = [entry(s, "100.00", "90.00") for s in YEAR]
    found = booked(dear)
    assert found is not None
    assert (found.amount_of(LedgerAccount.RECEIVABLE), found.amount_of(LedgerAccount.CREDIT)) == (
        Decimal(-120),
        Decimal(120),
    )
    again = booked(dear)
    assert again is not None
    assert again.entry_id == found.entry_id
    assert booked(dear[:11]) is None
    assert booked([entry(s, "80.00", "90.00") for s in YEAR]) is None
    assert booked([entry(s, "100.00", None if n == 3 else "90.00") for n, s in enumerate(YEAR)]) is None
