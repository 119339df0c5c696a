"""Conservation of energy in billing: what was metered is billed, unbilled, estimated and outstanding, or unassigned.

Two roads must come to the same Wh. One sums what validation says of each place and day now. The other sums what bills
print. They meet place by place and day by day: a day is on an issued bill, or on none; whoever has it has a rate, or
nobody has. What has changed on a billed day since stands apart until a correction settles it.

    metered = billed + estimated outstanding + changed since + unbilled + unassigned

A residual other than zero is a fault of ours: a bill that lost or invented energy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


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


@dataclass(frozen=True, slots=True)
class PlaceDay:
    """One place's local day.

    Args:
        wh: by the latest version.
        has_rate: whether somebody is charged for it.
        bill: number of the bill that it is on, or None.
        is_held: whether that bill is held.
        then_wh: by the version that the bill was made from; of a billed day alone.
        is_left: whether its change was decided to be left.
    """

    wh: int
    has_rate: bool = True
    bill: int | None = None
    is_held: bool = False
    then_wh: int = 0
    is_left: bool = False


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


def balance_of(days: Iterable[PlaceDay], bills: Iterable[BilledEnergy], *, loose_wh: int = 0) -> EnergyBalance:
    """Return the balance of one cycle.

    Args:
        days: every place's every day.
        bills: issued and in force, each whole: all of its days are among ``days``.
        loose_wh: of meters that hang nowhere.
    """
    metered = changed = left = held = unbilled = unassigned = 0
    for day in days:
        metered += day.wh
        if day.bill is not None and not day.is_held:
            by = day.wh - day.then_wh
            changed, left = (changed, left + by) if day.is_left else (changed + by, left)
        elif not day.has_rate:
            unassigned += day.wh
        elif day.is_held:
            held += day.wh
        else:
            unbilled += day.wh
    all_bills = list(bills)
    return EnergyBalance(
        metered_wh=metered + loose_wh,
        billed_wh=sum(b.usage_wh - b.estimated_wh for b in all_bills),
        estimated_wh=sum(b.estimated_wh for b in all_bills),
        carried_wh=sum(b.carried_wh for b in all_bills),
        changed_open_wh=changed,
        changed_left_wh=left,
        held_wh=held,
        unbilled_wh=unbilled,
        unassigned_wh=unassigned + loose_wh,
    )
