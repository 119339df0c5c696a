"""What the meters measured before they came to life: their profiles are filled day by day, the newest first.

The registers are known at one instant; going back, each day's energy is taken off, so that the rows are those that the
meters would have captured, to the watt-hour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.kernel.time import QUARTER_HOUR_S, instant_from_epoch_s, local_date
from openami.meter.fleet_memory import FleetMemory
from openami.meter.registers import MJ_PER_WH, CapturedEnergy, carry_remainder
from openami.sim.territory import Territory
from openami.sim.world.powerflow import PowerFlow

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PastCursor:
    """How far back the profiles reach.

    Args:
        at_s: everything from here on is in the profiles, seconds since the epoch.
        delivered_mj: (m,) totals then [mJ].
        received_mj: (m,) totals then [mJ].
    """

    at_s: int
    delivered_mj: I64
    received_mj: I64


def remember_day(
    territory: Territory, flow: PowerFlow, memory: FleetMemory, cursor: PastCursor, capacity_wh: I64
) -> PastCursor:
    """Fill the local day that ends at the cursor, or the part of it before the cursor, and return the new cursor.

    Args:
        territory: whose.
        flow: the feeder's power flow.
        memory: its profiles are filled.
        cursor: how far back they reach.
        capacity_wh: (m,) where the registers roll over.
    """
    made = territory.day(local_date(instant_from_epoch_s(cursor.at_s - 1), territory.world.zone))
    past = made.slots.start_s + QUARTER_HOUR_S <= cursor.at_s
    delivered_mj, received_mj = made.delivered_mj[:, past], made.received_mj[:, past]
    before = PastCursor(
        int(made.slots.start_s[0]),
        cursor.delivered_mj - delivered_mj.sum(axis=1),
        cursor.received_mj - received_mj.sum(axis=1),
    )
    delivered = carry_remainder(before.delivered_mj, delivered_mj)
    received = carry_remainder(before.received_mj, received_mj)
    voltage = flow.voltages_dv(made.slots, made.power_mw)[territory.home_of]
    for slot in range(delivered.shape[1]):
        energy = CapturedEnergy(delivered[:, [slot]], received[:, [slot]])
        end_s = int(made.slots.start_s[slot]) + QUARTER_HOUR_S
        memory.keep_interval(end_s, made.captured[:, slot], made.status[:, slot], energy, voltage[:, slot])
    shown = [total // MJ_PER_WH % capacity_wh for total in (before.delivered_mj, before.received_mj)]
    memory.midnight(before.at_s, made.reads_midnight, *shown)
    return before
