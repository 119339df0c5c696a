"""Who the customers of a simulated cycle are, and what befalls each. Seeded; nothing here knows a bill.

Shares are those that billing departments live with (research note on utility practice): reads that do not come,
exchanges, moves, net metering, empty homes, and master data that reach the registry days late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntEnum
from uuid import UUID

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
BOOLS = npt.NDArray[np.bool_]
BILL_GROUPS = 21


class Fate(IntEnum):
    """The one thing that befalls a customer in the cycle."""

    PLAIN = 0
    LATE_READ = 1
    """Readings of the days about the read come two days late, the register's with them."""
    NO_READ = 2
    """They do not come in the cycle's window at all."""
    EXCHANGE = 3
    MOVE = 4
    LATE_MASTER_DATA = 5
    """Which rate the customer is on is entered after the read."""
    RATE_SWITCH = 6


SHARES = {
    Fate.LATE_READ: 0.005,
    Fate.NO_READ: 0.005,
    Fate.EXCHANGE: 0.015,
    Fate.MOVE: 0.03,
    Fate.LATE_MASTER_DATA: 0.01,
    Fate.RATE_SWITCH: 0.005,
}
NET_SHARE = 0.05
ZERO_SHARE = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """Columns of n customers.

    Args:
        seed: of all dice.
        count: n.
        rates: how many rates there are.
        read_days: for each bill group the scheduled read days that begin and end its cycle.
    """

    seed: int
    count: int
    rates: int
    read_days: dict[int, tuple[date, date]]
    bill_group: I64 = field(init=False)
    rate: I64 = field(init=False)
    fate: I64 = field(init=False)
    is_net: BOOLS = field(init=False)
    is_empty: BOOLS = field(init=False)
    event_day: list[date] = field(init=False)

    def __post_init__(self) -> None:
        dice = np.random.default_rng([self.seed, 1])
        put = object.__setattr__
        put(self, "bill_group", np.arange(self.count) % BILL_GROUPS + 1)
        put(self, "rate", dice.integers(0, self.rates, self.count))
        edges = np.cumsum(list(SHARES.values()))
        thrown = np.searchsorted(edges, dice.random(self.count), side="right")
        fates = np.array([*SHARES, Fate.PLAIN], np.int64)
        put(self, "fate", fates[thrown])
        put(self, "is_net", dice.random(self.count) < NET_SHARE)
        put(self, "is_empty", ~self.is_net & (dice.random(self.count) < ZERO_SHARE))
        put(self, "event_day", self._days(dice.random(self.count)))

    def ids(self, kind: int) -> list[UUID]:
        """Return n random ids, always the same: 1 service points, 2 meters, 3 the new meters of exchanges."""
        octets = np.random.default_rng([self.seed, 100 + kind]).bytes(16 * self.count)
        return [UUID(bytes=octets[at : at + 16], version=4) for at in range(0, len(octets), 16)]

    def with_fate(self, fate: Fate) -> I64:
        """Return the customers whom this befalls."""
        return np.flatnonzero(self.fate == fate)

    @property
    def first_day(self) -> date:
        """The earliest day of any cycle."""
        return min(begin for begin, _ in self.read_days.values())

    @property
    def last_day(self) -> date:
        """The latest read day."""
        return max(end for _, end in self.read_days.values())

    def _days(self, share: npt.NDArray[np.float64]) -> list[date]:
        """Return a day well within each customer's cycle, for what befalls on a day."""
        found = []
        for group, part in zip(self.bill_group.tolist(), share.tolist(), strict=True):
            begin, end = self.read_days[group]
            inner = (end - begin).days - 6
            found.append(begin + timedelta(days=3 + int(part * inner)))
        return found
