"""Charges that do not depend on use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.months import months_of, version_dates
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.charge import ChargeUnit
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.proration import Proration


def fixed_lines(
    schedule: RateSchedule, span: BillSpan, rates: list[DayRate], terms: BillTerms = NO_TERMS
) -> list[BillLine]:
    """Return a line for each fixed charge of each version in force. A yearly charge is charged by twelfths."""
    lines = []
    for version, days in version_dates(span, rates).items():
        tariff = schedule.versions[version]
        part = len(days) if len(days) < span.days else None
        for charge in tariff.fixed:
            quantity, unit = charged(charge.unit, tariff.proration, terms.whole(span), days)
            amount = exact_decimal(Fraction(charge.amount) * quantity)
            lines.append(
                BillLine(
                    LineKind.FIXED, charge.name, None, None, exact_decimal(quantity), unit, charge.amount, amount,
                    version, f"versions[{version}].fixed[{charge.name}]", part,
                )
            )  # fmt: skip
    return lines


def charged(unit: ChargeUnit, proration: Proration, whole: BillSpan, days: Sequence[date]) -> tuple[Fraction, str]:
    """Return how many of its unit a charge is taken for some days of a whole period, and the unit as printed."""
    if unit is ChargeUnit.DAY:
        return Fraction(len(days)), "day"
    months = months_of(proration, whole, days)
    return (months / 12, "year") if unit is ChargeUnit.YEAR else (months, "month")


def printed_sum(lines: Sequence[BillLine]) -> Decimal:
    """Return the sum of the amounts as printed."""
    return sum((line.amount for line in lines), Decimal(0))
