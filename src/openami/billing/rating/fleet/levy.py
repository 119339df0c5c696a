"""Riders, credits and taxes of a fleet's bills in columns, charge by charge in the order of the rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np

from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.fleet.block import shared_out
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.fleet.index import BillIndex
from openami.billing.rating.fleet.line import FleetLine, LineColumn, cents_of, exact_of
from openami.billing.rating.fleet.number import Numbers, multiplied, scaled, summed
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.months import months_of
from openami.billing.rating.piece import Piece, pieces_of, taxed_pieces
from openami.billing.rating.selected import selected
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64
from openami.billing.tariff.charge import BASE_KINDS, Credit, DatedCharge, RiderUnit, Tax, ValueChange
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.rounding import EnergyRounding, PercentOf, Rounding

KWH = 1000
_WORDS = {LineKind.RIDER: "riders", LineKind.CREDIT: "credits", LineKind.TAX: "taxes"}
_BEFORE = {
    LineKind.RIDER: BASE_KINDS,
    LineKind.CREDIT: (*BASE_KINDS, "minimum", "rider"),
    LineKind.TAX: (*BASE_KINDS, "minimum", "rider", "credit"),
}
"""What a percentage is of, where the rate names nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetLevied:
    """The bills so far: what dated charges are taken of.

    Args:
        schedule: the rate.
        found: as metered.
        bill: which bill.
        terms: of every row.
        rounding: of the version in force on the last day.
        billed_wh: (n,) energy on the energy lines.
    """

    schedule: RateSchedule
    found: FleetDeterminants
    bill: int
    terms: BillTerms
    rounding: Rounding
    billed_wh: I64

    @property
    def part(self) -> BillIndex:
        """The bill's days."""
        return self.found.index.parts[self.bill]


def levied_lines(kind: LineKind, bills: FleetLevied, lines: Sequence[FleetLine]) -> list[FleetLine]:
    """Return the lines of all riders, credits or taxes; each may be a percentage of those before it."""
    of_version = _of_version(kind, bills.terms.municipalities(bills.part.span))
    versions = bills.schedule.versions
    in_force = dict.fromkeys(r.version for r in bills.part.rates)
    keys = dict.fromkeys(_key(c) for version in in_force for c in of_version(versions[version]))
    found: list[FleetLine] = []
    for key in keys:
        charges = [next((c for c in of_version(v) if _key(c) == key), None) for v in versions]
        found += _charge_lines(kind, charges, bills, (*lines, *found))
    return found


def _of_version(kind: LineKind, municipalities: Sequence[str]) -> Callable[[Tariff], Sequence[DatedCharge]]:
    if kind is LineKind.RIDER:
        return lambda version: version.riders
    if kind is LineKind.CREDIT:
        return lambda version: version.credits
    return lambda version: tuple(t for t in version.taxes if t.municipality in ("", *municipalities))


def _key(charge: DatedCharge) -> tuple[str, str]:
    return charge.code, charge.municipality if isinstance(charge, Tax) else ""


def _charge_lines(
    kind: LineKind, charges: Sequence[DatedCharge | None], bills: FleetLevied, before: Sequence[FleetLine]
) -> Iterator[FleetLine]:
    """Yield the line of each piece of one charge whose value is known and not zero."""
    span = bills.part.span
    found = taxed_pieces(pieces_of(charges, span, bills.part.rates), span, bills.terms)
    pieces = [p for p in found if p.charge.applies_to(bills.terms.attributes)]
    energy = _energy(pieces, bills)
    made: list[FleetLine] = []
    for number, piece in enumerate(pieces):
        if not piece.value:
            continue
        line = _line(kind, piece, energy[number], bills, before)
        if kind is LineKind.CREDIT:
            line = _lowered(piece.charge, line, [*before, *made], len(bills.billed_wh))
        made.append(line)
        yield line


def _line(kind: LineKind, piece: Piece, wh: I64, bills: FleetLevied, before: Sequence[FleetLine]) -> FleetLine:
    value, span = piece.value or Decimal(0), bills.part.span
    whole = bills.terms.whole(span)
    clause = f"versions[{piece.version}].{_WORDS[kind]}[{piece.charge.code}].values[{piece.index}]"
    days = len(piece.days) if len(piece.days) < span.days else None
    unit = piece.charge.unit
    if unit in (RiderUnit.DAY, RiderUnit.MONTH):
        proration = bills.schedule.versions[piece.version].proration
        count = months_of(proration, whole, piece.days) if unit is RiderUnit.MONTH else Fraction(len(piece.days))
        return BillLine(
            kind, piece.charge.name, None, None, exact_decimal(count), unit.value, value,
            exact_decimal(count * Fraction(value)), piece.version, clause, days,
        )  # fmt: skip
    share = Fraction(len(piece.days), span.days)
    if unit is RiderUnit.KWH:
        quantity: Numbers = wh
        parts, factor = KWH, Fraction(value)
    elif unit is RiderUnit.KW:
        quantity, parts = _highest_w(piece.charge, before, len(wh)), 1000
        factor = Fraction(value) * Fraction(len(piece.days), whole.days)
    else:
        quantity, parts = _base(kind, piece.charge, bills, before)
        factor = Fraction(value) * share / 100
    numerator, divisor = multiplied(quantity, parts, factor)
    return LineColumn(
        kind, piece.charge.name, None, None, unit.value, value, quantity, numerator, divisor, None,
        piece.version, clause, days, parts,
    )  # fmt: skip


