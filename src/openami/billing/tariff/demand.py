"""Demand charges: prices on the highest mean power of a window, by demand period.

Hours and days are the season's weekly plan of demand periods. What a meter of active energy cannot know, reactive
and apparent power, is refused by the reader of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.price import PricePeriod
from openami.billing.tariff.ratchet import Ratchet


class WindowAlignment(StrEnum):
    """Where windows begin.

    CLOCK: at whole multiples of their length on the wall clock.
    ROLLING: with every interval.
    """

    CLOCK = "clock"
    ROLLING = "rolling"


class CoincidentRule(StrEnum):
    """What several peaks of the system in one bill come to: the highest of the customer's windows, or their mean."""

    HIGHEST = "highest"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A price on the highest mean power of any window in each demand period of the bill.

    Args:
        name: as printed; ratchets find earlier peaks by it.
        window_minutes: length of the window; None takes the metered interval.
        periods: prices per kW.
        alignment: see :class:`WindowAlignment`.
        ratchet: the part of earlier peaks that holds billed demand up; None is none.
        coincident: only the windows in which the system peaked count; None is every window.
        least_w: billed demand is at least this [W].

    Raises:
        TariffError: the least demand is negative.
    """

    name: str
    window_minutes: int | None
    periods: tuple[PricePeriod, ...]
    alignment: WindowAlignment = WindowAlignment.CLOCK
    ratchet: Ratchet | None = None
    coincident: CoincidentRule | None = None
    least_w: int = 0

    def __post_init__(self) -> None:
        if self.least_w < 0:
            raise TariffError(f"demand[{self.name}].least_kw", f"{self.least_w} W is negative")
