"""The least that a fleet's bills come to, by bill or day or rate year, and the rate year that is carried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.fixed import charged
from openami.billing.rating.fleet.index import BillIndex
from openami.billing.rating.fleet.line import FleetLine, LineColumn, OwnPrice, cents_of
from openami.billing.rating.fleet.state import FleetState
from openami.billing.rating.line import LineKind
from openami.billing.rating.minimum import FULL_YEAR_DAYS, closes_year
from openami.billing.rating.months import version_dates
from openami.billing.rating.selected import selected
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64
from openami.billing.tariff.charge import ChargeUnit, MinimumCharge
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.kernel.money import rounded_to_cent


def minimum_lines(
    schedule: RateSchedule, part: BillIndex, terms: BillTerms, lines: Sequence[FleetLine], state: FleetState
) -> Iterator[LineColumn]:
    """Yield the top-up to the minimum by bill or day, and that of a year on the bill that closes it."""
    rows = len(state.year_days)
    least, last, at = Fraction(0), None, 0
    for version, days in version_dates(part.span, part.rates).items():
        charge = schedule.versions[version].minimum
        if charge is not None and charge.unit is not ChargeUnit.YEAR:
            last, at = charge, version
            quantity, _ = charged(charge.unit, schedule.versions[version].proration, terms.whole(part.span), days)
            least += Fraction(charge.amount) * quantity
    if last is not None:
        yield _top_up(last, at, _cents(least) - printed_cents(selected(lines, last.of), rows), "month")
    version = part.rates[-1].version
    yearly = schedule.versions[version].minimum
    if yearly is None or yearly.unit is not ChargeUnit.YEAR:
        return
    if closes_year(schedule.versions[version], part.span, terms):
        due = _of_year(yearly, state.year_days + part.span.days)
        had = state.charged_cents + state.minimum_cents + printed_cents(selected(lines, yearly.of), rows)
        yield _top_up(yearly, version, due - had, "year")


def year_after(
    tariff: Tariff, part: BillIndex, terms: BillTerms, lines: Sequence[FleetLine], state: FleetState, billed_wh: I64
) -> FleetState:
    """Return the state with this bill counted in the rate year; a closed year begins anew."""
    rows = len(billed_wh)
    none = np.zeros(rows, np.int64)
    if closes_year(tariff, part.span, terms):
        return replace(
            state, year_days=none, year_wh=none, charged_cents=none, minimum_cents=none, first=(None,) * rows
        )
    of = () if tariff.minimum is None else tariff.minimum.of
    counted = [line for line in selected(lines, of) if line.kind is not LineKind.MINIMUM]
    minimum = [line for line in lines if line.kind is LineKind.MINIMUM]
    return replace(
        state,
        year_days=state.year_days + part.span.days,
        year_wh=state.year_wh + billed_wh,
        charged_cents=state.charged_cents + printed_cents(counted, rows),
        minimum_cents=state.minimum_cents + printed_cents(minimum, rows),
        first=tuple(first or part.span.first for first in state.first),
    )


def printed_cents(lines: Sequence[FleetLine], rows: int) -> I64:
    """Return the sum of the amounts as printed: (rows,) cents."""
    return sum((cents_of(line, rows) for line in lines), np.zeros(rows, np.int64))


def _of_year(charge: MinimumCharge, days: I64) -> I64:
    """Return the yearly minimum for so many days billed: (n,) cents."""
    kinds, which = np.unique(days, return_inverse=True)
    shares = [Fraction(1) if n >= FULL_YEAR_DAYS else Fraction(n, 365) for n in kinds.tolist()]
    return np.array([_cents(Fraction(charge.amount) * share) for share in shares], np.int64)[which]


def _cents(amount: Fraction) -> int:
    return int(rounded_to_cent(exact_decimal(amount)) * 100)


def _top_up(charge: MinimumCharge, version: int, short: I64, unit: str) -> LineColumn:
    one = np.ones(len(short), np.int64)
    clause = f"versions[{version}].minimum"
    return LineColumn(
        LineKind.MINIMUM, charge.name, None, None, unit, OwnPrice.AMOUNT, one, np.maximum(short, 0), 100, short > 0,
        version, clause, parts=1,
    )  # fmt: skip
