"""Meter exchanges, and registers that stand close to rolling over. Fixed when the territory is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.sim.dice import Stream, dice

EXCHANGES = 2
ROLLOVERS = 4
"""Meters whose register rolls over within the first year and a half."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An old meter goes, a new one comes, in one instant.

    Args:
        home: where.
        new_meter: index of the new meter in the fleet; the old one has the home's index.
        at_s: seconds since the epoch, inside a quarter-hour.
    """

    home: int
    new_meter: int
    at_s: int


def plan_exchanges(seed: int, home_count: int, *, genesis_s: int, history_end_s: int) -> list[Exchange]:
    """Place the exchanges in working hours of two days of the history, at a minute that no interval begins with."""
    d = dice(seed=seed, stream=Stream.REGISTER, day=1)
    count = min(EXCHANGES, home_count // 2)
    days = (history_end_s - genesis_s) // 86_400
    if days < 10:
        return []
    homes = d.choice(home_count, count, replace=False)
    exchanges = []
    for k in range(count):
        day = int(days * (k + 1) / (count + 1)) + int(d.integers(-3, 3))
        at_s = genesis_s + day * 86_400 + 9 * 3600 + int(d.integers(0, 24)) * 900 + 7 * 60
        exchanges.append(Exchange(int(homes[k]), home_count + k, at_s))
    return exchanges


def first_registers(seed: int, home_count: int, exchange_count: int) -> RegisterBank:
    """Return what every meter shows when its story begins; meters of an exchange begin near 0."""
    d = dice(seed=seed, stream=Stream.REGISTER, day=2)
    meters = home_count + exchange_count
    delivered_wh = d.integers(1_000_000, 70_000_000, meters)
    received_wh = d.integers(0, 20_000_000, meters)
    near = d.choice(home_count, min(ROLLOVERS, home_count), replace=False)
    # Two to nine megawatt-hours before the end: a home of ordinary size gets there within a year.
    delivered_wh[near] = DEFAULT_CAPACITY_WH - d.integers(2_000_000, 9_000_000, len(near))
    delivered_wh[home_count:] = d.integers(0, 9, exchange_count)
    received_wh[home_count:] = 0
    fraction = d.integers(0, MJ_PER_WH, meters)
    return RegisterBank(
        delivered_mj=delivered_wh * MJ_PER_WH + fraction,
        received_mj=received_wh * MJ_PER_WH,
        capacity_wh=np.full(meters, DEFAULT_CAPACITY_WH, dtype=np.int64),
    )


def without_solar(bank: RegisterBank, has_solar: npt.NDArray[np.bool_]) -> RegisterBank:
    """Return the bank with the received register of homes without a roof at 0."""
    received = bank.received_mj.copy()
    received[: len(has_solar)][~has_solar] = 0
    return RegisterBank(bank.delivered_mj, received, bank.capacity_wh)
