"""How well the fleet is read: service levels by cell, reads asked for by hand, and why a read is missing."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View


class ReadKind(StrEnum):
    """What can be asked of a meter by hand."""

    REGISTERS = "registers"
    VOLTAGE = "voltage"
    CLOCK = "clock"
    EVENTS = "events"


class ReadState(StrEnum):
    """How a read that was asked for stands."""

    QUEUED = "queued"
    READING = "reading"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"


class AskRead(View):
    """Read a meter now."""

    kind: ReadKind
    reason: str = Field(min_length=5, max_length=500, description="Why, for the access log that the customer sees.")


class ReadValueView(View):
    """One value that the meter gave."""

    name: str = Field(examples=["Delivered register"])
    value: str = Field(description="As people read it.", examples=["24,131.402"])
    unit: str = Field(examples=["kWh"])
    at: int | None = Field(description="The meter's own stamp, epoch s.")


class MeterReadView(View):
    """A read that was asked for by hand."""

    request_id: UUID
    kind: ReadKind
    state: ReadState
    words: str = Field(description="What happened, in a sentence.")
    asked_at: int = Field(description="Real time, epoch s.")
    ended_at: int | None
    took_s: float | None = Field(description="From asking to the end, real time.")
    values: list[ReadValueView]


class MissingSpanView(View):
    """Intervals in a row that are not there for one cause."""

    start: int
    end: int
    intervals: int
    code: str = Field(examples=["push_lost"])
    words: str = Field(description="What stands in the way.")
    since: int | None = Field(description="Since when, epoch s.")
    action: str = Field(description="The one thing that helps, or that nothing need be done.")
    next_try_at: int | None


class MissingReadsView(View):
    """Why reads of a meter are missing on a local day."""

    meter_id: UUID
    day: str = Field(examples=["2026-11-23"])
    expected: int
    present: int
    unknown: int = Field(description="Intervals from before the head-end's own book began: nothing is said of them.")
    spans: list[MissingSpanView]


class CellLevelView(View):
    """Service levels of one cell."""

    cell: str
    completeness: list[float | None] = Field(description="Share present at each age; null where nothing was due.")
    due: list[int] = Field(description="Intervals due at each age, confirmed outages left out.")
    registers_due: int = Field(description="Meters whose midnight register was due today.")
    registers_read: int = Field(description="Of these, read by 07:00.")
    recovering: int = Field(description="Meters with a recovery under way.")
    given_up: int = Field(description="Intervals that no meter holds any more.")


class UnreadView(View):
    """Meters without a read for some days, by cause."""

    days: int
    cause: str
    meters: int


class ServiceLevelsView(View):
    """How completely the fleet is read."""

    as_of: int
    age_h: list[int] = Field(description="Ages at which completeness is taken [h].", examples=[[1, 6, 24, 72]])
    target: float = Field(examples=[0.995])
    cells: list[CellLevelView]
    unread: list[UnreadView]