def _base(kind: LineKind, charge: DatedCharge, bills: FleetLevied, before: Sequence[FleetLine]) -> tuple[Numbers, int]:
    """Return what a percentage is taken of, as integers over a divisor."""
    of, rows = selected(before, charge.of or _BEFORE[kind]), len(bills.billed_wh)
    if bills.rounding.percent_of is PercentOf.EXACT:
        return summed((exact_of(line, rows) for line in of), rows)
    return sum((cents_of(line, rows) for line in of), np.zeros(rows, np.int64)), 100


def _highest_w(charge: DatedCharge, lines: Sequence[FleetLine], rows: int) -> I64:
    """The highest billed demand of the named demand charges, the blocks of one demand taken together."""
    demands: dict[tuple[int, str], I64] = {}
    for line in selected(lines, charge.of) if charge.of else lines:
        if line.kind is LineKind.DEMAND and isinstance(line, LineColumn):
            key = line.version, line.name
            taken = line.quantity if line.present is None else line.quantity * line.present
            demands[key] = demands.get(key, np.zeros(rows, np.int64)) + taken
    return np.max(list(demands.values()), axis=0) if demands else np.zeros(rows, np.int64)


def _energy(pieces: Sequence[Piece], bills: FleetLevied) -> list[I64]:
    """Share the billed energy over a charge's pieces: by their metered energy, or by their days."""
    none = np.zeros_like(bills.billed_wh)
    if not pieces or pieces[0].charge.unit is not RiderUnit.KWH:
        return [none] * len(pieces)
    whole, weights = _weights(pieces, bills)
    step = KWH if bills.rounding.energy is EnergyRounding.WHOLE_KWH else 1
    shares = np.stack([*weights, whole - sum(weights, none)], axis=1)
    return list((shared_out(bills.billed_wh // step, shares) * step).T)[:-1]


def _weights(pieces: Sequence[Piece], bills: FleetLevied) -> tuple[I64, list[I64]]:
    """Return the weight of the whole bill and of each piece."""
    rows, span = len(bills.billed_wh), bills.part.span

    def of_days(count: int) -> I64:
        return np.full(rows, count, np.int64)

    # Where nothing changes inside the bill it is one piece, and its first day stands for all of it.
    metered: dict[date, I64] = {span.first: bills.found.usage_wh(bills.bill)}
    if len(bills.part.edges) > 1:
        metered = {day: wh for (bill, day), wh in bills.found.pieces.items() if bill == bills.bill}

    def weight(piece: Piece) -> I64:
        if piece.charge.change is not ValueChange.METERED:
            return of_days(len(piece.days))
        days = set(piece.days)
        return sum((wh for day, wh in metered.items() if day in days), of_days(0))

    by_energy = pieces[0].charge.change is ValueChange.METERED
    whole = sum(metered.values(), of_days(0)) if by_energy else of_days(span.days)
    return whole, [weight(piece) for piece in pieces]


def _lowered(charge: DatedCharge, line: FleetLine, before: Sequence[FleetLine], rows: int) -> FleetLine:
    """A credit lowers the bill; where it stops at zero, by no more than the lines before it come to."""
    stops = isinstance(charge, Credit) and charge.stops_at_zero
    if isinstance(line, BillLine) and not stops:
        return replace(line, exact_amount=-line.exact_amount)
    own = line if isinstance(line, LineColumn) else _in_columns(line, rows)
    numerator, divisor = own.numerator, own.divisor
    if stops:
        room = np.maximum(sum((cents_of(b, rows) for b in before), np.zeros(rows, np.int64)), 0)
        numerator, divisor = np.minimum(scaled(numerator, 100), scaled(room, divisor)), divisor * 100
    return replace(own, numerator=-numerator, divisor=divisor)


def _in_columns(line: BillLine, rows: int) -> LineColumn:
    quantity = Fraction(line.quantity)
    return LineColumn(
        line.kind, line.name, None, None, line.unit, line.price, np.full(rows, quantity.numerator, object),
        *exact_of(line, rows), None, line.version, line.clause, line.days, quantity.denominator,
    )  # fmt: skip
