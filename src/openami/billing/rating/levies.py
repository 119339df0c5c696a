"""All riders, credits and taxes of a bill, in the order of the rate; a tax asks where the service point is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from openami.billing.rating.levy import Levied, dated_lines
from openami.billing.rating.line import BillLine, LineKind, Stamp, StampCode
from openami.billing.tariff.charge import DatedCharge, Tax
from openami.billing.tariff.model import Tariff

_OfVersion = Callable[[Tariff], Sequence[DatedCharge]]


def rider_lines(bill: Levied) -> tuple[list[BillLine], list[Stamp]]:
    """Return the lines of riders; each may be a percentage of those before it."""
    return _in_order(LineKind.RIDER, lambda v: v.riders, bill)


def credit_lines(bill: Levied) -> tuple[list[BillLine], list[Stamp]]:
    """Return the lines of credits."""
    return _in_order(LineKind.CREDIT, lambda v: v.credits, bill)


def tax_lines(bill: Levied) -> tuple[list[BillLine], list[Stamp]]:
    """Return the lines of taxes in force at the bill's municipalities; of one that the rate does not list, a stamp."""
    places = bill.terms.municipalities(bill.span)
    lines, stamps = _in_order(LineKind.TAX, lambda v: _taxes_at(v, places), bill)
    last = bill.rates[-1].version
    listed = {t.municipality for t in bill.schedule.versions[last].taxes} - {""}
    for place in (p for p in places if listed and p not in listed):
        where = f"in {place!r}" if place else "where no municipality is stated"
        words = (
            f"the tax {where} is not known; state one of the {len(listed)} that the rate lists, or add it with its tax"
        )
        stamps.append(Stamp(StampCode.TAX_NOT_KNOWN, f"versions[{last}].taxes", words))
    return lines, stamps


def _taxes_at(tariff: Tariff, municipalities: Sequence[str]) -> tuple[Tax, ...]:
    return tuple(t for t in tariff.taxes if t.municipality in ("", *municipalities))


def _in_order(kind: LineKind, of_version: _OfVersion, bill: Levied) -> tuple[list[BillLine], list[Stamp]]:
    """A code that several versions have is one charge; codes come in the order in which versions list them."""
    in_force = dict.fromkeys(r.version for r in bill.rates)
    keys = dict.fromkeys(_key(c) for version in in_force for c in of_version(bill.schedule.versions[version]))
    lines: list[BillLine] = []
    stamps: list[Stamp] = []
    for key in keys:
        charges = [next((c for c in of_version(v) if _key(c) == key), None) for v in bill.schedule.versions]
        found, missing = dated_lines(kind, charges, replace(bill, lines=(*bill.lines, *lines)))
        lines += found
        stamps += missing
    return lines, stamps


def _key(charge: DatedCharge) -> tuple[str, str]:
    return charge.code, charge.municipality if isinstance(charge, Tax) else ""
