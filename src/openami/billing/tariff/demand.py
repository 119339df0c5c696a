"""Demand charges: prices on the highest mean power of a window, by demand period."""

from __future__ import annotations

from dataclasses import dataclass

from openami.billing.tariff.price import PricePeriod


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A price on the highest mean power of any window in each demand period of the bill.

    Args:
        name: as printed.
        window_minutes: length of the clock-aligned window; None takes the metered interval.
        periods: prices per kW.
    """

    name: str
    window_minutes: int | None
    periods: tuple[PricePeriod, ...]
