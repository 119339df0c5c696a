"""Where a rate rounds, and to what: the energy billed, the demand billed, what percentages are taken of, the total.

Amounts are rounded once per line, half away from zero, to a cent (:mod:`openami.kernel.money`). What stands here are
the choices that rate sheets make around that point.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openami.billing.tariff.errors import TariffError


class EnergyRounding(StrEnum):
    """The energy that is billed.

    WH_EXACT: what the intervals hold, to the Wh.
    WHOLE_KWH: whole kWh, rounded down after adding what the bill before left over; price periods sum to the total
        billed, and what is left over is carried to the next bill.
    """

    WH_EXACT = "wh_exact"
    WHOLE_KWH = "whole_kwh"


class PercentOf(StrEnum):
    """Whether a percentage is taken of printed amounts or of exact ones."""

    PRINTED = "printed"
    EXACT = "exact"


class TotalRule(StrEnum):
    """Whether the total is the sum of the printed lines, or the exact sum rounded once."""

    SUM_OF_ROUNDED = "sum_of_rounded"
    ROUNDED_SUM = "rounded_sum"


@dataclass(frozen=True, slots=True)
class Rounding:
    """A rate's choices.

    Args:
        energy: see :class:`EnergyRounding`.
        percent_of: see :class:`PercentOf`.
        total: see :class:`TotalRule`.
        demand_step_w: billed demand is rounded to the nearest multiple of it [W], half up; 1 leaves it.

    Raises:
        TariffError: the step is no positive number of watts.
    """

    energy: EnergyRounding = EnergyRounding.WH_EXACT
    percent_of: PercentOf = PercentOf.PRINTED
    total: TotalRule = TotalRule.SUM_OF_ROUNDED
    demand_step_w: int = 1

    def __post_init__(self) -> None:
        if self.demand_step_w < 1:
            raise TariffError("rounding.demand_step_w", f"{self.demand_step_w} W is no step; 1 or more is")
