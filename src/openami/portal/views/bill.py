"""Bills as the customer reads them; every line keeps what it was computed from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View
from openami.portal.views.own_read import EstimateNoticeView, TrueUpView


class BillSummaryView(View):
    """One bill in the list."""

    bill_id: UUID
    period_from: int
    period_to: int = Field(description="Exclusive, epoch s.")
    rate_name: str
    state: str = Field(examples=["issued", "held", "superseded"])
    usage_wh: int | None
    total: str | None
    currency: str
    issued_at: int | None
    hold_reason: str | None = None


class BillsView(View):
    """All bills of one service point, newest first."""

    service_point_id: UUID
    bills: list[BillSummaryView]
    true_ups: list[TrueUpView] = Field(default=[], description="Periods settled by actual reads, newest first.")
    notices: list[EstimateNoticeView] = Field(default=[], description="Given with estimated bills, newest first.")


class BillLineView(View):
    """One line: exact and rounded, with its evidence."""

    kind: str = Field(examples=["energy", "fixed", "minimum"])
    name: str
    period: str | None
    tier: int | None
    quantity: str
    unit: str
    price: str
    exact_amount: str
    amount: str
    evidence: dict[str, Any]


class BillView(BillSummaryView):
    """A whole bill."""

    service_point_id: UUID
    begin_register_wh: int | None
    end_register_wh: int | None
    exact_total: str | None
    estimated_share: float | None
    supersedes: UUID | None
    lines: list[BillLineView]


class MadeAgainView(View):
    """A bill made again from what was known when it was made."""

    bill_id: UUID
    differences: list[str] = Field(description="Each part that is not as kept, in words; none if all is the same.")
    same_document: bool = Field(description="Whether both give one PDF, byte for byte.")
