"""One virtual meter as its objects see it: the port :class:`openami.meter.ports.MeterBody`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from openami.meter.events import EventCode
from openami.meter.objects.profile import Table, hundredths, table_of
from openami.meter.objects.push import PushSetup
from openami.meter.sealing import MeterIdentity
from openami.protocol.association.ports import SecurityIncident
from openami.protocol.push import LOAD_PROFILE_PUSH, REGISTER_PUSH, RegisterRow

if TYPE_CHECKING:
    from openami.meter.meter import VirtualMeter

_MW_PER_W = 1_000


@dataclass(frozen=True, slots=True)
class VirtualBody:
    """The body of a virtual meter."""

    meter: VirtualMeter

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the service point."""
        return self.meter.zone

    def shows(self) -> datetime:
        """Return what the clock shows."""
        return self.meter.clock.shows(self.meter.now)

    def is_clock_valid(self) -> bool:
        """Tell whether the meter trusts its clock."""
        return self.meter.clock.is_valid

    def set_clock(self, to: datetime) -> None:
        """Set the clock."""
        self.meter.set_clock(to)

    def registers_wh(self) -> tuple[int, int]:
        """Return what the registers show [Wh]."""
        delivered, received = self.meter.registers.shown_wh()
        return int(delivered[0]), int(received[0])

    def power_w(self) -> int:
        """Return the measured power [W]."""
        return int(self.meter.power_mw / _MW_PER_W)

    def voltage_dv(self) -> int:
        """Return the supply voltage [0.1 V]."""
        return self.meter.voltage_dv

    def load_voltage_dv(self) -> int:
        """Return the voltage behind the switch [0.1 V]."""
        meter = self.meter
        return meter.voltage_dv if meter.state.switch.is_closed else meter.tampering.fed_back_dv

    def profile_status(self) -> int:
        """Return the status octet of the running interval."""
        return self.meter.profile_status

    def load_profile(self) -> Table:
        """Return the load profile."""
        rows = [(hundredths(r.end), r.status, r.delivered_wh, r.received_wh, r.voltage_dv) for r in self.meter.profile]
        return table_of(rows, columns=4)

    def daily_profile(self) -> Table:
        """Return the registers at midnights."""
        return _registers(list(self.meter.daily))

    def billing_profile(self) -> Table:
        """Return the registers at the first midnight of each month."""
        return _registers(list(self.meter.billing))

    def identity(self) -> MeterIdentity:
        """Return name and keys."""
        return self.meter.identity

    def replace_identity(self, renewed: MeterIdentity) -> None:
        """Take new keys."""
        meter = self.meter
        renewed = meter.identity.taking(renewed, sealed=meter.counters.used(0))
        meter.keep_keys(renewed)
        meter.state.take_keys(renewed)
        meter.identity = renewed

    def note(self, code: EventCode) -> None:
        """Write an event down."""
        self.meter.note(code)

    def note_incident(self, incident: SecurityIncident) -> None:
        """Write an attack down."""
        meter = self.meter
        noted = meter.state.note_incident(self.shows(), incident)
        if noted is not None and noted[1] and meter.is_powered:
            meter.push_event(self.shows(), noted[0].log, noted[0].code)

    def push_now(self, setup: PushSetup) -> bool:
        """Push what a setup says."""
        meter = self.meter
        if not meter.is_powered or meter.tampering.is_push_frozen:
            return False
        if setup.named == LOAD_PROFILE_PUSH:
            return meter.push_profile()
        if setup.named == REGISTER_PUSH:
            meter.push_registers(self.shows())
            return True
        last = meter.state.logs.last()
        if last is None:
            return False
        meter.push_event(last.at, last.log, last.code)
        return True

    def client_counter(self) -> int:
        """Return the highest invocation counter taken from a client."""
        return self.meter.state.received.last or 0


def _registers(rows: list[RegisterRow]) -> Table:
    return table_of([(hundredths(r.at), r.delivered_wh, r.received_wh) for r in rows], columns=2)
