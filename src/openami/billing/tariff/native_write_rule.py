"""Write the rules of a rate in our own file format: demand, export, proration, rounding, holidays, eligibility."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from openami.billing.tariff.clause import UNKNOWN
from openami.billing.tariff.coverage import Coverage
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.eligibility import Eligibility
from openami.billing.tariff.export import ExportTerms
from openami.billing.tariff.proration import Proration
from openami.billing.tariff.ratchet import Ratchet
from openami.billing.tariff.rounding import Rounding
from openami.kernel.holiday import KNOWN, HolidayList, HolidayRule


def demand_document(charge: DemandCharge, keys: Sequence[str]) -> dict[str, Any]:
    """Return a demand charge, its periods under these keys."""
    periods = {
        key: {
            "name": p.name,
            "blocks": [
                {"price": _number(b.price)} | ({} if b.up_to is None else {"up_to": _number(b.up_to)}) for b in p.blocks
            ],
        }
        for key, p in zip(keys, charge.periods, strict=True)
    }
    document = {
        "name": charge.name,
        "window_minutes": charge.window_minutes,
        "alignment": charge.alignment.value,
        "ratchet": None if charge.ratchet is None else _ratchet(charge.ratchet),
        "coincident": None if charge.coincident is None else charge.coincident.value,
        "least_kw": _number(Decimal(charge.least_w) / 1000),
        "periods": periods,
    }
    return {k: v for k, v in document.items() if v is not None}


def _ratchet(ratchet: Ratchet) -> dict[str, Any]:
    return {
        "percents": [_number(p) for p in ratchet.percents],
        "months": ratchet.months,
        "applies_in": sorted(ratchet.applies_in),
        "by_period": ratchet.by_period,
    }


def export_document(terms: ExportTerms) -> dict[str, Any]:
    """Return the export clause."""
    prices = []
    for price in terms.prices:
        row: dict[str, Any] = {"price": UNKNOWN if price.price is None else _number(price.price)}
        row |= {} if price.first is None else {"from": price.first.isoformat()}
        row |= {k: v for k, v in (("period", price.period), ("confidence", price.confidence)) if v}
        prices.append(row)
    ends = None if terms.expires_on is None else f"{terms.expires_on[0]:02}-{terms.expires_on[1]:02}"
    document = {
        "kind": terms.kind.value,
        "netting": terms.netting.value,
        "prices": prices,
        "credit": terms.credit.value,
        "order": terms.order.value,
        "reach": terms.reach.value,
        "expires_after_months": terms.expires_after_months,
        "expires_on": ends,
        "at_expiry": terms.at_expiry.value,
        "at_stop": terms.at_stop.value,
        "surplus": terms.surplus.value,
        "buckets": dict(terms.buckets),
        "needs_interconnection": terms.needs_interconnection,
        "largest_w": terms.largest_w,
    }
    return {k: v for k, v in document.items() if v not in (None, [], {})}


def proration_document(rule: Proration) -> dict[str, Any]:
    """Return the proration rule."""
    return {
        "rule": rule.rule.value, "least_days": rule.least_days, "most_days": rule.most_days, "blocks": rule.blocks,
        "demand": rule.demand,
    }  # fmt: skip


def rounding_document(rule: Rounding) -> dict[str, Any]:
    """Return where the rate rounds."""
    return {
        "energy": rule.energy.value, "percent_of": rule.percent_of.value, "total": rule.total.value,
        "demand_step_w": rule.demand_step_w,
    }  # fmt: skip


def holidays_document(holidays: HolidayList) -> dict[str, Any]:
    """Return the holidays and their observance."""
    return {
        "rules": [_rule(r) for r in holidays.rules],
        "dates": [d.isoformat() for d in sorted(holidays.dates)],
        "observance": holidays.observance.value,
        **({"dates_are_extra": True} if holidays.dates_are_extra else {}),
    }


def _rule(rule: HolidayRule) -> Any:
    if KNOWN.get(rule.name) == rule:
        return rule.name
    return {
        "name": rule.name, "month": rule.month, "day": rule.day, "weekday": rule.weekday, "nth": rule.nth,
        "plus_days": rule.plus_days,
    }  # fmt: skip


def eligibility_document(who: Eligibility) -> dict[str, Any]:
    """Return who may take the rate."""
    document = {
        "least_kw": None if who.least_w is None else _number(Decimal(who.least_w) / 1000),
        "most_kw": None if who.most_w is None else _number(Decimal(who.most_w) / 1000),
        "least_annual_kwh": None if who.least_year_wh is None else _number(Decimal(who.least_year_wh) / 1000),
        "most_annual_kwh": None if who.most_year_wh is None else _number(Decimal(who.most_year_wh) / 1000),
        "classes": sorted(who.classes),
        "meter_kinds": sorted(who.meter_kinds),
        "interconnection": who.interconnection.value,
        "words": who.words,
    }
    return {k: v for k, v in document.items() if v not in (None, "", [])}


def coverage_document(rule: Coverage) -> dict[str, Any]:
    """Return what happens where too few intervals are actual."""
    document = {
        "least_actual_share": _number(rule.least_actual_share), "fallback": rule.fallback.value,
        "flat_rate": rule.flat_rate,
    }  # fmt: skip
    return {k: v for k, v in document.items() if v}


def _number(value: Decimal) -> str:
    return format(value, "f")
