"""The meters at work: what each of them sends, one quarter-hour of the world after another.

The core of the territory process, without clock, disk or socket: it is asked for a quarter-hour and gives sealed
frames with the domain instant at which the collector hears each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from openami.contracts.frame import FrameClass
from openami.kernel.ids import SystemTitle
from openami.kernel.time import QUARTER_HOUR_S, instant_from_epoch_s, local_date
from openami.meter.events import EventCode
from openami.meter.fleet import MeterFleet
from openami.meter.fleet_device import FleetBody
from openami.meter.fleet_memory import FleetMemory, rings_in_memory
from openami.meter.registers import CapturedEnergy
from openami.meter.tampering import Tampering
from openami.protocol.push import LoadProfileRow, RegisterRow
from openami.sim.dice import Stream, dice
from openami.sim.faults.losses import DayLosses
from openami.sim.faults.outages import Outage
from openami.sim.mesh import OnAir, TerritoryAir
from openami.sim.radio import push_delays_s
from openami.sim.territory import MeterDay, Territory
from openami.sim.world.powerflow import PowerFlow

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
BACKFILL_ROWS = 4
"""Rows of a push when a meter catches up."""
_GASP_HEARD_SHARE = 0.7
_DAYS_AT_HAND = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame as a collector hears it.

    Args:
        due_s: when, domain seconds since the epoch; before the air has carried it, when it is sent.
        home: where the meter hangs; its radio cell follows.
        frame_class: order hint by the source port.
        title: the system title in the frame's clear header.
        octets: the wrapper frame.
    """

    due_s: int
    home: int
    frame_class: FrameClass
    title: SystemTitle
    octets: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _DayAtHand:
    """A day made once and used for its quarter-hours."""

    day: MeterDay
    losses: DayLosses
    source_pu: npt.NDArray[np.float64]


