"""Figures of the staff pages: the state of the chain, worklists, one meter."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View


class CompletenessView(View):
    """Read completeness as a heat strip: one row per cell, one column per hour of domain time."""

    hour: list[int] = Field(description="(h,) start of each hour, oldest first, epoch s.")
    cell: list[str] = Field(description="(c,) names of radio cells.")
    expected: list[list[int]] = Field(description="(c, h) intervals that should have arrived.")
    received: list[list[int]] = Field(description="(c, h) intervals in the store.")


class FrameView(View):
    """The newest accepted frame of one meter."""

    meter_id: UUID
    system_title: str
    collected_at: int
    invocation_counter: int | None
    frames: int = Field(description="Accepted frames of this meter so far.")


class ReasonCountView(View):
    """Dead letters of one reason."""

    reason: str = Field(examples=["bad_tag"])
    words: str = Field(examples=["the frame's tag does not verify"])
    count: int


class ProcessView(View):
    """One supervised process."""

    name: str
    state: str = Field(examples=["ready", "starting", "stopped"])
    restarts: int
    since: int | None


class NowView(View):
    """The staff page: what is wrong now."""

    domain_now: int
    real_now: int
    completeness: CompletenessView
    frames_per_s: float
    frames_total: int
    last_frames: list[FrameView]
    dead_letters: list[ReasonCountView]
    dead_letters_total: int
    unassigned: int
    meters_installed: int
    processes: list[ProcessView]
    unavailable: list[str] = Field(description="Parts of this answer that did not answer in time.")


class DeadLetterView(View):
    """One refused frame. Never holds plaintext."""

    letter_id: str
    reason: str
    words: str
    detail: str
    system_title: str
    invocation_counter: int | None
    collector_id: int
    collected_at: int
    refused_at: int
    octets: int = Field(description="Length of the refused frame.")
    can_release: bool = Field(description="Whether its counter is held and a person may release it.")
    released_at: int | None = Field(description="Epoch s, real time; null where nobody has released it.")


class DeadLettersView(View):
    """A page of refused frames, newest first."""

    letters: list[DeadLetterView]
    next_before: str | None = Field(description="Pass as ``before`` for the next page.")


class ReleaseCounter(View):
    """Believe the counter of a held frame: its meter is heard again from there on."""

    reason: str = Field(min_length=5, max_length=500, description="Why, for the audit log.")


class UnassignedMeterView(View):
    """A meter that has keys and perhaps readings, but no installation."""

    meter_id: UUID
    system_title: str
    serial: str | None
    first_seen: int | None
    last_seen: int | None
    frames: int


class UnassignedView(View):
    """Meters that wait for their installation."""

    meters: list[UnassignedMeterView]


class InstallationView(View):
    """A meter at a service point for a time."""

    service_point_id: UUID
    start: int
    end: int | None


class MeterView(View):
    """What is going on with this meter."""

    meter_id: UUID
    system_title: str
    serial: str | None
    profile: str
    installations: list[InstallationView]
    last_frame: FrameView | None
    last_reading_at: int | None
    dead_letters: list[DeadLetterView]


class AttachMeter(View):
    """Attach an unassigned meter to a service point, back to its installation time."""

    meter_id: UUID
    service_point_id: UUID
    installed_at: int = Field(description="Epoch s; may lie in the past.")
    reason: str = Field(min_length=5, max_length=500, description="Why, for the audit log.")


class AttachedView(View):
    """What attaching did."""

    meter_id: UUID
    service_point_id: UUID
    installed_at: int
    first_affected_day: date | None
    affected_days: int = Field(description="Local days whose validation runs again.")


class ServicePointHitView(View):
    """One service point in the operator's search. Carries no identity."""

    service_point_id: UUID
    cell: str | None
    transformer: str | None
    feeder: str | None
    meter_id: UUID | None
    system_title: str | None


class ServicePointHitsView(View):
    """Result of an operator's search."""

    hits: list[ServicePointHitView]
