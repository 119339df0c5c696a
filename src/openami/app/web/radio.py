"""The radio of a customer's meter, from what its grant states and what it counted itself, by the exposure room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog

from openami.app.web.operations import answering
from openami.contracts.airtime import WINDOW_MS, AirtimeDay
from openami.headend.state_ports import AirtimeBook
from openami.headend.profiles import UnknownProfileError, profile_of
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.mdm.api import InstalledMeter, MeterData
from openami.network.exposure import Exposure, ExposureError, Reflection, expose, limit_uw_cm2
from openami.network.exposure.grant import RadioGrant, own_texts, radio_grants, radios_of
from openami.network.exposure.household import FOOT_M, household
from openami.portal.views.radio import AirtimeDayView, DeviceView, ExposureColumnsView, MeterRadioView, RadioView
from openami.security.access.scope import Scope

DISTANCES_FT = (*range(1, 11), *range(12, 31, 2), 35, 40, 50)
"""One foot is nearer than anybody lives to a meter's antenna, and beyond fifty nothing is left to show."""
SHOWN_DAYS = 30
LOOK_BACK = timedelta(days=36_500)
RADIO_FOLDER = "radios"


_LOG = structlog.get_logger("openami.web")


def known_radios(folder: Path) -> tuple[RadioGrant, ...]:
    """Return the radios that come with the program and those of the utility's own files, in a folder of its home.

    A file that cannot be used is named in the log and all of the folder is left out: pages then say that nothing is
    known of a model's radio, which is better than figures from half a file.
    """
    own = own_texts()
    try:
        theirs = {f.name: f.read_text(encoding="utf-8") for f in sorted(folder.glob("*.toml"))}
        return radio_grants(own | theirs)
    except (ExposureError, OSError, UnicodeDecodeError) as error:
        _LOG.error("radio files cannot be used", folder=folder.name, problem=str(error))
        return radio_grants(own)


@dataclass(frozen=True, slots=True)
class RadioDesk:
    """Implements :class:`~openami.portal.ports.Radios`.

    Args:
        data: the registry.
        airtime: what radios counted.
        grants: radios of meter models.
        domain: domain time.
    """

    data: MeterData
    airtime: AirtimeBook
    grants: Sequence[RadioGrant]
    domain: Clock

    @answering
    async def radio_at(self, scope: Scope, service_point_id: UUID) -> MeterRadioView:
        """Return the radio of the meter that hangs at a place, or hung there last within the scope's time."""
        found = await self._newest(scope, service_point_id)
        radios: tuple[RadioGrant, ...] = ()
        days: list[AirtimeDay] = []
        if found is not None:
            one, period = found
            radios = radios_of(self.grants, _profiles(one.meter.profile))
            if one.meter.system_title:
                title = SystemTitle(one.meter.system_title)
                last = (period.end - timedelta(microseconds=1)).date()
                first = max(period.start.date(), last - timedelta(days=SHOWN_DAYS - 1))
                days = await self.airtime.days(title, first, last)
        return _view(service_point_id, found[0].meter.serial if found else None, radios, days)

    async def _newest(self, scope: Scope, service_point_id: UUID) -> tuple[InstalledMeter, Period] | None:
        """Return the newest device within the granted time, and the part of that time in which it hung."""
        now = self.domain.now()
        for granted in reversed(scope.granted(service_point_id, Period(now - LOOK_BACK, now + timedelta(seconds=1)))):
            installed = await self.data.installed(scope, service_point_id, granted)
            for one in reversed([i for i in installed if not i.meter.is_virtual]):
                hung = Period(one.installation.start, one.installation.end or granted.end).intersection(granted)
                if hung is not None:
                    return one, hung
        return None


def _profiles(name: str) -> tuple[str, ...]:
    try:
        return (name, *profile_of(name).parents)
    except UnknownProfileError:
        return (name,)


def _view(
    place: UUID, serial: str | None, radios: Sequence[RadioGrant], days: Sequence[AirtimeDay]
) -> MeterRadioView:
    worst_ms = max((d.worst_ms for d in days), default=None)
    # Which of a meter's radios sent is not counted apart: the whole count is charged to each of them.
    duty = None if worst_ms is None else worst_ms / WINDOW_MS
    return MeterRadioView(
        service_point_id=place,
        serial=serial,
        radios=[_radio(r) for r in radios],
        window_s=WINDOW_MS // 1000,
        days=[_day(d) for d in days],
        worst_window_s=None if worst_ms is None else worst_ms / 1000,
        distance_ft=list(DISTANCES_FT),
        reflected=_columns(radios, duty, Reflection.GROUND),
        plain=_columns(radios, duty, Reflection.NONE),
        devices=_devices(),
    )


def _radio(radio: RadioGrant) -> RadioView:
    return RadioView(
        name=radio.name,
        does=radio.does,
        power_w=radio.emitter.power_w,
        gain_dbi=radio.emitter.gain_dbi,
        low_mhz=radio.low_mhz,
        high_mhz=radio.high_mhz,
        grant=radio.grant,
        limit_uw_cm2=limit_uw_cm2(radio.emitter.frequency_mhz),
    )


def _day(day: AirtimeDay) -> AirtimeDayView:
    return AirtimeDayView(
        day=day.day.isoformat(),
        own_s=day.own_ms / 1000,
        relayed_s=day.relayed_ms / 1000,
        beacon_s=day.beacon_ms / 1000,
        worst_window_s=day.worst_ms / 1000,
    )


def _columns(radios: Sequence[RadioGrant], duty: float | None, reflection: Reflection) -> ExposureColumnsView:
    """Return all radios together: densities add, and so do shares of each radio's own limit."""
    if not radios:
        return ExposureColumnsView(while_sending_uw_cm2=[], while_sending_share=[], average_uw_cm2=[], average_share=[])

    def column(value: Callable[[Exposure], float], *, counted: float | None) -> list[float]:
        if counted is None:
            return []
        return [
            sum(value(expose(r.emitter, ft * FOOT_M, duty=counted, reflection=reflection)) for r in radios)
            for ft in DISTANCES_FT
        ]

    return ExposureColumnsView(
        while_sending_uw_cm2=column(lambda e: e.while_sending_uw_cm2, counted=1.0),
        while_sending_share=column(lambda e: e.share_while_sending, counted=1.0),
        average_uw_cm2=column(lambda e: e.average_uw_cm2, counted=duty),
        average_share=column(lambda e: e.share, counted=duty),
    )


def _devices() -> list[DeviceView]:
    plain: Mapping[str, float] = {d.name: d.share for d in household()}
    return [
        DeviceView(
            name=d.name,
            distance_ft=round(d.distance_m / FOOT_M, 1),
            share=d.share,
            share_plain=plain[d.name],
            is_measured=d.is_measured,
            source=d.source,
            note=d.note,
        )
        for d in household(Reflection.GROUND)
    ]
