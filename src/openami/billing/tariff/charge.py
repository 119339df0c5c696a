"""Charges of a rate that are no price of energy by period: fixed, minimum, and the dated ones (riders, taxes, credits).

A dated charge has values from dates on, each with its provenance. A value that is not known is None: the bill is then
computed without it, says so, and cannot be issued.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from openami.billing.tariff.errors import TariffError

BASE_KINDS = ("energy", "demand", "fixed")
"""The kinds of line that a minimum and a percentage are of, where the rate names none."""


class ChargeUnit(StrEnum):
    """Time base of a fixed or minimum charge: a month by the proration rule, a day of the bill, or a year."""

    MONTH = "month"
    DAY = "day"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class FixedCharge:
    """A charge that does not depend on use. A yearly one is charged by twelfths, each as a month's charge is."""

    name: str
    amount: Decimal
    unit: ChargeUnit = ChargeUnit.MONTH


@dataclass(frozen=True, slots=True)
class MinimumCharge:
    """The least that named lines come to; what is short is added as a line.

    Args:
        name: as printed.
        amount: per unit.
        unit: a yearly minimum is settled on the bill that closes the rate year.
        of: kinds of lines, or names of charges and codes of riders, that count towards it.
    """

    name: str
    amount: Decimal
    unit: ChargeUnit = ChargeUnit.MONTH
    of: tuple[str, ...] = BASE_KINDS


class RiderUnit(StrEnum):
    """What a dated charge is per: billed kWh, highest billed kW, percent of named lines, month or day."""

    KWH = "kWh"
    KW = "kW"
    PERCENT = "percent"
    MONTH = "month"
    DAY = "day"


class ValueChange(StrEnum):
    """What a bill does in which the value changes.

    METERED: each value takes the energy of its own days, as metered.
    DAYS: each value takes its share of the days.
    BILL: the value in force on the last day takes the whole bill.
    """

    METERED = "metered"
    DAYS = "days"
    BILL = "bill"


@dataclass(frozen=True, slots=True)
class DatedValue:
    """One value, in force from a local day until the next value's.

    Args:
        value: per unit; None is not known.
        effective_from: first day in force; None is without beginning.
        provenance: where it comes from.
        confidence: how sure we are, in words.
    """

    value: Decimal | None
    effective_from: date | None = None
    provenance: str = ""
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class DatedCharge:
    """What riders, taxes and credits have in common.

    Args:
        code: short name, by which other charges and files of values point at it.
        name: as printed.
        unit: see :class:`RiderUnit`.
        values: rising by date. Before the first there is no charge.
        of: for a percentage, kinds of lines, names of charges or codes that it is taken of; for kW, names of demand
            charges (none is all).
        change: see :class:`ValueChange`.
        when: attributes that a bill must have for the charge to apply; ``-`` before a value means any other.

    Raises:
        TariffError: values do not rise by date, or energy of days is asked of a charge that is not per kWh.
    """

    code: str
    name: str
    unit: RiderUnit
    values: tuple[DatedValue, ...]
    of: tuple[str, ...] = ()
    change: ValueChange = ValueChange.DAYS
    when: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        days = [v.effective_from for v in self.values]
        later = [d for d in days[1:] if d is not None]
        rising = all(a < b for a, b in itertools.pairwise([d for d in days if d is not None]))
        if not days or len(later) != len(days) - 1 or not rising:
            raise TariffError(f"[{self.code}].values", "values are needed, each from a later day than the one before")
        if self.change is ValueChange.METERED and self.unit is not RiderUnit.KWH:
            raise TariffError(f"[{self.code}].change", f"energy by days has no meaning for a charge per {self.unit}")

    def index_on(self, day: date) -> int | None:
        """Return the index of the value in force on a local day; None before the first."""
        for index in range(len(self.values) - 1, -1, -1):
            begins = self.values[index].effective_from
            if begins is None or begins <= day:
                return index
        return None

    def applies_to(self, attributes: Mapping[str, str]) -> bool:
        """Tell whether the charge applies to a bill with these attributes."""
        return all(
            attributes.get(k, "") != v[1:] if v.startswith("-") else attributes.get(k, "") == v
            for k, v in self.when.items()
        )


@dataclass(frozen=True, slots=True)
class Rider(DatedCharge):
    """A charge or a refund beside the base prices, filed apart and changed often."""


@dataclass(frozen=True, slots=True)
class Tax(DatedCharge):
    """A tax, or a municipal charge collected for others. ``municipality`` empty is everywhere.

    A rate that taxes by municipality lists every one it knows, with 0 where there is no tax: of another, the tax is
    not known.
    """

    municipality: str = ""


@dataclass(frozen=True, slots=True)
class Credit(DatedCharge):
    """A reduction, given as a positive value. With ``stops_at_zero`` it cannot make the lines before it negative."""

    stops_at_zero: bool = False
