"""Fixed and minimum charges of a URDB record, of version 8 and of versions 3 to 7."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.clause import plain_words
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.urdb_value import is_present, read_number

_UNITS = {"$/month": ChargeUnit.MONTH, "$/day": ChargeUnit.DAY, "$/year": ChargeUnit.YEAR}


def read_fixed(document: Mapping[str, Any]) -> tuple[FixedCharge, ...]:
    """Return the charges of the first meter: a bill is of one.

    Raises:
        TariffError: the amount is negative, the unit is not known, or both versions' fields say something.
    """
    if is_present(document.get("fixedmonthlycharge")):
        if is_present(document.get("fixedchargefirstmeter")):
            raise TariffError("fixedmonthlycharge", "fixedchargefirstmeter says the same thing; keep one of them")
        return (FixedCharge("Customer charge", _amount(document, "fixedmonthlycharge")),)
    if not is_present(document.get("fixedchargefirstmeter")):
        return ()
    amount, unit = _amount(document, "fixedchargefirstmeter"), _unit(document, "fixedchargeunits")
    parts = document.get("x_fixed_parts")
    if not isinstance(parts, dict) or not parts:
        return (FixedCharge("Customer charge", amount, unit),)
    charges = tuple(
        FixedCharge(plain_words(k, 80)[:1].upper() + plain_words(k, 80)[1:], read_number("x_fixed_parts", v), unit)
        for k, v in parts.items()
    )
    if sum(c.amount for c in charges) != amount:
        raise TariffError("x_fixed_parts", f"the parts do not add up to fixedchargefirstmeter {amount}")
    return charges


def read_minimum(document: Mapping[str, Any]) -> MinimumCharge | None:
    """Return the minimum charge: by month, day or year, whichever one the record has.

    Raises:
        TariffError: the record has more than one, or the amount or unit cannot be one.
    """
    there = [key for key in ("mincharge", "minmonthlycharge", "annualmincharge") if is_present(document.get(key))]
    if not there:
        return None
    if len(there) > 1:
        raise TariffError(there[1], f"{there[0]} says another minimum; a rate has one here")
    units = {"minmonthlycharge": ChargeUnit.MONTH, "annualmincharge": ChargeUnit.YEAR}
    unit = units[there[0]] if there[0] in units else _unit(document, "minchargeunits")
    return MinimumCharge("Minimum charge", _amount(document, there[0]), unit)


def _amount(document: Mapping[str, Any], clause: str) -> Decimal:
    amount = read_number(clause, document[clause])
    if amount < 0:
        raise TariffError(
            clause, f"{amount} is negative; what is given back is a credit, and URDB has no place for one"
        )
    return amount


def _unit(document: Mapping[str, Any], clause: str) -> ChargeUnit:
    text = document.get(clause, "$/month")
    if text not in _UNITS:
        raise TariffError(clause, f"{str(text)[:20]!r} is not one of {sorted(_UNITS)}")
    return _UNITS[str(text)]
