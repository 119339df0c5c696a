"""What a fleet remembers beside its registers: profiles as rings, and the state of each meter that has any.

The fleet's clocks are kept right by the network once in every quarter-hour; between, a client may set one, and what it
did is marked in the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import RawQuality
from openami.kernel.time import QUARTER_HOUR_S, instant_from_epoch_s, local_date
from openami.meter.events import EventCode
from openami.meter.objects.switch import LIMITER_OFF
from openami.meter.quality import SAG_DV, SWELL_DV
from openami.meter.registers import CapturedEnergy
from openami.meter.residential_profiles import BILLING_ROWS, DAILY_ROWS, PROFILE_ROWS
from openami.meter.ring import INTERVAL_ROW, REGISTER_ROW, Ring, ring_in_memory
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.meter.tampering import Tampering

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FleetRings:
    """The profiles of a fleet: quarter-hours, midnights, months."""

    intervals: Ring
    daily: Ring
    billing: Ring


def rings_in_memory(meters: int) -> FleetRings:
    """Return empty profiles that end with the process."""
    return FleetRings(
        ring_in_memory(INTERVAL_ROW, places=PROFILE_ROWS, meters=meters),
        ring_in_memory(REGISTER_ROW, places=DAILY_ROWS, meters=meters),
        ring_in_memory(REGISTER_ROW, places=BILLING_ROWS, meters=meters),
    )


def _keep_nowhere(_meter: int, _identity: MeterIdentity) -> None:
    """Keep new keys in memory alone."""


@dataclass(slots=True, eq=False)
class FleetMemory:
    """What m meters remember.

    Args:
        rings: their profiles.
        zone: zone of all of them.
        states: what single meters remember; made when there is something.
        tampering: what is wrong with single meters.
        keep_keys: makes new keys of a meter durable, before it uses them.
        new_state: gives the state of a meter that leaves the factory.
        clock_offsets: what clients' settings made clocks show too much.
        marks: status bits of running intervals.
        unsaved: meters whose state changed since it was kept.
        outbox: frames that meters pushed of themselves.
    """

    rings: FleetRings
    zone: ZoneInfo
    states: dict[int, DeviceState] = field(default_factory=dict)
    tampering: dict[int, Tampering] = field(default_factory=dict)
    keep_keys: Callable[[int, MeterIdentity], None] = _keep_nowhere
    new_state: Callable[[], DeviceState] = DeviceState
    clock_offsets: dict[int, timedelta] = field(default_factory=dict)
    marks: dict[int, int] = field(default_factory=dict)
    unsaved: set[int] = field(default_factory=set)
    outbox: list[tuple[int, bytes]] = field(default_factory=list)
    power_mw: I64 = field(init=False)
    voltage_dv: I64 = field(init=False)
    has_captured: bool = False
    """Whether power and voltage have been measured since the process began; before that the profile knows them."""

    def __post_init__(self) -> None:
        meters = self.rings.intervals.rows.shape[1]
        self.power_mw = np.zeros(meters, np.int64)
        self.voltage_dv = np.zeros(meters, np.int64)

    def state(self, meter: int) -> DeviceState:
        """Return what a meter remembers."""
        if meter not in self.states:
            self.states[meter] = self.new_state()
        return self.states[meter]

    def changed(self, meter: int) -> DeviceState:
        """Return what a meter remembers, to be changed: it is kept with the next standing."""
        self.unsaved.add(meter)
        return self.state(meter)

    def open_meters(self, at_s: int) -> list[int]:
        """Return the meters whose switch was open until an instant, seconds since the epoch.

        A quarter-hour that is measured again after a kill is measured as it was, whatever was ordered since.
        """
        return [m for m, state in self.states.items() if not state.was_closed(at_s)]

    def measured(self, delivered_mj: I64, received_mj: I64, *, end_s: int) -> tuple[I64, I64]:
        """Return what the meters measure of what flows when every switch is closed.

        Args:
            delivered_mj: (m, n) int64 to the customers [mJ]; not changed.
            received_mj: (m, n) int64 from the customers [mJ]; not changed.
            end_s: end of the quarter-hour, seconds since the epoch.
        """
        is_open = set(self.open_meters(end_s))
        changed = {*is_open, *self.tampering}
        if not changed:
            return delivered_mj, received_mj
        delivered, received = delivered_mj.copy(), received_mj.copy()
        for meter in changed:
            tampering = self.tampering.get(meter, Tampering())
            for k in range(delivered.shape[1]):
                net = int(delivered[meter, k]) - int(received[meter, k])
                through = 0 if meter in is_open else tampering.measured_mw(net)
                delivered[meter, k], received[meter, k] = max(through, 0), max(-through, 0)
        return delivered, received

    def capture(
        self, end_s: int, captured: Flags, status: npt.NDArray[np.uint8], energy: CapturedEnergy, voltage_dv: I64
    ) -> npt.NDArray[np.uint8]:
        """Keep a quarter-hour and return the status octets with what clients did marked.

        Args:
            end_s: its end, seconds since the epoch.
            captured: (m,) which meters make a row.
            status: (m,) status octets.
            energy: (m, 1) intervals.
            voltage_dv: (m,) average voltage [0.1 V].
        """
        marked = status.copy()
        for meter, bits in self.marks.items():
            marked[meter] |= bits
        self.marks.clear()
        self.clock_offsets.clear()
        self.keep_interval(end_s, captured, marked, energy, voltage_dv)
        self.voltage_dv = np.where(captured, voltage_dv, 0)
        self.has_captured = True
        return marked

    def keep_interval(
        self, end_s: int, captured: Flags, status: npt.NDArray[np.uint8], energy: CapturedEnergy, voltage_dv: I64
    ) -> None:
        """Keep a quarter-hour in the load profiles; arguments as :meth:`capture`."""
        delivered, received = energy.delivered_wh[:, 0], energy.received_wh[:, 0]
        self.rings.intervals.keep(
            end_s,
            captured,
            {"status": status, "voltage_dv": voltage_dv, "delivered_wh": delivered, "received_wh": received},
        )

    def midnight(self, at_s: int, reads: Flags, delivered_wh: I64, received_wh: I64) -> None:
        """Keep the registers of a local midnight, and of a month where one begins.

        Args:
            at_s: the midnight, seconds since the epoch.
            reads: (m,) which meters read.
            delivered_wh: (m,) what the register shows [Wh].
            received_wh: (m,) what the other one shows [Wh].
        """
        columns = {"delivered_wh": delivered_wh, "received_wh": received_wh}
        self.rings.daily.keep(at_s, reads, columns)
        if local_date(instant_from_epoch_s(at_s), self.zone).day == 1:
            self.rings.billing.keep(at_s, reads, columns)

    def watched(self, captured: Flags) -> Iterator[int]:
        """Yield the captured meters that a quarter-hour's voltage or power may make act."""
        unusual = captured & ((self.voltage_dv < SAG_DV) | (self.voltage_dv > SWELL_DV))
        own = {
            m
            for m, s in self.states.items()
            if captured[m]
            and (
                s.limiter.threshold_w != LIMITER_OFF
                or s.quality.due_us(int(self.voltage_dv[m])) is not None
                or s.limiter.is_exceeded
            )
        }
        yield from sorted(own | set(np.flatnonzero(unusual).tolist()))

    def mark_clock_set(self, meter: int, offset: timedelta) -> None:
        """Remember that a client set a meter's clock, until the network puts it right."""
        self.clock_offsets[meter] = offset
        self.marks[meter] = self.marks.get(meter, 0) | RawQuality.CLOCK_ADJUSTED

    def note_dark(self, meter: int, began: datetime) -> None:
        """Write down that a meter's supply failed; once, though a quarter-hour be measured again after a kill."""
        if not self.state(meter).logs.has(began, EventCode.POWER_DOWN):
            self.changed(meter).note(began, EventCode.POWER_DOWN)

    def note_lit(self, meter: int, began: datetime, ended: datetime) -> None:
        """Write down that a meter's supply is back, and count the failure; once, as :meth:`note_dark`."""
        if not self.state(meter).logs.has(ended, EventCode.POWER_UP):
            self.changed(meter).note(ended, EventCode.POWER_UP)
            self.changed(meter).failures.end(began, ended)


INTERVAL_US = QUARTER_HOUR_S * 1_000_000
