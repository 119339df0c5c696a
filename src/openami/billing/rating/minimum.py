"""The least that a bill's lines come to, by bill or day, or by the rate year.

The top-up is against printed amounts, so that what it tops up is the minimum exactly. A yearly minimum is settled on
the bill that closes the rate year, for the days billed in it: a year of fewer than ``FULL_YEAR_DAYS`` has its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.carried import Carried, YearToDate
from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.fixed import charged, printed_sum
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.months import version_dates
from openami.billing.rating.selected import selected
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.charge import ChargeUnit, MinimumCharge
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.kernel.money import rounded_to_cent

FULL_YEAR_DAYS = 350
"""Twelve billing periods of 26 to 35 days may hold a few days less than a year, and are a year."""


def minimum_lines(
    schedule: RateSchedule, span: BillSpan, rates: list[DayRate], lines: Sequence[BillLine], terms: BillTerms
) -> list[BillLine]:
    """Return the top-up to the minimum by bill or by day; none where the lines come to it."""
    least, last, at = Fraction(0), None, 0
    for version, days in version_dates(span, rates).items():
        charge = schedule.versions[version].minimum
        if charge is not None and charge.unit is not ChargeUnit.YEAR:
            last, at = charge, version
            quantity, _ = charged(charge.unit, schedule.versions[version].proration, terms.whole(span), days)
            least += Fraction(charge.amount) * quantity
    if last is None:
        return []
    short = rounded_to_cent(exact_decimal(least)) - printed_sum(selected(lines, last.of))
    return [_top_up(last, at, short, "month")] if short > 0 else []


def yearly_minimum_lines(
    tariff: Tariff, version: int, span: BillSpan, lines: Sequence[BillLine], terms: BillTerms, year: YearToDate
) -> list[BillLine]:
    """Return the top-up to a yearly minimum on the bill that closes the rate year."""
    charge = tariff.minimum
    if charge is None or charge.unit is not ChargeUnit.YEAR or not closes_year(tariff, span, terms):
        return []
    days = year.days + span.days
    share = Fraction(1) if days >= FULL_YEAR_DAYS else Fraction(days, 365)
    least = rounded_to_cent(exact_decimal(Fraction(charge.amount) * share))
    short = least - year.charged - year.minimum - printed_sum(selected(lines, charge.of))
    return [_top_up(charge, version, short, "year")] if short > 0 else []


def closes_year(tariff: Tariff, span: BillSpan, terms: BillTerms) -> bool:
    """Tell whether a bill is the last of the rate year, or of the customer; of a period in parts only the last is."""
    is_last_month = terms.month_of(span) == tariff.year_ends_month and terms.is_last_part(span)
    return terms.is_final or is_last_month


def year_after(
    tariff: Tariff, span: BillSpan, lines: Sequence[BillLine], terms: BillTerms, carried: Carried, billed_wh: int
) -> Carried:
    """Return what is carried on, with this bill counted in the rate year; a closed year begins anew."""
    if closes_year(tariff, span, terms):
        return replace(carried, year_to_date=YearToDate())
    year = carried.year_to_date
    of = () if tariff.minimum is None else tariff.minimum.of
    minimum = printed_sum([line for line in lines if line.kind is LineKind.MINIMUM])
    counted = printed_sum([line for line in selected(lines, of) if line.kind is not LineKind.MINIMUM])
    after = YearToDate(
        year.first or span.first, year.days + span.days, year.delivered_wh + billed_wh,
        year.charged + counted, year.minimum + minimum,
    )  # fmt: skip
    return replace(carried, year_to_date=after)


def _top_up(charge: MinimumCharge, version: int, short: Decimal, unit: str) -> BillLine:
    clause = f"versions[{version}].minimum"
    return BillLine(LineKind.MINIMUM, charge.name, None, None, Decimal(1), unit, short, short, version, clause)
