"""Compare rates on a customer's own intervals: the same energy, the same days, the same engine that bills.

The answer may be "stay": a saving below the noise is not advice. A rate that cannot price the data is listed with its
reason, and so is one that the customer cannot be on; none vanishes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from openami.billing.compare.advice import Advice, advice_on
from openami.billing.compare.coverage import SpanCoverage, coverage_of
from openami.billing.compare.outcome import RateOutcome, outcome_of
from openami.billing.compare.setting import Setting, setting_on
from openami.billing.compare.unseen import unseen_of
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan, Usage
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every rate on the same days.

    Args:
        outcomes: cheapest first, refused last.
        coverage: share of the intervals of all days asked for that were there.
        advice: which rate to be on.
        spans: the bills' days that were compared: those of which enough is there, or all where none is.
        left_out: days of which too little is there.
        unseen: months of a whole year that the days do not hold; ranges stand for them.
        estimated_share: of the energy.
        setting: what it was judged by.
    """

    outcomes: tuple[RateOutcome, ...]
    coverage: Decimal
    advice: Advice
    spans: tuple[BillSpan, ...]
    left_out: tuple[SpanCoverage, ...]
    unseen: tuple[BillSpan, ...]
    estimated_share: Decimal
    setting: Setting

    def of(self, code: str | None) -> RateOutcome | None:
        """Return the outcome of a rate, or None."""
        return next((o for o in self.outcomes if o.schedule.code == code), None)


def compare_rates(
    schedules: Sequence[RateSchedule],
    usage: Usage,
    spans: Sequence[BillSpan],
    zone: ZoneInfo,
    *,
    present: str | None = None,
    ineligible: Mapping[str, str] | None = None,
    setting: Setting | None = None,
    terms: Mapping[BillSpan, BillTerms] | None = None,
    changed: Mapping[str, Usage] | None = None,
) -> Comparison:
    """Price every rate on the same intervals.

    Args:
        schedules: the rates.
        usage: interval energy.
        spans: the bills' days.
        zone: the service point's zone.
        present: code of the rate that the customer is on, or None.
        ineligible: by code, why the customer cannot be on a rate; it is priced and listed, never advised.
        setting: what to judge by; the one in force on the last day by default.
        changed: by rate code, usage with assumptions laid on top; coverage is always of what was measured.
        terms: each bill's other inputs, by span: the same for every rate; neutral where there are none.
    """
    rule = setting or setting_on(max(s.last for s in spans))
    coverage = coverage_of(usage, spans, zone, least=rule.min_coverage)
    used = coverage.used or tuple(spans)
    barred = ineligible or {}
    own = [(terms or {}).get(s, NO_TERMS) for s in used]
    of = {s.code: (changed or {}).get(s.code, usage) for s in schedules}
    outcomes = [outcome_of(s, of[s.code], used, zone, ineligible=barred.get(s.code, ""), terms=own) for s in schedules]
    unseen = unseen_of(outcomes, of, coverage.used, zone)
    outcomes = [replace(o, year=unseen.year_of(o)) for o in outcomes]
    return Comparison(
        outcomes=tuple(sorted(outcomes, key=_order)),
        coverage=coverage.share,
        advice=advice_on(outcomes, coverage, unseen, rule, present),
        spans=used,
        left_out=coverage.left_out,
        unseen=unseen.months,
        estimated_share=coverage.estimated_share,
        setting=rule,
    )


def _order(outcome: RateOutcome) -> tuple[bool, Decimal, str]:
    return bool(outcome.refused), outcome.total, outcome.schedule.code
