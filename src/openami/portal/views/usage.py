"""A customer's service points, home page and chart data."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import Quality, View


class Resolution(StrEnum):
    """Level of detail of chart data."""

    QUARTER = "quarter"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class ChartChannel(StrEnum):
    """What a chart shows."""

    DELIVERED = "delivered"
    RECEIVED = "received"
    VOLTAGE = "voltage"


class ServicePointView(View):
    """A place of the signed-in customer where energy is delivered."""

    service_point_id: UUID
    label: str = Field(examples=["Home"])
    address: str
    zone: str = Field(examples=["America/Chicago"])
    rate_name: str | None
    since: int = Field(description="Start of the agreement, epoch s; nothing before it is shown.")
    until: int | None = Field(description="End of the agreement (exclusive), or None while it runs.")
    has_received: bool = Field(description="Whether energy was ever sent back here.")


class ServicePointsView(View):
    """All of the customer's places."""

    service_points: list[ServicePointView]


class NoticeView(View):
    """The one notice of the home page."""

    kind: str = Field(examples=["estimated", "missing", "speed", "live_stopped"])
    text: str


class DaySoFarView(View):
    """Today against a usual day, as columns of the local day."""

    local_day: date
    start: list[int] = Field(description="Start of each interval of the whole local day, epoch s (92, 96 or 100).")
    value_wh: list[int | None] = Field(description="Today; None where nothing has come yet.")
    quality: list[tuple[Quality, int]] = Field(description="Run lengths over start.")
    usual_wh: list[float | None] = Field(description="Median of the same weekday of the last four weeks.")
    used_wh: int = Field(description="Sum of today so far.")
    usual_by_now_wh: float | None = Field(description="What a usual day had used by the last interval of today.")
    intervals_so_far: int


class BillSoFarView(View):
    """The open bill and a forecast of its total as a range."""

    period_from: int
    period_to: int
    rate_name: str
    currency: str
    usage_wh: int
    total: str = Field(description="Decimal text.")
    forecast_low: str | None
    forecast_high: str | None
    estimated_share: float = Field(ge=0, le=1, description="Share of the energy that is estimated.")


class HomeView(View):
    """Everything the home page shows."""

    service_point_id: UUID
    zone: str
    domain_now: int
    today: DaySoFarView
    yesterday_wh: int | None
    yesterday_quality: list[tuple[Quality, int]]
    bill: BillSoFarView | None
    last_reading_at: int | None = Field(description="End of the newest interval received, epoch s.")
    is_live: bool = Field(description="Whether readings arrive as expected (newest within two intervals and a bit).")
    notice: NoticeView | None


class PriceColumnsView(View):
    """What each interval cost, where the rate prices energy by time."""

    currency: str
    period_names: list[str] = Field(examples=[["off-peak", "on-peak"]])
    period: list[tuple[int, int]] = Field(description="Run lengths of indexes into period_names.")
    cost: list[float | None] | None = Field(description="For display, in currency; bills are exact.")


class IntervalsView(View):
    """Chart data as columns of one length n; quality and periods are run-length coded."""

    service_point_id: UUID
    channel: ChartChannel
    resolution: Resolution
    zone: str
    unit: str = Field(examples=["Wh", "V"])
    power_of_ten: int = Field(description="value * 10**power_of_ten is the quantity in unit.")
    start: list[int] = Field(description="(n,) start of each bucket, epoch s.")
    end: int = Field(description="End of the last bucket (exclusive), epoch s.")
    value: list[int | None] = Field(description="(n,) energy summed, voltage averaged; None where missing.")
    quality: list[tuple[Quality, int]] = Field(
        description="Run lengths; of a bucket the state of most concern in a twentieth of it or more."
    )
    low: list[int | None] | None = Field(description="(n,) lower edge of the band, or None when nothing is estimated.")
    high: list[int | None] | None = Field(description="(n,) upper edge.")
    estimated_share: float = Field(ge=0, le=1, description="Share of the energy that is estimated.")
    missing_share: float = Field(ge=0, le=1, description="Share of the intervals that have no value yet.")
    price: PriceColumnsView | None
    days: list[date] = Field(description="Local days covered.")
    day_lengths: list[int] = Field(description="Hours of each of those days: 23, 24 or 25.")
    preliminary_from: int | None = Field(description="From here on values await validation, epoch s.")
    granted_from: int | None = Field(description="Start of the data that the viewer may see within the range.")
    granted_to: int | None
