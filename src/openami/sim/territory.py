"""The territory: the world with its feeder, its faults and its meters, one local day at a time.

``day`` gives what every meter has to measure and to capture on a day. It is a function of the seed and the two
instants of the plan, so the loader of history and the live meters make the same day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import RawQuality
from openami.kernel.time import QUARTER_HOUR_S
from openami.meter.registers import RegisterBank
from openami.sim.faults.exchanges import Exchange, first_registers, plan_exchanges, without_solar
from openami.sim.faults.losses import DayLosses, day_losses
from openami.sim.faults.outages import Outage, outages_touching
from openami.sim.faults.silent import SilentFault, measured_mj, plan_silent
from openami.sim.world.feeder import Feeder, make_feeder
from openami.sim.world.powerflow import PowerFlow
from openami.sim.world.slots import DaySlots
from openami.sim.world.world import World

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class MeterDay:
    """What the m meters of the territory measure on one local day of n quarter-hours.

    Args:
        slots: the day.
        delivered_mj, received_mj: (m, n) int64 energy through the meter [mJ].
        captured: (m, n) whether the meter makes a profile row of the interval.
        status: (m, n) uint8 profile status bits of the row.
        reads_midnight: (m,) whether the meter hangs and has supply at the midnight the day begins with.
        outages: what failed.
        power_mw: (homes, n) int64 power through the feeder's loads [mW], for the power flow.
    """

    slots: DaySlots
    delivered_mj: I64
    received_mj: I64
    captured: Flags
    status: npt.NDArray[np.uint8]
    reads_midnight: Flags
    outages: Sequence[Outage]
    power_mw: I64


@dataclass(frozen=True)
class Territory:
    """A world under meters.

    Args:
        world: the homes.
        genesis_s: when the meters' story begins: a local midnight, seconds since the epoch.
        history_end_s: when the territory was made; exchanges lie before it.
        silent: how many meters measured wrong for a while, see :mod:`openami.sim.faults.silent`.
    """

    world: World
    genesis_s: int
    history_end_s: int
    silent: int = 0

    @cached_property
    def feeder(self) -> Feeder:
        """The network that the homes hang on."""
        return make_feeder(self.world.seed, self.world.home_count)

    @cached_property
    def exchanges(self) -> list[Exchange]:
        """The meter exchanges."""
        return plan_exchanges(
            self.world.seed, self.world.home_count, genesis_s=self.genesis_s, history_end_s=self.history_end_s
        )

    @cached_property
    def silent_faults(self) -> list[SilentFault]:
        """Meters that measured wrong for a while."""
        candidates = np.flatnonzero(~self.world.homes.has_solar)
        candidates = candidates[~np.isin(candidates, [e.home for e in self.exchanges])]
        return plan_silent(
            self.world.seed, candidates, self.silent, genesis_s=self.genesis_s, history_end_s=self.history_end_s
        )

    @cached_property
    def meter_count(self) -> int:
        """Meters that ever hang in the territory: one per home and one per exchange."""
        return self.world.home_count + len(self.exchanges)

    @cached_property
    def home_of(self) -> I64:
        """(m,) home of each meter."""
        return np.array([*range(self.world.home_count), *(e.home for e in self.exchanges)], dtype=np.int64)

    @cached_property
    def hangs_from_s(self) -> I64:
        """(m,) when each meter was installed; genesis where it hung from the beginning."""
        start = np.full(self.meter_count, self.genesis_s, dtype=np.int64)
        for e in self.exchanges:
            start[e.new_meter] = e.at_s
        return start

    @cached_property
    def hangs_until_s(self) -> I64:
        """(m,) when each meter was taken away; far in the future where it hangs."""
        end = np.full(self.meter_count, np.iinfo(np.int64).max, dtype=np.int64)
        for e in self.exchanges:
            end[e.home] = e.at_s
        return end

    def registers_at_genesis(self) -> RegisterBank:
        """Return the registers as the meters come from the shelf."""
        bank = first_registers(self.world.seed, self.world.home_count, len(self.exchanges))
        return without_solar(bank, self.world.homes.has_solar)

    def losses(self, slots: DaySlots) -> DayLosses:
        """Return the messages of a day that do not arrive, by home."""
        return day_losses(self.world.seed, self.feeder, slots)

    def power_flow(self) -> PowerFlow:
        """Return the feeder's power flow.

        Raises:
            PowerFlowMissingError: the engine is not installed.
        """
        return PowerFlow(self.feeder, self.world.seed)

    def day(self, day: date) -> MeterDay:
        """Return what the meters measure on a local day."""
        load = self.world.load(day)
        slots = load.slots
        outages = outages_touching(self.world.seed, self.feeder, slots)
        lit_s = self._lit_s(slots, outages)
        # Power is even within a quarter-hour, so a part of it carries that part of the energy, to the millijoule.
        through_mj = load.power_mw[self.home_of] * lit_s
        captured, status = self._captured(slots, lit_s)
        counted_mj = measured_mj(self.silent_faults, slots.start_s, through_mj)
        return MeterDay(
            slots=slots,
            delivered_mj=np.maximum(counted_mj, 0),
            received_mj=np.maximum(-counted_mj, 0),
            captured=captured,
            status=status,
            reads_midnight=self.has_supply(int(slots.start_s[0]), outages),
            outages=outages,
            power_mw=self._at_homes(through_mj) // QUARTER_HOUR_S,
        )

    def _lit_s(self, slots: DaySlots, outages: Sequence[Outage]) -> I64:
        """(m, n) seconds of each interval in which the meter hangs and has supply."""
        start, end = slots.start_s[None, :], slots.start_s[None, :] + QUARTER_HOUR_S
        home_lit = np.full((self.world.home_count, len(slots)), QUARTER_HOUR_S, dtype=np.int64)
        for outage in outages:
            dark = np.clip(np.minimum(end, outage.end_s) - np.maximum(start, outage.start_s), 0, None)
            home_lit[outage.homes] = np.maximum(home_lit[outage.homes] - dark, 0)
        lit = home_lit[self.home_of]
        for e in self.exchanges:
            for meter in (e.home, e.new_meter):
                hangs = np.minimum(end, self.hangs_until_s[meter]) - np.maximum(start, self.hangs_from_s[meter])
                lit[meter] = np.minimum(lit[meter], np.clip(hangs[0], 0, None))
        return lit

    def _captured(self, slots: DaySlots, lit_s: I64) -> tuple[Flags, npt.NDArray[np.uint8]]:
        end = slots.start_s[None, :] + QUARTER_HOUR_S
        # A meter that was taken away never closes its last interval.
        captured = (lit_s > 0) & (end <= self.hangs_until_s[:, None])
        status = np.where(captured & (lit_s < QUARTER_HOUR_S), int(RawQuality.POWER_DOWN), 0).astype(np.uint8)
        return captured, status

    def has_supply(self, instant_s: int, outages: Sequence[Outage]) -> Flags:
        """Return (m,) which meters hang and have supply at an instant."""
        supplied = np.ones(self.world.home_count, dtype=np.bool_)
        for outage in outages:
            if outage.start_s <= instant_s < outage.end_s:
                supplied[outage.homes] = False
        hangs = (self.hangs_from_s <= instant_s) & (instant_s < self.hangs_until_s)
        return supplied[self.home_of] & hangs

    def _at_homes(self, through_mj: I64) -> I64:
        at_homes = through_mj[: self.world.home_count].copy()
        for e in self.exchanges:
            at_homes[e.home] += through_mj[e.new_meter]
        return at_homes