@dataclass(slots=True, eq=False)
class LiveMeters:
    """The fleet at work.

    Args:
        territory: the world under the meters.
        fleet: registers, keys and counters; its registers stand at ``at_s``.
        flow: the feeder's power flow.
        at_s: end of the last quarter-hour that was measured, seconds since the epoch.
        kept: profiles and states of the meters; None for ones that end with the process.
        air: the cells' meshes; None for an air that carries everything at once.
    """

    territory: Territory
    fleet: MeterFleet
    flow: PowerFlow
    at_s: int
    kept: FleetMemory | None = None
    air: TerritoryAir | None = None
    memory: FleetMemory = field(init=False)
    _days: dict[date, _DayAtHand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = self.kept or FleetMemory(rings_in_memory(self.territory.meter_count), self.territory.world.zone)

    def step(self) -> list[Heard]:
        """Measure the next quarter-hour and return what collectors will hear of it, in order of time."""
        start_s = self.at_s
        hand, slot = self._at_hand(start_s)
        energy = self._measure(hand, slot)
        self.at_s = start_s + QUARTER_HOUR_S
        delays_s = push_delays_s(self.territory.world.seed, self.territory.meter_count, slot_start_s=start_s)
        heard = list(self._profile_pushes(hand, slot, energy, delays_s))
        heard += self._midnight_pushes(delays_s)
        for outage in hand.day.outages:
            heard += self._outage_pushes(outage, start_s)
        heard += self._said_by_themselves(hand.day.captured[:, slot])
        if self.air is not None:
            self.air.close(start_s)
        return self._carried(heard)

    def pass_by(self) -> None:
        """Measure the next quarter-hour and send nothing: what a meter does whose profile has overflowed."""
        hand, slot = self._at_hand(self.at_s)
        self._measure(hand, slot)
        self.at_s += QUARTER_HOUR_S

    def has_supply(self, meter: int, instant_s: int) -> bool:
        """Tell whether a meter hangs and has supply: without, it does not answer."""
        hand, _ = self._at_hand(instant_s)
        return bool(self.territory.has_supply(instant_s, hand.day.outages)[meter])

    def tamper(self, meter: int, tampering: Tampering) -> None:
        """Let something be wrong with a meter, or right again; what it says is heard with the next step."""
        now = instant_from_epoch_s(self.at_s)
        FleetBody(self.fleet, self.memory, meter, lambda: now).tamper(tampering)

    def _measure(self, hand: _DayAtHand, slot: int) -> CapturedEnergy:
        end_s = int(hand.day.slots.start_s[slot]) + QUARTER_HOUR_S
        flows = hand.day.delivered_mj[:, [slot]], hand.day.received_mj[:, [slot]]
        delivered, received = self.memory.measured(*flows, end_s=end_s)
        self.memory.power_mw = (delivered[:, 0] - received[:, 0]) // QUARTER_HOUR_S
        return self.fleet.registers.integrate(delivered, received)

    def _said_by_themselves(self, captured: Flags) -> Iterator[Heard]:
        """Let voltage and power work on what meters watch, and yield what they push of it and of what clients did."""
        end = instant_from_epoch_s(self.at_s)
        for meter in self.memory.watched(captured):
            FleetBody(self.fleet, self.memory, meter, lambda: end).watch()
        yield from self._outbox(self.at_s)

    def said(self, due_s: int) -> list[Heard]:
        """Return what meters pushed of themselves since the last call, as heard at an instant."""
        return self._carried(self._outbox(due_s))

    def _carried(self, sent: list[Heard]) -> list[Heard]:
        """Return what the collectors hear of what meters send, in order of time."""
        if self.air is None:
            return sorted(sent, key=lambda h: h.due_s)
        frames = [OnAir(h.due_s, h.home, h.frame_class, len(h.octets)) for h in sent]
        return [replace(sent[i], due_s=at_s) for i, at_s in self.air.carry(frames, slot=self.at_s // QUARTER_HOUR_S)]

    def _outbox(self, due_s: int) -> list[Heard]:
        outbox, self.memory.outbox = self.memory.outbox, []
        return [self._heard(meter, due_s, FrameClass.ALARM, octets) for meter, octets in outbox]

    def _at_hand(self, start_s: int) -> tuple[_DayAtHand, int]:
        day = local_date(instant_from_epoch_s(start_s), self.territory.world.zone)
        if day not in self._days:
            while len(self._days) >= _DAYS_AT_HAND:
                del self._days[min(self._days)]
            self._days[day] = self._make_day(day)
        hand = self._days[day]
        return hand, (start_s - int(hand.day.slots.start_s[0])) // QUARTER_HOUR_S

    def _make_day(self, day: date) -> _DayAtHand:
        made = self.territory.day(day)
        return _DayAtHand(made, self.territory.losses(made.slots), self.flow.source_pu(made.slots))

    def _profile_pushes(self, hand: _DayAtHand, slot: int, energy: CapturedEnergy, delays_s: I64) -> Iterator[Heard]:
        day, territory = hand.day, self.territory
        end_s = int(day.slots.start_s[slot]) + QUARTER_HOUR_S
        power_mw = day.power_mw[:, [slot]].copy()
        # Behind an open switch nothing is drawn.
        power_mw[territory.home_of[self.memory.open_meters(end_s)]] = 0
        voltage = self.flow.solve(power_mw, source_pu=hand.source_pu[[slot]])[:, 0]
        lost = hand.losses.intervals[territory.home_of, slot]
        end = instant_from_epoch_s(end_s)
        returns_s = self._returns_s(day.outages, end_s)
        status = self.memory.capture(
            end_s, day.captured[:, slot], day.status[:, slot], energy, voltage[territory.home_of]
        )
        for meter in np.flatnonzero(day.captured[:, slot]):
            m, home = int(meter), int(territory.home_of[meter])
            row = LoadProfileRow(
                end,
                int(status[m]),
                int(energy.delivered_wh[m, 0]),
                int(energy.received_wh[m, 0]),
                int(voltage[home]),
            )
            # A meter without supply at the end of the interval sends when the supply is back.
            sent_s = int(returns_s[home])
            octets = self.fleet.push_profile(m, [row], at=instant_from_epoch_s(sent_s))
            if not lost[m] and not self._is_frozen(m):
                yield self._heard(m, sent_s + int(delays_s[m]), FrameClass.PROFILE, octets)

    def _is_frozen(self, meter: int) -> bool:
        tampering = self.memory.tampering.get(meter)
        return tampering is not None and tampering.is_push_frozen

    def _returns_s(self, outages: Sequence[Outage], instant_s: int) -> I64:
        """(homes,) the instant, or the end of the outage that the home is in then."""
        returns = np.full(self.territory.world.home_count, instant_s, dtype=np.int64)
        for outage in outages:
            if outage.start_s <= instant_s < outage.end_s:
                returns[outage.homes] = np.maximum(returns[outage.homes], outage.end_s)
        return returns

    def _midnight_pushes(self, delays_s: I64) -> Iterator[Heard]:
        hand, slot = self._at_hand(self.at_s)
        if slot != 0:
            return
        at = instant_from_epoch_s(self.at_s)
        delivered, received = self.fleet.registers.shown_wh()
        lost = hand.losses.midnight[self.territory.home_of]
        self.memory.midnight(self.at_s, hand.day.reads_midnight, delivered, received)
        for meter in np.flatnonzero(hand.day.reads_midnight):
            m = int(meter)
            row = RegisterRow(at, int(delivered[m]), int(received[m]))
            octets = self.fleet.push_registers(m, [row], at=at)
            if not lost[m] and not self._is_frozen(m):
                yield self._heard(m, self.at_s + int(delays_s[m]) + 1, FrameClass.PROFILE, octets)

    def _outage_pushes(self, outage: Outage, start_s: int) -> Iterator[Heard]:
        """Last gasps of an outage that began in the quarter-hour, and power-up events of one that ended in it."""
        d = dice(seed=self.territory.world.seed, stream=Stream.RADIO, day=outage.start_s)
        wait_s = d.integers(2, 40, len(outage.homes))
        hears = d.random(len(outage.homes)) < _GASP_HEARD_SHARE
        window_s = self.air.power_up_window_s(outage.homes) if self.air else 40
        returns_s = d.integers(2, 2 + window_s, len(outage.homes))
        down = (instant_from_epoch_s(outage.start_s), EventCode.POWER_DOWN)
        up = (instant_from_epoch_s(outage.end_s), EventCode.POWER_UP)
        began = start_s <= outage.start_s < self.at_s
        ended = start_s <= outage.end_s < self.at_s
        for k, home in enumerate(outage.homes):
            meter = self._meter_at(int(home), outage.start_s)
            if began:
                self.memory.note_dark(meter, down[0])
                octets = self.fleet.push_events(meter, [down], at=down[0], last_gasp=True)
                if hears[k]:
                    yield self._heard(meter, outage.start_s + int(wait_s[k]), FrameClass.LAST_GASP, octets)
            if ended:
                self.memory.note_lit(meter, down[0], up[0])
                octets = self.fleet.push_events(meter, [down, up], at=up[0])
                yield self._heard(meter, outage.end_s + int(returns_s[k]), FrameClass.ALARM, octets)

    def _meter_at(self, home: int, instant_s: int) -> int:
        for e in self.territory.exchanges:
            if e.home == home and instant_s >= e.at_s:
                return e.new_meter
        return home

    def _heard(self, meter: int, due_s: int, frame_class: FrameClass, octets: bytes) -> Heard:
        title = self.fleet.identities[meter].title
        return Heard(due_s, int(self.territory.home_of[meter]), frame_class, title, octets)


def backfill_day(
    territory: Territory, fleet: MeterFleet, flow: PowerFlow, *, meters: I64, day: date, until_s: int
) -> list[Heard]:
    """Return what some meters send of one past day when they catch up: four rows a push, then the midnight read.

    Args:
        territory: whose.
        fleet: its registers stand at the midnight the day begins with (those of ``meters`` count).
        flow: the feeder's power flow.
        meters: which.
        day: the local day.
        until_s: rows that end later are left to live work.
    """
    made = territory.day(day)
    losses = territory.losses(made.slots)
    past = np.flatnonzero(made.slots.start_s + QUARTER_HOUR_S <= until_s)
    voltage = flow.voltages_dv(made.slots, made.power_mw)[territory.home_of]
    energy = fleet.registers.integrate(made.delivered_mj[:, past], made.received_mj[:, past])
    heard: list[Heard] = []
    for meter in meters.tolist():
        title, home = fleet.identities[meter].title, int(territory.home_of[meter])
        here = past[made.captured[meter, past] & ~losses.intervals[home, past]]
        rows = [
            LoadProfileRow(
                instant_from_epoch_s(int(made.slots.start_s[s]) + QUARTER_HOUR_S),
                int(made.status[meter, s]),
                int(energy.delivered_wh[meter, s]),
                int(energy.received_wh[meter, s]),
                int(voltage[meter, s]),
            )
            for s in here
        ]
        for k in range(0, len(rows), BACKFILL_ROWS):
            part = rows[k : k + BACKFILL_ROWS]
            octets = fleet.push_profile(meter, part, at=part[-1].end)
            heard.append(Heard(until_s, home, FrameClass.PROFILE, title, octets))
    if made.slots.end_s <= until_s:
        heard += _next_midnight(territory, fleet, meters, day, until_s)
    return heard


def _next_midnight(territory: Territory, fleet: MeterFleet, meters: I64, day: date, until_s: int) -> list[Heard]:
    tomorrow = territory.day(day + timedelta(days=1))
    lost = territory.losses(tomorrow.slots).midnight
    at = instant_from_epoch_s(int(tomorrow.slots.start_s[0]))
    delivered, received = fleet.registers.shown_wh()
    heard = []
    for meter in meters.tolist():
        home = int(territory.home_of[meter])
        if tomorrow.reads_midnight[meter] and not lost[home]:
            octets = fleet.push_registers(meter, [RegisterRow(at, int(delivered[meter]), int(received[meter]))], at=at)
            heard.append(Heard(until_s, home, FrameClass.PROFILE, fleet.identities[meter].title, octets))
    return heard
