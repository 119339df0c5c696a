"""Read fixed, minimum and dated charges of a rate file of our own format."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from openami.billing.tariff.charge import (
    BASE_KINDS,
    ChargeUnit,
    Credit,
    DatedValue,
    FixedCharge,
    MinimumCharge,
    Rider,
    RiderUnit,
    Tax,
    ValueChange,
)
from openami.billing.tariff.clause import UNKNOWN, Clause, placed

_Charge = TypeVar("_Charge", Rider, Tax, Credit)


def read_fixed(clause: Clause) -> FixedCharge:
    """Return a fixed charge."""
    charge = FixedCharge(clause.at("name").text(), clause.at("amount").number(), _unit(clause))
    clause.close()
    return charge


def read_minimum(clause: Clause) -> MinimumCharge:
    """Return a minimum charge."""
    of = clause.texts_at("of", BASE_KINDS)
    charge = MinimumCharge(clause.at("name").text(), clause.at("amount").number(), _unit(clause), of)
    clause.close()
    return charge


def _unit(clause: Clause) -> ChargeUnit:
    return clause.get("per", lambda c: c.word(ChargeUnit), ChargeUnit.MONTH)


def read_rider(clause: Clause) -> Rider:
    """Return a rider."""
    return _closed(clause, placed(clause, lambda: Rider(**_dated(clause))))


def read_tax(clause: Clause) -> Tax:
    """Return a tax of one municipality, or of all."""
    municipality = clause.get("municipality", Clause.text, "")
    return _closed(clause, placed(clause, lambda: Tax(**_dated(clause), municipality=municipality)))


def read_credit(clause: Clause) -> Credit:
    """Return a credit."""
    stops = clause.get("stops_at_zero", Clause.truth, False)
    return _closed(clause, placed(clause, lambda: Credit(**_dated(clause), stops_at_zero=stops)))


def _closed(clause: Clause, charge: _Charge) -> _Charge:
    clause.close()
    return charge


def _dated(clause: Clause) -> dict[str, Any]:
    unit = clause.at("per").word(RiderUnit)
    usual = ValueChange.METERED if unit is RiderUnit.KWH else ValueChange.DAYS
    return {
        "code": clause.at("code").text(),
        "name": clause.at("name").text(),
        "unit": unit,
        "values": tuple(read_value(v) for v in clause.at("values").items()),
        "of": clause.texts_at("of"),
        "change": clause.get("change", lambda c: c.word(ValueChange), usual),
        "when": clause.map_at("when"),
    }


def read_value(clause: Clause) -> DatedValue:
    """Return a dated value; one that is not known is ``null`` or ``"unknown"``, and must be stated."""
    if "value" not in clause.fields():
        raise clause.refuse('"value" is missing; "unknown" says that it is not known')
    value = DatedValue(
        clause.get("value", _known, None),
        clause.get("from", lambda c: c.day(), None),
        clause.get("provenance", Clause.text, ""),
        clause.get("confidence", Clause.text, ""),
    )
    clause.close()
    return value


def _known(clause: Clause) -> Decimal | None:
    return None if clause.value == UNKNOWN else clause.number()
