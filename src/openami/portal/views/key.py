"""Where meters' keys stand and how their changes go. No key is in it, nor anything made from one."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View
from openami.portal.views.two_person import Reason, TwoPersonOrderView

MAX_TITLES = 10_000
Titles = Field(min_length=1, max_length=MAX_TITLES, description="System titles, 16 hexadecimal digits each.")


class KeyLevel(StrEnum):
    """How far a meter's keys can be trusted, the worst first."""

    COMPROMISED = "compromised"
    NONE = "none"
    FACTORY = "factory"
    SECURED = "secured"


class LevelCountView(View):
    """Meters of one level."""

    level: KeyLevel
    words: str
    meters: int


class MeterKeysView(View):
    """Where one meter's keys stand. ``active_at`` is domain time, epoch s."""

    meter_id: UUID
    system_title: str
    profile: str
    level: KeyLevel
    generation: int | None
    active_at: int | None
    is_new_waiting: bool = Field(description="New keys are made and wait for the meter's proof.")
    has_master: bool


class CauseView(View):
    """Changes of keys for one cause."""

    cause: str = Field(examples=["factory"])
    words: str
    due: int
    uncertain: int
    done: int
    failed: int
    left_over: int = Field(description="Of these, meters that a person should look at.")


class LeftOverView(View):
    """A meter whose keys do not get changed. Times are real, epoch s."""

    meter_id: UUID
    system_title: str
    cause: str
    step: str
    words: str
    tries: int
    since: int
    next_at: int | None


class IncidentView(View):
    """Keys that leaked."""

    incident_id: UUID
    reason: str
    marked_at: int
    meters: int
    renewed: int


class ResidualView(View):
    """A meter that still uses keys that leaked: it takes no switching command."""

    meter_id: UUID
    system_title: str
    since: int
    words: str


class KeysView(View):
    """The page of keys."""

    as_of: int
    meters: int
    levels: list[LevelCountView]
    without_master: int = Field(description="Meters whose keys can be changed by exchanging the meter alone.")
    oldest_active_at: int | None
    left_to_rewrap: int = Field(description="Keys that are not under the newest installation key yet.")
    spoiled: int = Field(description="Keys that do not open in their place: altered, or moved.")
    is_ordered: bool = Field(description="Whether an order of two people lets keys change now.")
    per_hour: float
    causes: list[CauseView]
    left_over: list[LeftOverView]
    incidents: list[IncidentView]
    residual: list[ResidualView]
    worst: list[MeterKeysView] = Field(description="Meters, those that need somebody first.")
    orders: list[TwoPersonOrderView]


class OrderKeys(View):
    """Order that keys change: of these meters now, or of every meter as it becomes due."""

    system_titles: list[str] | None = Field(
        default=None, max_length=MAX_TITLES, description="These; null: every meter as it becomes due."
    )
    days: float = Field(ge=0.01, le=366)
    reason: str = Reason


class RetryKeys(View):
    """Begin anew what failed."""

    system_title: str | None = Field(description="Of one meter; null: of all.")
    reason: str = Reason


class ReportLeak(View):
    """Say that keys leaked. It holds at once, on one person's word."""

    system_titles: list[str] = Titles
    masters: bool = Field(description="Whether their master keys leaked too.")
    reason: str = Reason


class LeakView(View):
    """An incident that was kept."""

    incident_id: UUID
    meters: int


class RetriedView(View):
    """How many changes begin anew."""

    jobs: int
