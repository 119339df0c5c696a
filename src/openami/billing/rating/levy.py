"""The lines of dated charges: riders, credits and taxes, in the order of the rate.

A value that changes inside the bill is charged as the charge says: on the energy of its own days, on its share of the
days, or as it stands on the last day. A value of zero makes no line; one that is not known makes a stamp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.errors import UsageError
from openami.billing.rating.exact import exact_decimal
from openami.billing.rating.line import BillLine, LineKind, Stamp, StampCode
from openami.billing.rating.months import months_of
from openami.billing.rating.piece import Piece, pieces_of, taxed_pieces
from openami.billing.rating.selected import selected
from openami.billing.rating.share import shared_out
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.rating.whole import KWH
from openami.billing.tariff.charge import BASE_KINDS, Credit, DatedCharge, RiderUnit, ValueChange
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.rounding import EnergyRounding, PercentOf, Rounding

_BEFORE = {
    LineKind.RIDER: BASE_KINDS,
    LineKind.CREDIT: (*BASE_KINDS, "minimum", "rider"),
    LineKind.TAX: (*BASE_KINDS, "minimum", "rider", "credit"),
}
"""What a percentage is of, where the rate names nothing."""


@dataclass(frozen=True, slots=True)
class Levied:
    """A bill so far, as dated charges see it.

    Args:
        schedule: the rate.
        span, rates: its days.
        terms: its other inputs.
        rounding: of the version in force on the last day.
        piece_wh: metered energy by the first day of each part of the bill.
        billed_wh: energy on the energy lines.
        lines: made so far.
    """

    schedule: RateSchedule
    span: BillSpan
    rates: Sequence[DayRate]
    terms: BillTerms
    rounding: Rounding
    piece_wh: Mapping[date, int]
    billed_wh: int
    lines: Sequence[BillLine]


def dated_lines(
    kind: LineKind, charges: Sequence[DatedCharge | None], bill: Levied
) -> tuple[list[BillLine], list[Stamp]]:
    """Return the lines of one charge, and a stamp where its value is not known.

    Args:
        kind: rider, credit or tax.
        charges: the charge as each version has it, by index of the version; None where it has none.
        bill: the bill so far.

    Raises:
        UsageError: energy by days is needed, and the determinants were made without it.
    """
    lines: list[BillLine] = []
    stamps: list[Stamp] = []
    found = taxed_pieces(pieces_of(charges, bill.span, bill.rates), bill.span, bill.terms)
    pieces = [p for p in found if p.charge.applies_to(bill.terms.attributes)]
    energy = _energy(pieces, bill)
    for number, piece in enumerate(pieces):
        clause = f"versions[{piece.version}].{_plural(kind)}[{piece.charge.code}].values[{piece.index}]"
        if piece.value is None:
            stamps.append(_not_known(kind, piece, clause))
            continue
        if not piece.value:
            continue
        quantity, unit, amount = _amount(kind, piece, energy[number], bill)
        if kind is LineKind.CREDIT:
            amount = _bounded(piece.charge, amount, [*bill.lines, *lines])
        days = len(piece.days) if len(piece.days) < bill.span.days else None
        lines.append(
            BillLine(
                kind, piece.charge.name, None, None, exact_decimal(quantity), unit, piece.value,
                exact_decimal(amount), piece.version, clause, days,
            )
        )  # fmt: skip
    return lines, stamps


def _amount(kind: LineKind, piece: Piece, wh: int, bill: Levied) -> tuple[Fraction, str, Fraction]:
    """Return quantity, unit and exact amount of one piece."""
    value, unit = Fraction(piece.value or 0), piece.charge.unit
    share = Fraction(len(piece.days), bill.span.days)
    whole = bill.terms.whole(bill.span)
    if unit is RiderUnit.KWH:
        quantity = Fraction(wh, KWH)
        return quantity, "kWh", quantity * value
    if unit is RiderUnit.KW:
        quantity = _highest_kw(piece.charge, bill.lines)
        return quantity, "kW", quantity * value * Fraction(len(piece.days), whole.days)
    if unit is RiderUnit.PERCENT:
        of = selected(bill.lines, piece.charge.of or _BEFORE[kind])
        exact = bill.rounding.percent_of is PercentOf.EXACT
        base = sum((Fraction(line.exact_amount if exact else line.amount) for line in of), Fraction(0))
        return base, "percent", base * value * share / 100
    if unit is RiderUnit.DAY:
        return Fraction(len(piece.days)), "day", len(piece.days) * value
    months = months_of(bill.schedule.versions[piece.version].proration, whole, piece.days)
    return months, "month", months * value


def _energy(pieces: Sequence[Piece], bill: Levied) -> list[int]:
    """Share the billed energy over a charge's pieces: by their metered energy, or by their days."""
    if not pieces or pieces[0].charge.unit is not RiderUnit.KWH:
        return [0] * len(pieces)
    weights = [_weight(piece, bill) for piece in pieces]
    rest = _whole_weight(pieces[0], bill) - sum(weights)
    step = KWH if bill.rounding.energy is EnergyRounding.WHOLE_KWH else 1
    return [part * step for part in shared_out(bill.billed_wh // step, [*weights, rest])][:-1]


def _weight(piece: Piece, bill: Levied) -> int:
    if piece.charge.change is not ValueChange.METERED:
        return len(piece.days)
    if not bill.piece_wh:
        raise UsageError(f"determinants hold no energy by days, which {piece.charge.code} needs; make them anew")
    days, edges = set(piece.days), sorted(bill.piece_wh)
    return sum(bill.piece_wh[e] for e in edges if e in days)


def _whole_weight(piece: Piece, bill: Levied) -> int:
    if piece.charge.change is not ValueChange.METERED:
        return bill.span.days
    return sum(bill.piece_wh.values())


def _highest_kw(charge: DatedCharge, lines: Sequence[BillLine]) -> Fraction:
    """The highest billed demand of the named demand charges, the blocks of one demand taken together."""
    demands: dict[tuple[int, str], Fraction] = {}
    named = selected(lines, charge.of) if charge.of else lines
    for line in named:
        if line.kind is LineKind.DEMAND:
            key = line.version, line.name
            demands[key] = demands.get(key, Fraction(0)) + Fraction(line.quantity)
    return max(demands.values(), default=Fraction(0))


def _bounded(charge: DatedCharge, amount: Fraction, before: Sequence[BillLine]) -> Fraction:
    """A credit lowers the bill; where it stops at zero, by no more than the lines before it come to."""
    if isinstance(charge, Credit) and charge.stops_at_zero:
        room = max(Fraction(0), sum((Fraction(line.amount) for line in before), Fraction(0)))
        amount = min(amount, room)
    return -amount


def _not_known(kind: LineKind, piece: Piece, clause: str) -> Stamp:
    words = f"{piece.charge.name}: the value in force on {piece.days[0]} is not known; add it to the rate's values"
    code = StampCode.TAX_NOT_KNOWN if kind is LineKind.TAX else StampCode.BASE_CHARGES_ONLY
    return Stamp(code, clause, words)


def _plural(kind: LineKind) -> str:
    return {LineKind.RIDER: "riders", LineKind.CREDIT: "credits", LineKind.TAX: "taxes"}[kind]
