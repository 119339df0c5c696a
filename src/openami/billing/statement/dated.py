"""Charges that change by date (riders, taxes, credits) and energy sent out, in a customer's words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from openami.billing.statement.dates import day
from openami.billing.statement.hours import joined
from openami.billing.statement.prices import amount, number, unit_price
from openami.billing.tariff.charge import Credit, DatedCharge, RiderUnit
from openami.billing.tariff.export import CreditUnit, ExportKind, ExportTerms, Netting
from openami.billing.tariff.model import Tariff

_KINDS = {"energy": "electricity", "demand": "demand", "fixed": "charges that do not depend on use"}
_BASES = {RiderUnit.MONTH: "a bill", RiderUnit.DAY: "a day"}
NOT_KNOWN = "its value is not known to us; a bill that needs it is not issued"


def dated_words(tariff: Tariff, currency: str, on: date | None, municipality: str) -> list[str]:
    """Return riders, credits and taxes with the value in force, each a line.

    Args:
        tariff: the version.
        currency: ISO 4217 letters.
        on: the local day whose values are said; None takes each charge's newest.
        municipality: whose taxes are said; empty says those of everywhere only.
    """
    taxes = [t for t in tariff.taxes if t.municipality in {"", municipality}]
    charges: Iterable[DatedCharge] = (*tariff.riders, *tariff.credits, *taxes)
    return [words for c in charges if (words := _charge(c, currency, on))]


def _charge(charge: DatedCharge, currency: str, on: date | None) -> str:
    index = len(charge.values) - 1 if on is None else charge.index_on(on)
    if index is None:
        return ""
    found = charge.values[index]
    since = "" if found.effective_from is None else f" since {day(found.effective_from).partition(' ')[2]}"
    if found.value is None:
        return f"{charge.name}: {NOT_KNOWN}{since}"
    if found.value == 0:
        return ""
    sign = "a credit of " if isinstance(charge, Credit) else ""
    return f"{charge.name}: {sign}{_value(charge, found.value, currency)}{since}"


def _value(charge: DatedCharge, value: Decimal, currency: str) -> str:
    if charge.unit is RiderUnit.PERCENT:
        of = joined([_KINDS.get(k, k) for k in charge.of])
        return f"{number(value)} %" + (f" of {of}" if of else "")
    if charge.unit in _BASES:
        return f"{amount(value, currency)} {_BASES[charge.unit]}"
    return f"{unit_price(value, currency)} per {charge.unit.value}"


def export_words(tariff: Tariff, currency: str, on: date | None = None) -> list[str]:
    """Return what electricity sent out is worth, each rule a sentence; none where the rate says nothing of it.

    Args:
        tariff: the version.
        currency: ISO 4217 letters.
        on: the local day whose price is said; None takes the newest.
    """
    terms = tariff.export
    if terms is None:
        return []
    notes = [_FAMILIES.get(terms.kind) or _NETTED[terms.netting]]
    if terms.kind is ExportKind.NET_METERING:
        notes.append(
            "What is left over is kept as kilowatt-hours for later bills."
            if terms.credit is CreditUnit.KWH
            else "What is left over is turned into money for later bills."
        )
    worth = terms.price_on(on or date.max, "")
    if worth is not None and worth.price is not None:
        notes.append(f"It is worth {unit_price(worth.price, currency)} per kWh now.")
    return [*notes, *_ends(terms)]


def _ends(terms: ExportTerms) -> list[str]:
    notes = []
    if terms.expires_after_months is not None:
        notes.append(f"A credit ends after {terms.expires_after_months} months.")
    if terms.needs_interconnection:
        notes.append("It counts only from the day on which your generation is approved.")
    return notes


_FAMILIES = {
    ExportKind.NET_BILLING: "Electricity that you send out is paid at a price of its own.",
    ExportKind.BUY_ALL: "All that your generator makes is paid, and all that your home uses is charged.",
}
_NETTED = {
    Netting.BILLING_PERIOD: "Electricity that you send out is taken off what you use in the same bill.",
    Netting.PRICE_PERIOD: "Electricity that you send out is taken off what you use at the same price in the same bill.",
    Netting.HOUR: "Electricity that you send out is taken off what you use in the same hour.",
    Netting.REGISTER: "Electricity that you send out is counted by a register of its own.",
}
