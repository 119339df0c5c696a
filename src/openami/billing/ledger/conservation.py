"""Conservation of energy in billing: what was metered is billed, unbilled, estimated and outstanding, or unassigned.

Two roads must come to the same Wh. One sums what validation says of each place and day now. The other sums what bills
print. They meet place by place and day by day: a day is on an issued bill, or on none; whoever has it has a rate, or
nobody has. What has changed on a billed day since stands apart until a correction settles it.

    metered = billed + estimated outstanding + changed since + unbilled + unassigned

A residual other than zero is a fault of ours: a bill that lost or invented energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
BOOLS = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EnergyBalance:
    """Energy of one cycle [Wh]; delivered.

    Args:
        metered_wh: of all places and days, by validation's latest versions, and of meters that hang nowhere.
        billed_wh: on issued bills, as measured when they were made.
        estimated_wh: on issued bills, by estimate: outstanding until an actual read trues it up.
        carried_wh: parts of a kWh that whole-kWh rates carry from bill to bill: carried out less carried in.
        changed_open_wh: by which billed days have changed since and wait for a decision.
        changed_left_wh: likewise, decided to be left, or within tolerance.
        held_wh: of days whose bill is held.
        unbilled_wh: of days on no bill yet.
        unassigned_wh: of days on which nobody has a rate, and of meters that hang nowhere.
    """

    metered_wh: int = 0
    billed_wh: int = 0
    estimated_wh: int = 0
    carried_wh: int = 0
    changed_open_wh: int = 0
    changed_left_wh: int = 0
    held_wh: int = 0
    unbilled_wh: int = 0
    unassigned_wh: int = 0

    def __add__(self, other: EnergyBalance) -> EnergyBalance:
        return EnergyBalance(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def accounted_wh(self) -> int:
        """All that is accounted for."""
        return (
            self.billed_wh
            + self.estimated_wh
            + self.carried_wh
            + self.changed_open_wh
            + self.changed_left_wh
            + self.held_wh
            + self.unbilled_wh
            + self.unassigned_wh
        )

    @property
    def residual_wh(self) -> int:
        """What is metered and not accounted for; zero, or a fault."""
        return self.metered_wh - self.accounted_wh


@dataclass(frozen=True, slots=True, eq=False)
class PlaceDays:
    """Every place's every local day, as columns of one length.

    Args:
        wh: int64, by the latest version; 0 where there is none.
        then_wh: int64, by the version that its bill was made from; of days on an issued bill alone.
        on_bill: bool, on an issued bill in force.
        on_hold: bool, on a held bill.
        has_rate: bool, whether somebody is charged for it.
        is_left: bool, whether a change of it since was decided to be left, or is within tolerance.
    """

    wh: I64
    then_wh: I64
    on_bill: BOOLS
    on_hold: BOOLS
    has_rate: BOOLS
    is_left: BOOLS


@dataclass(frozen=True, slots=True)
class BilledEnergy:
    """What an issued bill prints.

    Args:
        usage_wh: billed in all.
        estimated_wh: of it by estimate.
        carried_wh: parts of a kWh carried out of it, less those carried into it.
    """

    usage_wh: int
    estimated_wh: int = 0
    carried_wh: int = 0


def balance_of(
    days: PlaceDays, bills: Sequence[BilledEnergy], *, loose_wh: int = 0, by_register_wh: int = 0
) -> EnergyBalance:
    """Return the balance of one cycle.

    Args:
        days: every place's every day.
        bills: issued and in force, each whole: all of its days are among ``days``.
        loose_wh: of meters that hang nowhere.
        by_register_wh: what registers advanced on bills that were made from reads alone; their days hold nothing.
    """
    by = np.where(days.on_bill, days.wh - days.then_wh, 0)
    off = ~days.on_bill
    open_days = off & days.has_rate
    estimated = sum(b.estimated_wh for b in bills)
    return EnergyBalance(
        metered_wh=int(days.wh.sum()) + loose_wh + by_register_wh,
        billed_wh=sum(b.usage_wh for b in bills) - estimated,
        estimated_wh=estimated,
        carried_wh=sum(b.carried_wh for b in bills),
        changed_open_wh=int(by[~days.is_left].sum()),
        changed_left_wh=int(by[days.is_left].sum()),
        held_wh=int(days.wh[open_days & days.on_hold].sum()),
        unbilled_wh=int(days.wh[open_days & ~days.on_hold].sum()),
        unassigned_wh=int(days.wh[off & ~days.has_rate].sum()) + loose_wh,
    )
