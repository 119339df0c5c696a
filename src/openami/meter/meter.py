"""One virtual meter, sans-IO: it is told what flows and until when, and answers with the frames that it pushes.

It integrates continuously, captures a load profile at the quarter-hours of its own clock, reads its registers at
local midnight, logs events, and keeps profiles. It knows no customer and no place. Without a supply it captures and
sends nothing, and its clock goes on from a battery. When the supply returns it pushes the interval that was cut short,
marked, and both events; an interval that was dark from end to end leaves no row.

What a client may read and do is :attr:`VirtualMeter.device`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.contracts.quality import RawQuality
from openami.kernel.errors import MisuseError
from openami.kernel.time import EPOCH, QUARTER_HOUR_S, local_date, local_midnight
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters
from openami.meter.device import CosemDevice
from openami.meter.events import LAST_GASP_ALARM, EventCode
from openami.meter.fleet import MeterFleet
from openami.meter.gasp import GaspRadio
from openami.meter.objects.switch import Order
from openami.meter.registers import MJ_PER_WH, RegisterBank
from openami.meter.residential import carry_out, residential_device
from openami.meter.residential_profiles import BILLING_ROWS, DAILY_ROWS, PROFILE_ROWS
from openami.meter.sealing import MeterIdentity
from openami.meter.state import CLOCK_ERROR, DeviceState
from openami.meter.tampering import Tampering
from openami.meter.virtual_body import VirtualBody
from openami.protocol.push import LoadProfileRow, RegisterRow

MAX_ADVANCE = timedelta(days=70)
"""Longest span of one call: more than the profile holds is a mistake of the caller."""
CLOCK_RESERVE = timedelta(days=7)
"""How long the clock goes on without a supply; IEC 62054-21 asks for a reserve, makers give a week and more."""
_INTERVAL = timedelta(seconds=QUARTER_HOUR_S)
_MICROSECOND = timedelta(microseconds=1)
_US_PER_S = 1_000_000
_MW_PER_W = 1_000


def _keep_nowhere(_identity: MeterIdentity) -> None:
    """Keep new keys in memory alone."""


@dataclass(slots=True)
class _Running:
    """The interval that is being measured."""

    shown_end: datetime
    delivered_wh: int
    received_wh: int
    powered_us: int = 0
    voltage_dv_us: int = 0
    status: int = 0


@dataclass(slots=True)
class VirtualMeter:
    """One meter.

    Args:
        identity: name and keys.
        registers: a bank of one.
        counters: its invocation counter.
        clock: its clock.
        zone: the zone whose midnight its daily read is taken at.
        now: the true instant it stands at, UTC.
        rows_per_push: captured intervals that go out in one push.
        state: what it remembers beside registers and profiles.
        gasps: how last gasps leave it; None for one that is always heard.
        keep_keys: makes new keys durable, before it uses them.
    """

    identity: MeterIdentity
    registers: RegisterBank = field(repr=False)
    counters: InvocationCounters
    clock: MeterClock
    zone: ZoneInfo
    now: datetime
    rows_per_push: int = 1
    state: DeviceState = field(default_factory=DeviceState)
    gasps: GaspRadio | None = None
    keep_keys: Callable[[MeterIdentity], None] = _keep_nowhere
    profile: deque[LoadProfileRow] = field(default_factory=lambda: deque(maxlen=PROFILE_ROWS), repr=False)
    daily: deque[RegisterRow] = field(default_factory=lambda: deque(maxlen=DAILY_ROWS), repr=False)
    billing: deque[RegisterRow] = field(default_factory=lambda: deque(maxlen=BILLING_ROWS), repr=False)
    is_powered: bool = True
    power_mw: int = field(default=0, repr=False)
    voltage_dv: int = 0
    tampering: Tampering = field(default_factory=Tampering)
    device: CosemDevice = field(init=False)
    outbox: list[bytes] = field(default_factory=list)
    _running: _Running = field(init=False, repr=False)
    _cut_short: _Running | None = field(default=None, repr=False)
    _went_dark: datetime | None = None
    _carried_mw_us: list[int] = field(default_factory=lambda: [0, 0])
    _unsent: list[LoadProfileRow] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._begin(_next_quarter(self.clock.shows(self.now)))
        self.device = residential_device(VirtualBody(self), self.state)

    @property
    def log(self) -> list[tuple[datetime, EventCode]]:
        """All kept entries of all logs in the order in which they were written."""
        return self.state.logs.entries()

    @property
    def profile_status(self) -> int:
        """Status bits that the running interval has so far."""
        return self._running.status | (0 if self.clock.is_valid else RawQuality.CLOCK_INVALID)

    def advance(self, to: datetime, *, power_mw: int, voltage_dv: int | None) -> list[bytes]:
        """Let power flow evenly until an instant and return the frames pushed on the way.

        Args:
            to: true instant, UTC, not before ``now``.
            power_mw: power that the customer takes [mW] while the switch lets it; negative is power from the customer.
            voltage_dv: supply voltage [0.1 V]; None is no supply, and then nothing flows.

        Raises:
            MisuseError: time runs backwards or too far, or power flows without a supply.
        """
        if to < self.now or to - self.now > MAX_ADVANCE:
            raise MisuseError("a meter advances forward, by 70 days at most in one call")
        if voltage_dv is None and power_mw != 0:
            raise MisuseError("nothing flows without a supply")
        self._switch_supply(on=voltage_dv is not None)
        self.voltage_dv = voltage_dv or 0
        while self.now < to:
            self.power_mw = self.tampering.measured_mw(power_mw) if self.state.switch.is_closed else 0
            boundary = max(self.clock.truly(self._running.shown_end), self.now)
            until = min(to, boundary, self._next_watched())
            self._flow(until)
            if until == boundary:
                self._end_interval()
        return self.take_frames()

    def take_frames(self) -> list[bytes]:
        """Return the frames pushed since the last call."""
        frames, self.outbox = self.outbox, []
        return frames

    def record_event(self, code: EventCode) -> list[bytes]:
        """Log an event at the present time and return what is pushed of it."""
        self.note(code)
        return self.take_frames()

    def tamper(self, tampering: Tampering) -> list[bytes]:
        """Let something be wrong, or right again, and return what is pushed of what the meter notices."""
        events = list(tampering.events_since(self.tampering))
        self.tampering = tampering
        for code in events:
            self.note(code)
        return self.take_frames()

    def press(self, *, close: bool) -> list[bytes]:
        """Press the button beside the switch, as a customer does."""
        carry_out(VirtualBody(self), self.state, Order.MANUAL_RECONNECT if close else Order.MANUAL_DISCONNECT)
        return self.take_frames()

    def install(self) -> list[bytes]:
        """Say for the first time what the registers show, as a meter does when it is hung and powered."""
        self.push_registers(self.clock.shows(self.now))
        return self.take_frames()

    def adjust_clock(self) -> list[bytes]:
        """Set the clock right, as the network's time service does; the interval it happens in is marked."""
        self.set_clock(self.now)
        return self.take_frames()

    def set_clock(self, shown: datetime) -> None:
        """Let the clock show a time; both times are logged and the interval it happens in is marked."""
        self.note(EventCode.CLOCK_ADJUSTED_FROM)
        self.clock.set_to(shown, instant=self.now)
        self.state.errors &= ~CLOCK_ERROR
        self._running.status |= RawQuality.CLOCK_ADJUSTED
        if not self._running.shown_end - _INTERVAL <= shown < self._running.shown_end:
            # Set across a boundary: the running interval ends at the next quarter-hour of the corrected clock.
            self._running.shown_end = _next_quarter(shown)
        self.note(EventCode.CLOCK_ADJUSTED_TO)

    def note(self, code: EventCode) -> None:
        """Log an event at the present time and push it where it is to be pushed and there is a supply."""
        stamp = self.clock.shows(self.now)
        entry, is_told = self.state.note(stamp, code)
        if is_told and self.is_powered:
            self.push_event(stamp, entry.log, code)

    def push_event(self, stamp: datetime, log: int, code: EventCode) -> None:
        """Push one event of a log."""
        self.outbox.append(self._fleet().push_entries(0, [(stamp, log, code)], at=self.clock.shows(self.now)))

    def push_registers(self, stamp: datetime) -> None:
        """Push what the registers show."""
        delivered_wh, received_wh = (int(v[0]) for v in self.registers.shown_wh())
        self.outbox.append(self._fleet().push_registers(0, [RegisterRow(stamp, delivered_wh, received_wh)], at=stamp))

    def push_profile(self) -> bool:
        """Push the captured rows that were not sent, the last one where all were; tell whether there was a row."""
        rows, self._unsent = self._unsent or list(self.profile)[-1:], []
        if rows:
            self.outbox.append(self._fleet().push_profile(0, rows, at=self.clock.shows(self.now)))
        return bool(rows)

    def _next_watched(self) -> datetime:
        """Return when limiter or voltage watch act next if nothing changes."""
        if not self.is_powered:
            return datetime.max.replace(tzinfo=EPOCH.tzinfo)
        dues = (self.state.limiter.due_us(self.power_mw // _MW_PER_W), self.state.quality.due_us(self.voltage_dv))
        waits = [due for due in dues if due is not None]
        return self.now + min(waits) * _MICROSECOND if waits else datetime.max.replace(tzinfo=EPOCH.tzinfo)

    def _flow(self, until: datetime) -> None:
        span_us = (until - self.now) // _MICROSECOND
        way = 0 if self.power_mw >= 0 else 1
        flowed = abs(self.power_mw) * span_us + self._carried_mw_us[way]
        # What is below a millijoule waits for the next call.
        whole_mj, self._carried_mw_us[way] = divmod(flowed, _US_PER_S)
        (self.registers.delivered_mj if way == 0 else self.registers.received_mj)[0] += whole_mj
        self.now = until
        if self.is_powered:
            self._running.powered_us += span_us
            self._running.voltage_dv_us += self.voltage_dv * span_us
            self._watch(span_us)

    def _watch(self, span_us: int) -> None:
        event = self.state.quality.see(self.voltage_dv, span_us)
        if event is not None:
            self.note(event)
        order = self.state.limiter.see(self.power_mw // _MW_PER_W, span_us)
        if order is not None:
            self.note(EventCode.LIMITER_EXCEEDED if order is Order.LOCAL_DISCONNECT else EventCode.LIMITER_OK)
            carry_out(VirtualBody(self), self.state, order)

    def _end_interval(self) -> None:
        ended = self._running
        if not self.is_powered:
            # The part before the loss is kept once, to be captured when the supply returns.
            if ended.powered_us:
                self._cut_short = ended
                self._begin(ended.shown_end + _INTERVAL)
            else:
                self._running.shown_end += _INTERVAL
            self._running.status |= RawQuality.POWER_DOWN
            return
        self._capture(ended)
        if len(self._unsent) >= self.rows_per_push:
            self.push_profile()
        self._begin(ended.shown_end + _INTERVAL)
        self._midnight_read(ended.shown_end)

    def _capture(self, ended: _Running) -> None:
        delivered_wh, received_wh = self._totals_wh()
        status = ended.status | (0 if self.clock.is_valid else RawQuality.CLOCK_INVALID)
        voltage_dv = ended.voltage_dv_us // ended.powered_us if ended.powered_us else 0
        row = LoadProfileRow(
            ended.shown_end, status, delivered_wh - ended.delivered_wh, received_wh - ended.received_wh, voltage_dv
        )
        self.profile.append(row)
        if not self.tampering.is_push_frozen:
            self._unsent.append(row)

    def _midnight_read(self, shown: datetime) -> None:
        day = local_date(shown, self.zone)
        if shown != local_midnight(day, self.zone):
            return
        row = RegisterRow(shown, *(int(v[0]) for v in self.registers.shown_wh()))
        self.daily.append(row)
        if day.day == 1:
            self.billing.append(row)
        if not self.tampering.is_push_frozen:
            self.push_registers(shown)

    def _switch_supply(self, *, on: bool) -> None:
        if on == self.is_powered:
            return
        stamp = self.clock.shows(self.now)
        self._running.status |= RawQuality.POWER_DOWN
        self.is_powered = on
        self.state.note(stamp, EventCode.POWER_UP if on else EventCode.POWER_DOWN)
        down = (stamp if self._went_dark is None else self._went_dark, EventCode.POWER_DOWN)
        if not on:
            self._went_dark = stamp
            self._gasp((stamp, EventCode.POWER_DOWN))
            return
        self.state.failures.end(down[0], stamp)
        self._went_dark = None
        if stamp - down[0] >= CLOCK_RESERVE:
            self._lose_clock()
        if self._cut_short is not None:
            self._capture(self._cut_short)
            self._cut_short = None
            if self._unsent:
                self.push_profile()
        self.outbox.append(self._fleet().push_events(0, [down, (stamp, EventCode.POWER_UP)], at=stamp))

    def _lose_clock(self) -> None:
        """Distrust a clock that went on for longer than its reserve lasts; what it stamps is marked."""
        self.clock.is_valid = False
        self.state.errors |= CLOCK_ERROR
        self.note(EventCode.CLOCK_INVALID)

    def _gasp(self, event: tuple[datetime, EventCode]) -> None:
        """Send the last gasp as often as the stored energy lets, and keep what is heard of it."""
        if not self.state.alarms.passes(LAST_GASP_ALARM):
            return
        for _ in range(self.gasps.energy_gasps if self.gasps else 1):
            frame = self._fleet().push_events(0, [event], at=event[0], last_gasp=True)
            if self.gasps is None or self.gasps.hears():
                self.outbox.append(frame)

    def _begin(self, shown_end: datetime) -> None:
        self._running = _Running(shown_end, *self._totals_wh())

    def _totals_wh(self) -> tuple[int, int]:
        return int(self.registers.delivered_mj[0]) // MJ_PER_WH, int(self.registers.received_mj[0]) // MJ_PER_WH

    def _fleet(self) -> MeterFleet:
        return MeterFleet([self.identity], self.registers, self.counters)


def _next_quarter(shown: datetime) -> datetime:
    return EPOCH + ((shown - EPOCH) // _INTERVAL + 1) * _INTERVAL
