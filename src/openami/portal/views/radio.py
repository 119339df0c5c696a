"""The radio of a customer's meter: how strong it is where people are, how much it sends, and what the law allows."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from openami.portal.views.base import View


class RadioView(View):
    """One radio of the meter, as its equipment grant states it."""

    name: str = Field(examples=["Mesh radio"])
    does: str = Field(description="What it is for, a part of a sentence.")
    power_w: float
    gain_dbi: float
    low_mhz: float
    high_mhz: float
    grant: str = Field(description="Number of the equipment authorization, or why there is none.")
    limit_uw_cm2: float = Field(description="47 CFR 1.1310 at the stricter end of the band, µW/cm².")


class AirtimeDayView(View):
    """What the meter's radio counted on one day (UTC)."""

    day: str = Field(examples=["2026-11-22"])
    own_s: float = Field(description="The meter's own messages, s.")
    relayed_s: float = Field(description="Passed on for neighboring meters, s.")
    beacon_s: float = Field(description="Regular signals that keep the network together, s.")
    worst_window_s: float = Field(description="Most within any 30 minutes of the day, s.")


class ExposureColumnsView(View):
    """Power density by distance, as columns; all radios of the meter together.

    ``average`` is over the worst 30 minutes that were counted; empty where nothing was counted.
    """

    while_sending_uw_cm2: list[float]
    while_sending_share: list[float] = Field(description="Of the limit, 1 is all of it.")
    average_uw_cm2: list[float]
    average_share: list[float]


class DeviceView(View):
    """Another radio at home, while it sends."""

    name: str
    distance_ft: float
    share: float = Field(description="Of the limit, with reflection where it is computed.")
    share_plain: float = Field(description="The same without reflection; equal where it was measured.")
    is_measured: bool
    source: str
    note: str


class MeterRadioView(View):
    """The radio page of one place."""

    service_point_id: UUID
    serial: str | None = Field(description="Of the meter that hangs here, or hung last in the time shown.")
    radios: list[RadioView] = Field(description="Empty where nothing is known of this model's radio.")
    window_s: int = Field(description="Time over which the limit is an average, s.")
    days: list[AirtimeDayView] = Field(description="Counted days, newest first.")
    worst_window_s: float | None = Field(description="Most within any 30 minutes of the days, s; null: not counted.")
    distance_ft: list[int]
    reflected: ExposureColumnsView = Field(description="With a surface behind that returns 60 % of the field.")
    plain: ExposureColumnsView = Field(description="Without reflection.")
    devices: list[DeviceView]
