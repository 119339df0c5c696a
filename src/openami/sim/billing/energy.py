"""What the customers of a simulated cycle really use and send out, and what their meters say of it.

Rows are made by blocks of customers, each from dice of its own, so that a hundred thousand customers need no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.quality import Method, QualityState
from openami.kernel.time import epoch_s, local_midnight
from openami.mdm.vee.grid import I64, Grid, grid_of
from openami.sim.billing.customers import BOOLS, Customers, Fate

BLOCK = 500
PER_DAY = 96
GAP_BEFORE_DAYS = 2
"""A failed read begins so many days before the read day."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some customers over the whole span.

    Args:
        rows: (b,) which customers.
        used_wh, sent_wh: (b, N) the truth.
        told_wh: (b, N) used energy as validation has it while late readings are away.
        quality, method: (b, N) uint8 of ``told_wh``.
        register_wh: (b, D + 1) delivered register at the midnights, of the first meter, as it really stood.
        is_read: (b, D + 1) midnights whose read came.
    """

    rows: I64
    used_wh: I64
    sent_wh: I64
    told_wh: I64
    quality: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    method: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    register_wh: I64
    is_read: BOOLS


@dataclass(frozen=True, slots=True, eq=False)
class Energy:
    """The energy of all customers.

    Args:
        customers: whose.
        zone: of all of them.
        days_after: how many days after the last read day the span goes on.
    """

    customers: Customers
    zone: ZoneInfo
    days_after: int = 4

    @property
    def grid(self) -> Grid:
        """The quarter-hours from the first cycle's begin."""
        return grid_of(self.zone, self.customers.first_day, self.last_day, 900)

    @property
    def last_day(self) -> date:
        """The last day of the span."""
        return self.customers.last_day + timedelta(days=self.days_after - 1)

    def blocks(self) -> Iterator[Block]:
        """Yield all customers, some at a time."""
        for at in range(0, self.customers.count, BLOCK):
            yield self.block(at // BLOCK)

    def block(self, number: int) -> Block:
        """Return one block of customers."""
        grid, rows = self.grid, np.arange(number * BLOCK, min((number + 1) * BLOCK, self.customers.count))
        dice = np.random.default_rng([self.customers.seed, 2, number])
        used, sent = self._truth(dice, rows, grid)
        lost, is_read = self._lost(rows, grid)
        told, quality, method = _told(used, lost)
        base = dice.integers(1_000_000, 60_000_000, len(rows))
        edges = np.concatenate([np.zeros((len(rows), 1), np.int64), np.cumsum(used, axis=1)], axis=1)[:, grid.day_at]
        return Block(rows, used, sent, told, quality, method, base[:, None] + edges, is_read)

    def event_at(self, row: int) -> datetime:
        """Return the instant of what befalls a customer on a day: mid-morning for an exchange, midnight otherwise."""
        midnight = local_midnight(self.customers.event_day[row], self.zone)
        is_exchange = self.customers.fate[row] == Fate.EXCHANGE
        return midnight + timedelta(hours=10, minutes=30) if is_exchange else midnight

    def _truth(self, dice: np.random.Generator, rows: I64, grid: Grid) -> tuple[I64, I64]:
        n = grid.columns
        hour = (np.arange(n) % PER_DAY) / 4
        shape = 0.4 + np.exp(-((hour - 7.5) ** 2) / 3) + 1.6 * np.exp(-((hour - 19) ** 2) / 6)
        level = dice.lognormal(4.8, 0.5, (len(rows), 1))
        used = np.rint(level * shape * np.exp(0.35 * dice.standard_normal((len(rows), n), np.float32))).astype(np.int64)
        used += (dice.random((len(rows), n), np.float32) < 0.02) * dice.integers(200, 900, (len(rows), n))
        used[self.customers.is_empty[rows]] = 0
        sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * (hour > 6) * (hour < 18)
        roof = dice.uniform(300, 1500, (len(rows), 1)) * self.customers.is_net[rows][:, None]
        sent = np.rint(roof * sun * dice.uniform(0.4, 1, (len(rows), n))).astype(np.int64)
        return used, np.maximum(sent - used, 0)

    def _lost(self, rows: I64, grid: Grid) -> tuple[BOOLS, BOOLS]:
        """Return the quarter-hours, and the midnights' reads, that did not come."""
        lost = np.zeros((len(rows), grid.columns), bool)
        is_read = np.ones((len(rows), len(grid.day_at)), bool)
        for k, row in enumerate(rows.tolist()):
            fate = self.customers.fate[row]
            if fate not in (Fate.LATE_READ, Fate.NO_READ):
                continue
            _, end = self.customers.read_days[int(self.customers.bill_group[row])]
            first = (end - self.customers.first_day).days - GAP_BEFORE_DAYS
            last = len(grid.day_at) - 1 if fate == Fate.NO_READ else first + GAP_BEFORE_DAYS + 1
            last = min(last, len(grid.day_at) - 1)
            lost[k, grid.day_at[first] : grid.day_at[last]] = True
            is_read[k, first + 1 : last + 1] = False
        return lost, is_read


def midnights_s(energy: Energy) -> I64:
    """Return (D + 1,) the midnights of the span, seconds since the epoch."""
    first, days = energy.customers.first_day, len(energy.grid.day_at)
    return np.array([epoch_s(local_midnight(first + timedelta(days=k), energy.zone)) for k in range(days)])


def _told(used: I64, lost: BOOLS) -> tuple[I64, np.ndarray, np.ndarray]:
    """Return what validation makes of it while readings are away: the same hours of the week before, by estimate."""
    told, quality = used.copy(), np.zeros(used.shape, np.uint8)
    method = np.zeros(used.shape, np.uint8)
    for row in np.flatnonzero(lost.any(axis=1)):
        where = np.flatnonzero(lost[row])
        told[row, where] = used[row, where - 7 * PER_DAY]
        quality[row, where] = QualityState.ESTIMATED
        method[row, where] = Method.LIKE_DAYS
    return told, quality, method
