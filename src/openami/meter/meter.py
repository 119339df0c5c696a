"""One virtual meter, sans-IO: it is told what flows and until when, and answers with the frames that it pushes.

It integrates continuously, captures a load profile at the quarter-hours of its own clock, reads its registers at
local midnight, logs events, and keeps a profile buffer. It knows no customer and no place. Without a supply it
captures and sends nothing, and its clock goes on from a battery. When the supply returns it pushes the interval that
was cut short, marked, and both events; an interval that was dark from end to end leaves no row.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.contracts.quality import RawQuality
from openami.kernel.errors import MisuseError
from openami.kernel.time import EPOCH, QUARTER_HOUR_S, local_date, local_midnight
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters
from openami.meter.events import EventCode
from openami.meter.fleet import MeterFleet
from openami.meter.registers import MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.protocol.push import LoadProfileRow, RegisterRow

PROFILE_ROWS = 5_760
"""Sixty days of quarter-hours: what the meter keeps to be asked for later."""
LOG_ENTRIES = 256
MAX_ADVANCE = timedelta(days=70)
"""Longest span of one call: more than the profile holds is a mistake of the caller."""
_INTERVAL = timedelta(seconds=QUARTER_HOUR_S)
_MICROSECOND = timedelta(microseconds=1)
_US_PER_S = 1_000_000


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
    """

    identity: MeterIdentity
    registers: RegisterBank
    counters: InvocationCounters
    clock: MeterClock
    zone: ZoneInfo
    now: datetime
    rows_per_push: int = 1
    profile: deque[LoadProfileRow] = field(default_factory=lambda: deque(maxlen=PROFILE_ROWS))
    log: deque[tuple[datetime, EventCode]] = field(default_factory=lambda: deque(maxlen=LOG_ENTRIES))
    is_powered: bool = True
    _running: _Running = field(init=False)
    _cut_short: _Running | None = None
    _carried_mw_us: list[int] = field(default_factory=lambda: [0, 0])
    _unsent: list[LoadProfileRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begin(_next_quarter(self.clock.shows(self.now)))

    def advance(self, to: datetime, *, power_mw: int, voltage_dv: int | None) -> list[bytes]:
        """Let power flow evenly until an instant and return the frames pushed on the way.

        Args:
            to: true instant, UTC, not before ``now``.
            power_mw: power to the customer [mW]; negative is power from the customer.
            voltage_dv: supply voltage [0.1 V]; None is no supply, and then nothing flows.

        Raises:
            MisuseError: time runs backwards or too far, or power flows without a supply.
        """
        if to < self.now or to - self.now > MAX_ADVANCE:
            raise MisuseError("a meter advances forward, by 70 days at most in one call")
        if voltage_dv is None and power_mw != 0:
            raise MisuseError("nothing flows without a supply")
        frames = self._switch_supply(on=voltage_dv is not None)
        while self.now < to:
            boundary = max(self.clock.truly(self._running.shown_end), self.now)
            until = min(to, boundary)
            self._flow(until, power_mw, voltage_dv)
            if until == boundary:
                frames += self._end_interval()
        return frames

    def record_event(self, code: EventCode) -> list[bytes]:
        """Log an event at the present time and push it if there is a supply."""
        stamp = self.clock.shows(self.now)
        self.log.append((stamp, code))
        return [self._fleet().push_events(0, [(stamp, code)], at=stamp)] if self.is_powered else []

    def adjust_clock(self) -> list[bytes]:
        """Set the clock right, as the network's time service does; the interval it happens in is marked."""
        self.log.append((self.clock.shows(self.now), EventCode.CLOCK_ADJUSTED_FROM))
        self.clock.adjust(self.now)
        self._running.status |= RawQuality.CLOCK_ADJUSTED
        if not self._running.shown_end - _INTERVAL <= self.now < self._running.shown_end:
            # Set across a boundary: the running interval ends at the next quarter-hour of the corrected clock.
            self._running.shown_end = _next_quarter(self.now)
        return self.record_event(EventCode.CLOCK_ADJUSTED_TO)

    def _flow(self, until: datetime, power_mw: int, voltage_dv: int | None) -> None:
        span_us = (until - self.now) // _MICROSECOND
        way = 0 if power_mw >= 0 else 1
        flowed = abs(power_mw) * span_us + self._carried_mw_us[way]
        # What is below a millijoule waits for the next call.
        whole_mj, self._carried_mw_us[way] = divmod(flowed, _US_PER_S)
        (self.registers.delivered_mj if way == 0 else self.registers.received_mj)[0] += whole_mj
        if voltage_dv is not None:
            self._running.powered_us += span_us
            self._running.voltage_dv_us += voltage_dv * span_us
        self.now = until

    def _end_interval(self) -> list[bytes]:
        ended = self._running
        if not self.is_powered:
            # The part before the loss is kept once, to be captured when the supply returns.
            if ended.powered_us:
                self._cut_short = ended
                self._begin(ended.shown_end + _INTERVAL)
            else:
                self._running.shown_end += _INTERVAL
            self._running.status |= RawQuality.POWER_DOWN
            return []
        self._capture(ended)
        frames = self._push_profile() if len(self._unsent) >= self.rows_per_push else []
        self._begin(ended.shown_end + _INTERVAL)
        return frames + self._midnight_read(ended.shown_end)

    def _capture(self, ended: _Running) -> None:
        delivered_wh, received_wh = self._totals_wh()
        status = ended.status | (0 if self.clock.is_valid else RawQuality.CLOCK_INVALID)
        voltage_dv = ended.voltage_dv_us // ended.powered_us if ended.powered_us else 0
        row = LoadProfileRow(
            ended.shown_end, status, delivered_wh - ended.delivered_wh, received_wh - ended.received_wh, voltage_dv
        )
        self.profile.append(row)
        self._unsent.append(row)

    def _midnight_read(self, shown: datetime) -> list[bytes]:
        if shown != local_midnight(local_date(shown, self.zone), self.zone):
            return []
        delivered_wh, received_wh = (int(v[0]) for v in self.registers.shown_wh())
        return [self._fleet().push_registers(0, [RegisterRow(shown, delivered_wh, received_wh)], at=shown)]

    def _switch_supply(self, *, on: bool) -> list[bytes]:
        if on == self.is_powered:
            return []
        stamp = self.clock.shows(self.now)
        self._running.status |= RawQuality.POWER_DOWN
        self.is_powered = on
        self.log.append((stamp, EventCode.POWER_UP if on else EventCode.POWER_DOWN))
        if not on:
            return [self._fleet().push_events(0, [self.log[-1]], at=stamp, last_gasp=True)]
        frames = []
        if self._cut_short is not None:
            self._capture(self._cut_short)
            self._cut_short = None
            frames = self._push_profile()
        down = [entry for entry in self.log if entry[1] is EventCode.POWER_DOWN][-1:]
        return [*frames, self._fleet().push_events(0, [*down, self.log[-1]], at=stamp)]

    def _push_profile(self) -> list[bytes]:
        rows, self._unsent = self._unsent, []
        return [self._fleet().push_profile(0, rows, at=self.clock.shows(self.now))]

    def _begin(self, shown_end: datetime) -> None:
        self._running = _Running(shown_end, *self._totals_wh())

    def _totals_wh(self) -> tuple[int, int]:
        return int(self.registers.delivered_mj[0]) // MJ_PER_WH, int(self.registers.received_mj[0]) // MJ_PER_WH

    def _fleet(self) -> MeterFleet:
        return MeterFleet([self.identity], self.registers, self.counters)


def _next_quarter(shown: datetime) -> datetime:
    return EPOCH + ((shown - EPOCH) // _INTERVAL + 1) * _INTERVAL
