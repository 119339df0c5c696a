"""Rates side by side on a customer's own intervals, what would have to be true, and the wish for another rate."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import ConfigDict, Field

from openami.portal.views.base import View


class AdviceName(StrEnum):
    """What is advised."""

    STAY = "stay"
    CHANGE = "change"
    CHEAPEST = "cheapest"
    NONE = "none"


class LeverName(StrEnum):
    """What would have to change."""

    NONE = "none"
    SHIFT = "shift"
    CAP = "cap"


class MoneyRangeView(View):
    """A year's amount; both ends are equal where all twelve months were seen."""

    low: str
    high: str


class RateAdviceView(View):
    """Which rate to be on."""

    kind: AdviceName
    rate_code: str | None
    rate_name: str | None
    saving: str = Field(description="Against the present rate over the days compared, decimal text.")
    year: MoneyRangeView | None = Field(description="Between what and what the best other rate would save in a year.")
    noise: str = Field(description="A saving below this over the days compared is not advice.")
    reason: str


class CostPartView(View):
    """One part of a rate's cost."""

    kind: str = Field(examples=["energy", "demand", "fixed", "rider", "tax"])
    name: str
    quantity: str
    unit: str
    amount: str
    low_price: str
    high_price: str


class PeakView(View):
    """One of the highest hours."""

    at: int = Field(description="Start, epoch s.")
    kw: str


class DemandMonthView(View):
    """The demand of one month: its five highest hours and what each kilowatt costs."""

    first_day: date
    last_day: date
    name: str
    window_minutes: int
    highest: list[PeakView]
    per_kw: str
    amount: str
    worth: str = Field(description="What the month would have cost less, had only its highest hour been the second.")


class MonthCostView(View):
    """One month under one rate."""

    first_day: date
    last_day: date
    total: str
    usage_wh: int


class RateCostView(View):
    """What one rate would have cost."""

    code: str
    name: str
    is_present: bool
    total: str | None = Field(description="Of the days compared; null where it cannot be told.")
    year: MoneyRangeView | None
    more_than_present: str | None = Field(description="Over the days compared; negative is less.")
    refused: str | None = Field(description="Why its cost cannot be told.")
    ineligible: str | None = Field(description="Why it cannot be chosen.")
    missing_charges: list[str] = Field(description="Charges without a price: the figures are without them.")
    rules: list[str] = Field(description="The rate's prices and hours in words.")
    notes: list[str] = Field(description="How the rate means its prices.")
    sure: list[str] = Field(description="How sure its figures are, clause by clause.")
    low_month: str | None
    high_month: str | None
    parts: list[CostPartView]
    months: list[MonthCostView]
    demand: list[DemandMonthView]


class DaysLeftOutView(View):
    """Days of which too little is there to compare on."""

    first_day: date
    last_day: date
    share: float


class WishView(View):
    """A wish for another rate."""

    wish_id: UUID
    rate_code: str
    rate_name: str
    first_day: date = Field(description="Day of the next billing read: the new rate begins with it.")
    asked_at: int
    state: str = Field(examples=["open", "withdrawn", "applied", "refused"])
    note: str


class ShadowMonthView(View):
    """One bill of a protected year: both amounts."""

    first_day: date
    last_day: date
    billed: str
    shadow: str | None
    over: str
    refused: str


class ProtectionView(View):
    """The first year on another rate: the lower of both years is paid."""

    rate_name: str
    shadow_name: str
    first_day: date
    last_day: date
    billed: str
    shadow: str
    over: str
    credit: str
    settled: bool
    months: list[ShadowMonthView]


class RatesView(View):
    """Every rate on the same days."""

    service_point_id: UUID
    zone: str
    currency: str
    first_day: date | None
    last_day: date | None
    months: int = Field(description="Months compared.")
    usage_wh: int
    coverage: float
    needed: float = Field(description="Least share of a month's intervals for it to be compared.")
    estimated_share: float
    left_out: list[DaysLeftOutView]
    unseen: list[date] = Field(description="First days of months that stand in a year as a range.")
    present: str | None
    advice: RateAdviceView
    rates: list[RateCostView]
    next_read: date = Field(description="Day of the next billing read: a rate asked for now begins with it.")
    assumptions: list[str] = Field(description="What was assumed on top of what was measured, in words.")
    wish: WishView | None
    protection: ProtectionView | None


class BreakEvenView(View):
    """What would have to be true for one rate to be the better choice."""

    rate_code: str
    rate_name: str
    lever: LeverName
    reachable: bool
    share: float
    kwh_per_day: str
    kw: str
    now_kw: str
    saving: str


class BreakEvensView(View):
    """The same for every other rate."""

    currency: str
    days: int
    break_evens: list[BreakEvenView]


class AskRate(View):
    """A wish for another rate."""

    rate_code: str = Field(min_length=1, max_length=100)


class Assumed(View):
    """What is assumed on top of what was measured, from the address bar; what else stands there is no concern of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vehicle_kwh: float | None = Field(default=None, gt=0, le=150, description="A day.")
    vehicle_from: str = Field(default="22:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    vehicle_to: str = Field(default="06:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    heat_pump_kwh: float | None = Field(default=None, gt=0, le=40_000, description="A year.")
    shift: float | None = Field(default=None, gt=0, le=1, description="Share of the dearest hours' energy.")
