"""What a meter remembers beside its registers and profiles, all of it through a loss of power."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openami.meter.alarms import Alarms
from openami.meter.events import ALARM_OF, ALWAYS_TOLD, INCIDENTS, EventCode
from openami.meter.logs import EventLogs, LogEntry, PowerFailures
from openami.meter.objects.image import ImageTransfer, ImageVerifier
from openami.meter.objects.push import PushSetup
from openami.meter.objects.switch import Limiter, Switch
from openami.meter.pushes import push_setups
from openami.meter.quality import VoltageQuality
from openami.meter.sealing import MeterIdentity
from openami.protocol.association.counters import RisingCounter
from openami.protocol.association.ports import SecurityIncident

CLOCK_ERROR = 1
"""Bit 0 of the error register: the clock is not to be trusted (dlms.md, alarm register 1 has the same bit)."""
INCIDENT_PAUSE = timedelta(minutes=1)
"""Incidents of one kind are written down once a minute: a flood of forged frames must not wash the fraud log away."""


def no_maker(message: bytes, signature: bytes) -> bool:  # noqa: ARG001 - the port's names
    """Verify nothing: the verifier of a meter that takes no firmware."""
    return False


@dataclass(slots=True)
class DeviceState:
    """The memory of one meter.

    Args:
        verifier: checks the maker's signature of an image.
        errors: error register.
        output_changed_s: when the switch last opened or closed, seconds since the epoch; 0 where it never did.
        received: the highest counter that was accepted of clients.
        received_under: under which of the meter's encryption keys, see :attr:`MeterIdentity.keys_taken`.
    """

    verifier: ImageVerifier = no_maker
    logs: EventLogs = field(default_factory=EventLogs)
    failures: PowerFailures = field(default_factory=PowerFailures)
    quality: VoltageQuality = field(default_factory=VoltageQuality)
    alarms: Alarms = field(default_factory=Alarms)
    switch: Switch = field(default_factory=Switch)
    limiter: Limiter = field(default_factory=Limiter)
    setups: tuple[PushSetup, ...] = field(default_factory=push_setups)
    errors: int = 0
    output_changed_s: int = 0
    received: RisingCounter = field(default_factory=RisingCounter)
    received_under: int = 0
    image: ImageTransfer = field(init=False)
    _incidents: dict[SecurityIncident, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.image = ImageTransfer(self.verifier)

    def take_keys(self, identity: MeterIdentity) -> None:
        """Take note of the keys in use: under a new encryption key no counter was accepted yet.

        Also after a start: keys are kept before anything else, so what is remembered may be of the keys before them,
        and a meter that compared new counters with old ones would hear nobody any more.
        """
        if self.received_under != identity.keys_taken:
            self.received.last, self.received_under = None, identity.keys_taken

    def was_closed(self, at_s: int) -> bool:
        """Whether the switch let current through until an instant; known back to the change before the last."""
        return self.switch.is_closed is (at_s > self.output_changed_s)

    def note(self, at: datetime, code: EventCode, log: int | None = None) -> tuple[LogEntry, bool]:
        """Write an event down and return its entry and whether it is to be pushed.

        Args:
            at: when, by the meter's clock.
            code: what.
            log: which log; the code's own where None.
        """
        entry = self.logs.add(at, code, log)
        alarm = ALARM_OF.get(code)
        if alarm is None:
            return entry, code in ALWAYS_TOLD
        rose = self.alarms.rise(alarm)
        return entry, rose or (code in ALWAYS_TOLD and self.alarms.passes(alarm))

    def note_incident(self, at: datetime, incident: SecurityIncident) -> tuple[LogEntry, bool] | None:
        """Write an attack down and return as :meth:`note`; None where the same was written within the last minute."""
        last = self._incidents.get(incident)
        if last is not None and last <= at < last + INCIDENT_PAUSE:
            return None
        self._incidents[incident] = at
        code, log = INCIDENTS[incident]
        return self.note(at, code, log)
