"""One meter of a fleet as a device: a view that is made when somebody asks.

Registers, power and voltage are those of the last quarter-hour that was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.kernel.time import EPOCH
from openami.meter.device import CosemDevice
from openami.meter.events import EventCode
from openami.meter.fleet import MeterFleet
from openami.meter.fleet_memory import INTERVAL_US, FleetMemory
from openami.meter.objects.profile import Table
from openami.meter.objects.push import PushSetup
from openami.meter.objects.switch import Order
from openami.meter.residential import carry_out, residential_device
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.meter.tampering import Tampering
from openami.protocol.association.ports import SecurityIncident
from openami.protocol.push import LOAD_PROFILE_PUSH, REGISTER_PUSH, LoadProfileRow, RegisterRow

_MW_PER_W = 1_000
_HUNDREDTH = timedelta(milliseconds=10)
_QUARTERS_PER_HOUR = 4
_INTERVAL_COLUMNS = ("status", "delivered_wh", "received_wh", "voltage_dv")
_REGISTER_COLUMNS = ("delivered_wh", "received_wh")


@dataclass(frozen=True, slots=True, eq=False)
class FleetBody:
    """One meter of a fleet as its objects see it.

    Args:
        fleet: the meters.
        memory: what they remember.
        meter: which.
        now: gives the true instant, UTC.
    """

    fleet: MeterFleet
    memory: FleetMemory
    meter: int
    now: Callable[[], datetime]

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the service point."""
        return self.memory.zone

    @property
    def state(self) -> DeviceState:
        """What the meter remembers, to be changed."""
        return self.memory.changed(self.meter)

    def shows(self) -> datetime:
        """Return what the clock shows."""
        return self.now() + self.memory.clock_offsets.get(self.meter, timedelta(0))

    def is_clock_valid(self) -> bool:
        """Tell whether the meter trusts its clock: the network keeps it right."""
        return True

    def set_clock(self, to: datetime) -> None:
        """Set the clock until the network puts it right."""
        self.note(EventCode.CLOCK_ADJUSTED_FROM)
        self.memory.mark_clock_set(self.meter, to - self.now())
        self.note(EventCode.CLOCK_ADJUSTED_TO)

    def registers_wh(self) -> tuple[int, int]:
        """Return what the registers show [Wh]."""
        delivered, received = self.fleet.registers.shown_wh()
        return int(delivered[self.meter]), int(received[self.meter])

    def power_w(self) -> int:
        """Return the mean power of the last quarter-hour [W]."""
        if not self.memory.has_captured:
            _, delivered_wh, received_wh, _ = self._last_row()
            return (delivered_wh - received_wh) * _QUARTERS_PER_HOUR
        return int(int(self.memory.power_mw[self.meter]) / _MW_PER_W)

    def voltage_dv(self) -> int:
        """Return the mean voltage of the last quarter-hour [0.1 V]."""
        if not self.memory.has_captured:
            return self._last_row()[3]
        return int(self.memory.voltage_dv[self.meter])

    def load_voltage_dv(self) -> int:
        """Return the voltage behind the switch [0.1 V]."""
        if self.memory.state(self.meter).switch.is_closed:
            return self.voltage_dv()
        return self.memory.tampering.get(self.meter, Tampering()).fed_back_dv

    def _last_row(self) -> tuple[int, int, int, int]:
        """Return status, energy both ways and voltage of the newest row; zeros where there is none."""
        rows = self.load_profile()
        if not len(rows):
            return 0, 0, 0, 0
        status, delivered_wh, received_wh, voltage_dv = (int(c[-1]) for c in rows.columns)
        return status, delivered_wh, received_wh, voltage_dv

    def profile_status(self) -> int:
        """Return the status octet of the running interval."""
        return self.memory.marks.get(self.meter, 0)

    def load_profile(self) -> Table:
        """Return the load profile."""
        return self.memory.rings.intervals.table(self.meter, _INTERVAL_COLUMNS)

    def daily_profile(self) -> Table:
        """Return the registers at midnights."""
        return self.memory.rings.daily.table(self.meter, _REGISTER_COLUMNS)

    def billing_profile(self) -> Table:
        """Return the registers at the first midnight of each month."""
        return self.memory.rings.billing.table(self.meter, _REGISTER_COLUMNS)

    def identity(self) -> MeterIdentity:
        """Return name and keys."""
        return self.fleet.identities[self.meter]

    def replace_identity(self, renewed: MeterIdentity) -> None:
        """Take new keys, once they are kept."""
        renewed = self.identity().taking(renewed, sealed=self.fleet.counters.used(self.meter))
        self.memory.keep_keys(self.meter, renewed)
        self.state.take_keys(renewed)
        self.fleet.identities[self.meter] = renewed

    def note(self, code: EventCode) -> None:
        """Write an event down."""
        stamp = self.shows()
        entry, is_told = self.state.note(stamp, code)
        if is_told:
            self._push_event(stamp, entry.log, code)

    def note_incident(self, incident: SecurityIncident) -> None:
        """Write an attack down."""
        stamp = self.shows()
        noted = self.state.note_incident(stamp, incident)
        if noted is not None and noted[1]:
            self._push_event(stamp, noted[0].log, noted[0].code)

    def push_now(self, setup: PushSetup) -> bool:
        """Push what a setup says."""
        at = self.shows()
        if setup.named == LOAD_PROFILE_PUSH:
            rows = self.load_profile()
            if not len(rows):
                return False
            row = LoadProfileRow(_instant(int(rows.at_cs[-1])), *self._last_row())
            self._send(self.fleet.push_profile(self.meter, [row], at=at))
        elif setup.named == REGISTER_PUSH:
            self._send(self.fleet.push_registers(self.meter, [RegisterRow(at, *self.registers_wh())], at=at))
        else:
            last = self.state.logs.last()
            if last is None:
                return False
            self._push_event(last.at, last.log, last.code)
        return True

    def client_counter(self) -> int:
        """Return the highest invocation counter taken from a client."""
        return self.memory.state(self.meter).received.last or 0

    def watch(self) -> None:
        """Let a quarter-hour's mean voltage and power work on quality and limiter."""
        state = self.state
        event = state.quality.see(self.voltage_dv(), INTERVAL_US)
        if event is not None:
            self.note(event)
        order = state.limiter.see(self.power_w(), INTERVAL_US)
        if order is not None:
            self.note(EventCode.LIMITER_EXCEEDED if order is Order.LOCAL_DISCONNECT else EventCode.LIMITER_OK)
            carry_out(self, state, order)

    def tamper(self, tampering: Tampering) -> None:
        """Let something be wrong, or right again: what is measured changes, and what the meter notices is written."""
        events = list(tampering.events_since(self.memory.tampering.get(self.meter, Tampering())))
        self.memory.tampering[self.meter] = tampering
        for code in events:
            self.note(code)

    def _push_event(self, stamp: datetime, log: int, code: EventCode) -> None:
        self._send(self.fleet.push_entries(self.meter, [(stamp, log, code)], at=self.shows()))

    def _send(self, frame: bytes) -> None:
        self.memory.outbox.append((self.meter, frame))


def fleet_device(fleet: MeterFleet, memory: FleetMemory, meter: int, *, now: Callable[[], datetime]) -> CosemDevice:
    """Return the device of one meter of a fleet."""
    return residential_device(FleetBody(fleet, memory, meter, now), memory.state(meter))


def _instant(at_cs: int) -> datetime:
    return EPOCH + at_cs * _HUNDREDTH
