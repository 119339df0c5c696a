"""Pieces of a bill: runs of days in which a dated charge has one value, and the days on which energy must be parted.

A tax of one municipality is charged for the days on which the place lies in it, as the tax's own ``change`` says: on
the energy of those days, on their share of the days, or wholly where the place lies on the last day.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.charge import DatedCharge, Tax, ValueChange
from openami.billing.tariff.model import RateSchedule, Tariff


@dataclass(frozen=True, slots=True)
class Piece:
    """Some days of a bill on which a charge has one value.

    Args:
        version: whose clause.
        charge: the charge as that version has it.
        index: of the value in its list.
        days: the days, rising.
    """

    version: int
    charge: DatedCharge
    index: int
    days: tuple[date, ...]

    @property
    def value(self) -> Decimal | None:
        """The value per unit; None is not known."""
        return self.charge.values[self.index].value


def charges_of(tariff: Tariff) -> tuple[DatedCharge, ...]:
    """Return every dated charge of a version."""
    return (*tariff.riders, *tariff.credits, *tariff.taxes)


def pieces_of(charges: Sequence[DatedCharge | None], span: BillSpan, rates: Sequence[DayRate]) -> list[Piece]:
    """Return the pieces of one charge in a bill.

    Args:
        charges: the charge as each version has it, by index of the version; None where it has none.
        span: the bill.
        rates: which version prices each day.
    """
    last = charges[rates[-1].version]
    if last is not None and last.change is ValueChange.BILL:
        index = last.index_on(span.last)
        return [] if index is None else [Piece(rates[-1].version, last, index, _days_of(span))]
    if _is_of_one_version(rates) and (last is None or last.index_on(span.first) == last.index_on(span.last)):
        # Values rise by date, so one that holds at both ends holds between them.
        index = None if last is None else last.index_on(span.last)
        return [] if last is None or index is None else [Piece(rates[-1].version, last, index, _days_of(span))]
    found: list[Piece] = []
    for number, rate in enumerate(rates):
        day = span.first + timedelta(days=number)
        charge = charges[rate.version]
        index = None if charge is None else charge.index_on(day)
        if charge is None or index is None:
            continue
        before = found[-1] if found else None
        if before is not None and before.value == charge.values[index].value:
            found[-1] = Piece(before.version, before.charge, before.index, (*before.days, day))
        else:
            found.append(Piece(rate.version, charge, index, (day,)))
    return found


def taxed_pieces(pieces: Sequence[Piece], span: BillSpan, terms: BillTerms) -> list[Piece]:
    """Return pieces cut to the days on which the place lies in the municipality of their tax."""
    return [cut for piece in pieces for cut in _taxed(piece, span, terms)] if terms.annexed else list(pieces)


def _taxed(piece: Piece, span: BillSpan, terms: BillTerms) -> list[Piece]:
    charge = piece.charge
    if not isinstance(charge, Tax) or not charge.municipality:
        return [piece]
    if charge.change is ValueChange.BILL:
        return [piece] if terms.municipality_on(span.last) == charge.municipality else []
    days = tuple(d for d in piece.days if terms.municipality_on(d) == charge.municipality)
    return [replace(piece, days=days)] if days else []


def _is_of_one_version(rates: Sequence[DayRate]) -> bool:
    return len({r.version for r in rates}) == 1


@lru_cache(maxsize=1024)
def _days_of(span: BillSpan) -> tuple[date, ...]:
    return tuple(span.first + timedelta(days=n) for n in range(span.days))


def piece_edges(
    schedule: RateSchedule, span: BillSpan, rates: Sequence[DayRate], terms: BillTerms = NO_TERMS
) -> tuple[date, ...]:
    """Return the first days of the parts into which a bill's energy is metered: one where nothing changes inside.

    Energy is parted where a charge that takes the energy of its own days changes its value, where such a charge
    meets a change of version, and where such a tax meets a change of municipality.
    """
    edges = {span.first}
    metered = [
        (version, charge)
        for version in dict.fromkeys(r.version for r in rates)
        for charge in charges_of(schedule.versions[version])
        if charge.change is ValueChange.METERED
    ]
    if any(isinstance(c, Tax) and c.municipality for _, c in metered):
        edges |= {a.first for a in terms.annexed if span.first < a.first < span.end}
    if _is_of_one_version(rates) and all(c.index_on(span.first) == c.index_on(span.last) for _, c in metered):
        return tuple(sorted(edges))
    for version, charge in metered:
        mine = [span.first + timedelta(days=n) for n, r in enumerate(rates) if r.version == version]
        edges |= {b for a, b in itertools.pairwise(mine) if charge.index_on(a) != charge.index_on(b)}
        edges |= {mine[0], mine[-1] + timedelta(days=1)} - {span.end}
    return tuple(sorted(edges))
