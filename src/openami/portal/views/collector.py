"""Collectors: whether each is heard, what it says of its own health, and what a person should look at."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View


class CollectorState(StrEnum):
    """How a collector stands, the worst first."""

    STOLEN = "stolen"
    SUSPECT = "suspect"
    SILENT = "silent"
    ATTENTION = "attention"
    WELL = "well"


class CollectorFindingView(View):
    """Something that is or was wrong with a collector."""

    collector_id: int
    rule: str = Field(examples=["collector_enclosure_open"])
    words: str = Field(description="What is wrong, in a sentence.")
    action: str = Field(description="The one thing that helps.")
    is_serious: bool = Field(description="Asks for a look today.")
    since: int = Field(description="Real time, epoch s.")
    ended: int | None


class CollectorView(View):
    """One collector as the gateway last spoke of it. Times are real, epoch s."""

    collector_id: int
    state: CollectorState
    words: str = Field(description="How it stands, in a sentence.")
    is_connected: bool
    since: int = Field(description="Since when it is connected, or not.")
    heard_at: int
    is_enclosure_open: bool
    is_on_backup_supply: bool
    certificate_days_left: int | None
    spool_frames: int | None = Field(description="Frames on its disk that the stream does not have.")
    uptime_s: int | None
    clock_offset_s: float | None
    moved_m: int | None = Field(description="How far it is from where it was put up; null where it does not know.")
    findings: list[CollectorFindingView]


class Whereabouts(StrEnum):
    """What a report says of a collector."""

    STOLEN = "stolen"
    BACK = "back"


class ReportCollector(View):
    """Report a collector stolen, or back."""

    whereabouts: Whereabouts
    at: int | None = Field(description="Since when, or until when, it was away, domain time, epoch s; null: now.")
    reason: str = Field(min_length=5, max_length=500, description="What happened, for the log; no customer's name.")


class CollectorReportView(View):
    """A report that was kept. The gateway is told within seconds."""

    report_id: UUID
    collector_id: int
    whereabouts: Whereabouts
    at: int


class CollectorsView(View):
    """Every collector, those that need a person first, and what was wrong lately and is over."""

    as_of: int
    collectors: list[CollectorView]
    ended: list[CollectorFindingView]
