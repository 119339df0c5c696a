"""What a rate by time does with a bill of which too few intervals are actual."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openami.billing.tariff.errors import TariffError


class Fallback(StrEnum):
    """HOLD: the bill waits. BILL_ANYWAY: with its estimates. FLAT_PRICE: by the prices of another rate."""

    HOLD = "hold"
    BILL_ANYWAY = "bill_anyway"
    FLAT_PRICE = "flat_price"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The least share of actual intervals, and what happens below it.

    Args:
        least_actual_share: 0 to 1.
        fallback: see :class:`Fallback`.
        flat_rate: code of the rate that ``flat_price`` bills by.

    Raises:
        TariffError: the share is none, or a rate is named without need or needed without name.
    """

    least_actual_share: Decimal
    fallback: Fallback = Fallback.HOLD
    flat_rate: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.least_actual_share <= 1:
            raise TariffError("coverage.least_actual_share", f"{self.least_actual_share} is not 0 to 1")
        if (self.fallback is Fallback.FLAT_PRICE) != bool(self.flat_rate):
            raise TariffError("coverage.flat_rate", "the code of a rate belongs to flat_price, and to it alone")
