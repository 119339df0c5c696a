"""The terms of a bill as a plain document, so that it can be made again from what it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from openami.billing.rating.terms import NO_TERMS, Annexed, Approval, BillTerms, EventPeriod, PartOf, PriceSeries
from openami.billing.rating.usage import BillSpan


def terms_document(terms: BillTerms) -> dict[str, Any]:
    """Return terms as JSON values; what is neutral is left out.

    >>> terms_document(BillTerms(revenue_month=date(2026, 11, 1)))
    {'revenue_month': '2026-11-01'}
    """
    part = terms.part_of
    told: dict[str, Any] = {
        "revenue_month": None if terms.revenue_month is None else terms.revenue_month.isoformat(),
        "municipality": terms.municipality,
        "is_final": terms.is_final,
        "attributes": dict(terms.attributes),
        "approved_w": [[a.first.isoformat(), None if a.end is None else a.end.isoformat(), a.capacity_w]
                       for a in terms.approved_w],
        "events": [[e.signal, e.start.isoformat(), e.end.isoformat()] for e in terms.events],
        "prices": [[p.signal, p.start.isoformat(), p.interval_s, [format(x, "f") for x in p.prices]]
                   for p in terms.prices],
        "coincident": [i.isoformat() for i in terms.coincident],
        "sources": list(terms.sources),
        "annexed": [[a.first.isoformat(), a.municipality] for a in terms.annexed],
        "most_left_out": "" if terms.most_left_out == NO_TERMS.most_left_out else format(terms.most_left_out, "f"),
        "part_of": None if part is None else [part.period.first.isoformat(), part.period.end.isoformat(),
                                              part.ends_service],
        "instead_of": terms.instead_of,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def parse_terms(document: Mapping[str, Any]) -> BillTerms:
    """Return the terms of a document of ours."""
    if not document:
        return NO_TERMS
    month = document.get("revenue_month")
    return BillTerms(
        None if month is None else date.fromisoformat(month),
        document.get("municipality", ""),
        document.get("is_final", False),
        document.get("attributes", {}),
        tuple(Approval(date.fromisoformat(f), _day(e), w) for f, e, w in document.get("approved_w", ())),
        tuple(EventPeriod(s, _instant(a), _instant(b)) for s, a, b in document.get("events", ())),
        tuple(
            PriceSeries(s, _instant(a), length, tuple(Decimal(x) for x in prices))
            for s, a, length, prices in document.get("prices", ())
        ),
        tuple(_instant(i) for i in document.get("coincident", ())),
        Decimal(document.get("most_left_out", NO_TERMS.most_left_out)),
        tuple(Annexed(date.fromisoformat(f), m) for f, m in document.get("annexed", ())),
        tuple(document.get("sources", ())),
        _part(document.get("part_of")),
        document.get("instead_of", ""),
    )


def _part(told: Sequence[Any] | None) -> PartOf | None:
    if told is None:
        return None
    first, end, ends_service = told
    return PartOf(BillSpan(date.fromisoformat(first), date.fromisoformat(end)), ends_service)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
