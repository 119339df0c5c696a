"""Ratchets: the part of an earlier month's peak below which billed demand does not fall.

Source: NREL URDB v8 ``lookbackpercent``, ``lookbackrange`` and ``lookbackmonths``; v7 ``demandratchetpercentage``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.tariff.errors import TariffError

EVERY_MONTH = frozenset(range(1, 13))
MOST_MONTHS = 36


@dataclass(frozen=True, slots=True)
class Ratchet:
    """Billed demand is at least a part of the highest metered peak of earlier months.

    Args:
        percents: for a peak set in January to December, the part of it that counts [%, 0 to 100]; 0 does not count.
        months: how many revenue months before the bill's own are looked at.
        applies_in: months of the year whose bills the ratchet holds up.
        by_period: whether only peaks of the same demand period count; else all peaks of the charge.

    Raises:
        TariffError: a percentage or a number of months is out of range.
    """

    percents: tuple[Decimal, ...]
    months: int = 11
    applies_in: frozenset[int] = EVERY_MONTH
    by_period: bool = False

    def __post_init__(self) -> None:
        if len(self.percents) != 12 or any(not 0 <= p <= 100 for p in self.percents):
            raise TariffError("ratchet.percents", "twelve percentages of 0 to 100 are needed, January first")
        if not 1 <= self.months <= MOST_MONTHS:
            raise TariffError("ratchet.months", f"{self.months} is not 1 to {MOST_MONTHS}")
        if not self.applies_in <= EVERY_MONTH or not self.applies_in:
            raise TariffError("ratchet.applies_in", "months are 1 to 12, at least one")


def even_ratchet(percent: Decimal, months: int = 11, *, set_in: Iterable[int] = EVERY_MONTH) -> Ratchet:
    """Return a ratchet of one percentage of the peaks set in the months named.

    >>> even_ratchet(Decimal(75), set_in=(6, 7, 8, 9)).percents[5]
    Decimal('75')
    """
    named = frozenset(set_in)
    return Ratchet(tuple(percent if m in named else Decimal(0) for m in range(1, 13)), months)
