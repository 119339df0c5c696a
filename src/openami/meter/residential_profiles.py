"""The profiles of our meter: quarter-hours exactly as they are pushed, daily and monthly registers, logs."""

from __future__ import annotations

from collections.abc import Callable

from openami.kernel.obis import Obis
from openami.kernel.time import QUARTER_HOUR_S
from openami.meter.events import LOGS
from openami.meter.logs import FAILURE_ENTRIES, LOG_ENTRIES, EventLogs
from openami.meter.objects.basic import data_object
from openami.meter.objects.model import CosemObject
from openami.meter.objects.profile import Column, Profile, Table, profile_object
from openami.meter.ports import MeterBody
from openami.meter.pushes import event_log
from openami.meter.state import DeviceState
from openami.protocol.axdr import Data, Tag, u8
from openami.protocol.cosem.reference import CaptureObject

PROFILE_ROWS = 5_760
"""Sixty days of quarter-hours: what the meter keeps to be asked for later."""
DAILY_ROWS = 93
"""Three months of midnights."""
BILLING_ROWS = 15
"""The months of a year and a quarter: a dispute is over by then."""
DAY_S = 86_400


def _captured(class_id: int, instance: str, tag: Tag) -> Column:
    return Column(CaptureObject(class_id, Obis.from_text(instance), 2), tag)


INTERVAL_COLUMNS = (
    _captured(1, "0.0.96.10.1.255", Tag.UNSIGNED),
    _captured(3, "1.0.1.29.0.255", Tag.DOUBLE_LONG_UNSIGNED),
    _captured(3, "1.0.2.29.0.255", Tag.DOUBLE_LONG_UNSIGNED),
    _captured(3, "1.0.12.24.0.255", Tag.LONG_UNSIGNED),
)
"""As layout ``load_profile`` of docs/protocol/push-layouts.md."""
REGISTER_COLUMNS = (
    _captured(3, "1.0.1.8.0.255", Tag.DOUBLE_LONG_UNSIGNED),
    _captured(3, "1.0.2.8.0.255", Tag.DOUBLE_LONG_UNSIGNED),
)
"""As layout ``registers`` of docs/protocol/push-layouts.md."""
_FAILURE_COLUMNS = (_captured(4, "0.0.96.7.15.255", Tag.DOUBLE_LONG_UNSIGNED),)


def profile_objects(body: MeterBody, state: DeviceState) -> list[CosemObject]:
    """Return load profile 1 and 2, the billing profile, the power failure log and the event logs with their codes."""
    zone = body.zone
    profiles = [
        Profile("1.0.99.1.0.255", INTERVAL_COLUMNS, QUARTER_HOUR_S, PROFILE_ROWS, body.load_profile, zone),
        Profile("1.0.99.2.0.255", REGISTER_COLUMNS, DAY_S, DAILY_ROWS, body.daily_profile, zone),
        # A month has no fixed number of seconds: rows come by the schedule 0.0.15.0.0.255.
        Profile("0.0.98.1.0.255", REGISTER_COLUMNS, 0, BILLING_ROWS, body.billing_profile, zone),
        Profile("1.0.99.97.0.255", _FAILURE_COLUMNS, 0, FAILURE_ENTRIES, state.failures.table, zone),
    ]
    objects = [profile_object(p) for p in profiles]
    for log in LOGS:
        column = _captured(1, f"0.0.96.11.{log}.255", Tag.UNSIGNED)
        profile = Profile(str(event_log(log)), (column,), 0, LOG_ENTRIES, _log(state.logs, log), zone)
        objects += [profile_object(profile), data_object(f"0.0.96.11.{log}.255", _code(state.logs, log))]
    return objects


def _log(logs: EventLogs, log: int) -> Callable[[], Table]:
    return lambda: logs.table(log)


def _code(logs: EventLogs, log: int) -> Callable[[], Data]:
    return lambda: u8(logs.latest(log))
