"""Energy registers A+ and A- of one meter or of a thousand, and the intervals that are differences of them.

Energy is integrated as integer millijoules (milliwatt-seconds), so nothing is lost below a watt-hour. What a meter
shows is whole watt-hours modulo its capacity; an interval is the difference of what the register showed at its two
ends. The remainder below a watt-hour is carried into the next interval, so intervals add up to the register exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import MisuseError
from openami.protocol.push import MAX_REGISTER_WH

I64 = npt.NDArray[np.int64]
MJ_PER_WH = 3_600_000
MAX_CAPACITY_WH = MAX_REGISTER_WH + 1
DEFAULT_CAPACITY_WH = MAX_CAPACITY_WH
"""Registers of profile ``oam-1`` have 32 bits of watt-hours and then show 0 again."""


CaptureRule = Callable[[I64, I64], I64]
"""Takes totals before (m,) and energy added per interval (m, n), both [mJ]; gives intervals (m, n) [Wh]."""


@dataclass(frozen=True, slots=True, eq=False)
class CapturedEnergy:
    """Interval energy: (meters, intervals) int64 [Wh] each way."""

    delivered_wh: I64
    received_wh: I64


def carry_remainder(total_mj: I64, added_mj: I64) -> I64:
    """Return intervals as differences of what the register shows: what is below a watt-hour goes into the next."""
    running = np.concatenate([total_mj[:, None], total_mj[:, None] + np.cumsum(added_mj, axis=1)], axis=1)
    # Rounding each interval by itself would lose the remainder.
    return np.asarray(np.diff(running // MJ_PER_WH, axis=1))


@dataclass(slots=True, eq=False)
class RegisterBank:
    """Registers of m meters.

    Args:
        delivered_mj: (m,) int64 energy to the customers since the registers stood at 0 [mJ].
        received_mj: (m,) int64 energy from the customers [mJ].
        capacity_wh: (m,) int64 count at which each register rolls over to 0, at most 2**32.
        capture: how intervals come from the registers; another rule is for tests of the checkers.

    Raises:
        MisuseError: a negative total or a capacity that 32 bits cannot show.
    """

    delivered_mj: I64
    received_mj: I64
    capacity_wh: I64 = field(default_factory=lambda: np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
    capture: CaptureRule = carry_remainder

    def __post_init__(self) -> None:
        if (self.delivered_mj < 0).any() or (self.received_mj < 0).any():
            raise MisuseError("a register begins at 0 or above")
        if (self.capacity_wh < 1).any() or (self.capacity_wh > MAX_CAPACITY_WH).any():
            raise MisuseError(f"a register capacity is 1 to {MAX_CAPACITY_WH} Wh")

    def integrate(self, delivered_mj: I64, received_mj: I64) -> CapturedEnergy:
        """Add the energy of consecutive intervals and return them as captured.

        Args:
            delivered_mj: (m, n) int64, not negative [mJ].
            received_mj: (m, n) int64, not negative [mJ].

        Raises:
            MisuseError: negative energy.
        """
        if (delivered_mj < 0).any() or (received_mj < 0).any():
            raise MisuseError("energy flows one way at a time: neither direction is negative")
        captured = CapturedEnergy(
            self.capture(self.delivered_mj, delivered_mj), self.capture(self.received_mj, received_mj)
        )
        self.delivered_mj = self.delivered_mj + delivered_mj.sum(axis=1)
        self.received_mj = self.received_mj + received_mj.sum(axis=1)
        return captured

    def shown_wh(self) -> tuple[I64, I64]:
        """Return what the registers show now: (m,) delivered, (m,) received [Wh]."""
        return self.delivered_mj // MJ_PER_WH % self.capacity_wh, self.received_mj // MJ_PER_WH % self.capacity_wh
