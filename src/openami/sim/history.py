"""The territory's past as columns: what the store would hold had every message been sent live.

A first walk through all days integrates the registers; then any stretch of days can be made alone, newest first. What
the plan of losses takes is simply absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import UUIDS, ReadingBatch, RegisterBatch
from openami.kernel.time import QUARTER_HOUR_S
from openami.meter.registers import MJ_PER_WH, CaptureRule, RegisterBank, carry_remainder
from openami.sim.territory import MeterDay, Territory
from openami.sim.world.powerflow import PowerFlow

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """Register totals of m meters at each midnight of the history, and at its end.

    Args:
        days: local days of the history, the last one unfinished.
        delivered_mj, received_mj: (days, m) totals at the midnight each day begins with [mJ].
        reads_midnight: (days, m) whether the meter reads its registers at that midnight.
        end: the registers at the history's end.
        out_wh: (m,) what a meter showed when it was taken away (or at the end) [Wh], delivered.
        out_received_wh: the same, received.
    """

    days: Sequence[date]
    delivered_mj: I64
    received_mj: I64
    reads_midnight: Flags
    end: RegisterBank
    out_wh: I64
    out_received_wh: I64


def tell_story(territory: Territory, days: Sequence[date], *, tick: Callable[[int], None] = lambda _: None) -> Story:
    """Walk through the history once and note the registers at every midnight.

    Args:
        territory: whose.
        days: consecutive local days from genesis to the day of the history's end.
        tick: told how many days are done.
    """
    bank = territory.registers_at_genesis()
    shape = (len(days), territory.meter_count)
    delivered, received = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    reads = np.zeros(shape, np.bool_)
    for k, day in enumerate(days):
        today = territory.day(day)
        delivered[k], received[k], reads[k] = bank.delivered_mj, bank.received_mj, today.reads_midnight
        past = passed(territory, today)
        bank.integrate(today.delivered_mj[:, past], today.received_mj[:, past])
        tick(k + 1)
    shown = bank.shown_wh()
    return Story(days, delivered, received, reads, bank, *shown)


def passed(territory: Territory, today: MeterDay) -> Flags:
    """(n,) the intervals of the day that had ended when the history ended."""
    ended: Flags = today.slots.start_s + QUARTER_HOUR_S <= territory.history_end_s
    return ended


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """Makes the batches of stretches of days.

    Args:
        territory: whose.
        story: its registers.
        meter_ids: (m,) V16 ids of the meters.
        flow: the feeder's power flow; None leaves voltages out.
        held_back: meters whose newest days the territory sends by itself.
        held_back_from_s: where these days begin, a local midnight.
        capture: how the meters make intervals; another rule is for tests of the checkers.
    """

    territory: Territory
    story: Story
    meter_ids: UUIDS
    flow: PowerFlow | None
    held_back: I64
    held_back_from_s: int
    capture: CaptureRule = carry_remainder

    def readings(self, days: Sequence[date]) -> ReadingBatch:
        """Return the interval readings of some days of the history: delivered, received where a roof is, voltage."""
        return ReadingBatch.concatenate([self._readings_of(day) for day in days])

    def registers(self) -> RegisterBatch:
        """Return the midnight register reads of the whole history."""
        return RegisterBatch.concatenate([self._registers_of(k) for k in range(len(self.story.days))])

    def _readings_of(self, day: date) -> ReadingBatch:
        territory, story = self.territory, self.story
        k = (day - story.days[0]).days
        today = territory.day(day)
        bank = RegisterBank(
            story.delivered_mj[k].copy(), story.received_mj[k].copy(), story.end.capacity_wh, self.capture
        )
        energy = bank.integrate(today.delivered_mj, today.received_mj)
        arrived = today.captured & ~territory.losses(today.slots).intervals[territory.home_of]
        arrived &= passed(territory, today)[None, :]
        if today.slots.end_s > self.held_back_from_s:
            arrived[self.held_back] = False
        columns = [(Channel.DELIVERED, energy.delivered_wh, arrived)]
        has_roof = territory.world.homes.has_solar[territory.home_of]
        columns.append((Channel.RECEIVED, energy.received_wh, arrived & has_roof[:, None]))
        if self.flow is not None:
            voltage = self.flow.voltages_dv(today.slots, today.power_mw)[territory.home_of]
            columns.append((Channel.VOLTAGE, voltage, arrived))
        return ReadingBatch.concatenate([self._column(today, *column) for column in columns])

    def _column(self, today: MeterDay, channel: Channel, value: I64, here: Flags) -> ReadingBatch:
        meter, slot = np.nonzero(here)
        n = len(meter)
        return ReadingBatch(
            meter_id=self.meter_ids[meter],
            channel=np.full(n, int(channel), np.uint8),
            start=today.slots.start_s[slot],
            interval_s=np.full(n, QUARTER_HOUR_S, np.uint32),
            value=value[meter, slot],
            quality=today.status[meter, slot].astype(np.uint16),
            source=np.full(n, int(Source.BULK), np.uint8),
            message_id=np.full(n, today.slots.number, np.uint64),
        )

    def _registers_of(self, k: int) -> RegisterBatch:
        story, territory = self.story, self.territory
        slots = territory.world.slots(story.days[k])
        at_s = int(slots.start_s[0])
        here = story.reads_midnight[k] & ~territory.losses(slots).midnight[territory.home_of]
        if at_s > self.held_back_from_s:
            here[self.held_back] = False
        has_roof = territory.world.homes.has_solar[territory.home_of]
        capacity = story.end.capacity_wh
        return RegisterBatch.concatenate(
            [
                self._register_column(Channel.DELIVERED, at_s, story.delivered_mj[k], capacity, here),
                self._register_column(Channel.RECEIVED, at_s, story.received_mj[k], capacity, here & has_roof),
            ]
        )

    def _register_column(
        self, channel: Channel, at_s: int, total_mj: I64, capacity_wh: I64, here: Flags
    ) -> RegisterBatch:
        meter = np.flatnonzero(here)
        n = len(meter)
        return RegisterBatch(
            meter_id=self.meter_ids[meter],
            channel=np.full(n, int(channel), np.uint8),
            at=np.full(n, at_s, np.int64),
            value=(total_mj // MJ_PER_WH % capacity_wh)[meter],
            source=np.full(n, int(Source.BULK), np.uint8),
            message_id=np.full(n, at_s, np.uint64),
        )


def days_between(first: date, last: date) -> list[date]:
    """Return the calendar days from first to last, both included."""
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]
