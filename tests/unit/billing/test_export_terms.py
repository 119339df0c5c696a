"""The export clause of a rate file: read whole, or refused by the name of the clause."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from openami.billing.tariff import TariffError
from openami.billing.tariff.clause import Clause
from openami.billing.tariff.export import CreditUnit, ExportKind, Netting, Unused
from openami.billing.tariff.native_export import read_export

MISSOURI: dict[str, Any] = {
    "kind": "net_metering",
    "prices": [
        {"price": "0.0264", "from": "2025-01-01", "confidence": "a made price"},
        {"price": "0.0291", "from": "2026-01-01", "period": "Summer"},
        {"price": None, "from": "2027-01-01"},
    ],
    "expires_after_months": 12,
    "largest_w": 100_000,
}


def test_net_metering_reads_as_the_statute_says() -> None:
    terms = read_export(Clause("versions[0].export", MISSOURI))
    assert (terms.kind, terms.netting, terms.credit) == (
        ExportKind.NET_METERING, Netting.BILLING_PERIOD, CreditUnit.MONEY
    )  # fmt: skip
    assert (terms.at_stop, terms.needs_interconnection, terms.expires_after_months) == (Unused.FORFEIT, True, 12)


@pytest.mark.parametrize(
    ("day", "period", "price"),
    [
        (date(2024, 12, 31), "Winter", "none in force"),
        (date(2025, 1, 1), "Winter", "0.0264"),
        (date(2026, 7, 1), "Summer", "0.0291"),
        (date(2026, 7, 1), "Winter", "0.0264"),
        (date(2027, 1, 1), "Winter", "unknown"),
        (date(2027, 1, 1), "Summer", "0.0291"),
    ],
)
def test_a_price_is_the_periods_own_before_the_one_of_all_and_the_latest_in_force(
    day: date, period: str, price: str
) -> None:
    found = read_export(Clause("export", MISSOURI)).price_on(day, period)
    expected = {"none in force": None, "unknown": None}.get(price, price)
    assert (found is None) == (price == "none in force")
    assert found is None or found.price == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        ({"kind": "net"}, "x.kind"),
        ({"kind": None}, "x.kind"),
        ({"netting": "hour"}, "x.netting"),
        ({"kind": "net_billing", "credit": "kWh"}, "x.credit"),
        ({"prices": []}, "x.prices"),
        ({"prices": [{"from": "2026-01-01"}]}, "x.prices[0]"),
        ({"prices": [{"price": "NaN"}]}, "x.prices[0].price"),
        ({"prices": [{"price": "0.1", "from": "soon"}]}, "x.prices[0].from"),
        ({"prices": [{"price": "0.1"}, {"price": "0.2"}]}, "x.prices"),
        ({"expires_after_months": 0}, "x.expires_after_months"),
        ({"expires_after_months": True}, "x.expires_after_months"),
        ({"expires_on": "02-29"}, "x.expires_on"),
        ({"expires_on": "spring"}, "x.expires_on"),
        ({"at_stop": "carry"}, "x.at_expiry"),
        ({"needs_interconnection": "yes"}, "x.needs_interconnection"),
        ({"expiry": 12}, "x.expiry"),
        ({"prices": 7}, "x.prices"),
        ({"buckets": 7}, "x.buckets"),
    ],
)
def test_a_broken_export_clause_is_refused_by_its_path(change: dict[str, Any], clause: str) -> None:
    with pytest.raises(TariffError) as refusal:
        read_export(Clause("x", MISSOURI | change))
    assert refusal.value.clause == clause


def test_a_clause_that_is_no_object_is_refused() -> None:
    with pytest.raises(TariffError, match="x: an object"):
        read_export(Clause("x", []))
