"""The push setups of our meter: the names are those that its messages carry (docs/protocol/push-layouts.md)."""

from __future__ import annotations

from openami.kernel.obis import Obis
from openami.meter.events import LOGS
from openami.meter.objects.push import PushSetup
from openami.protocol.cosem.reference import CaptureObject
from openami.protocol.push import EVENT_PUSH, LOAD_PROFILE_PUSH, REGISTER_PUSH

LAST_GASP_SETUP = Obis.from_text("0.3.25.9.0.255")
INSTALLATION_SETUP = Obis.from_text("0.7.25.9.0.255")
LOAD_PROFILE = Obis.from_text("1.0.99.1.0.255")
DAILY_PROFILE = Obis.from_text("1.0.99.2.0.255")
GASPS = 6
"""Last gasps on stored energy, as radio modules send them (dlms.md, last gasp)."""
_ROWS = CaptureObject(7, LOAD_PROFILE, 2)
_READS = CaptureObject(7, DAILY_PROFILE, 2)


def event_log(log: int) -> Obis:
    """Return the logical name of an event log."""
    return Obis(bytes((0, 0, 99, 98, log, 255)))


def push_setups() -> tuple[PushSetup, ...]:
    """Return the setups as the meter leaves the factory.

    An event message carries new entries of any log, each with its log's number, so it lists all logs. A last gasp is
    an event message that goes first; what a meter says when it is installed is a register message.
    """
    logs = tuple(CaptureObject(7, event_log(log), 2) for log in LOGS)
    return (
        PushSetup(LOAD_PROFILE_PUSH, LOAD_PROFILE_PUSH, (_ROWS,)),
        PushSetup(REGISTER_PUSH, REGISTER_PUSH, (_READS,)),
        PushSetup(EVENT_PUSH, EVENT_PUSH, logs, spread_s=30),
        PushSetup(LAST_GASP_SETUP, EVENT_PUSH, (logs[0],), spread_s=40, retries=GASPS - 1, delay_s=5),
        PushSetup(INSTALLATION_SETUP, REGISTER_PUSH, (_READS,), spread_s=0),
    )
