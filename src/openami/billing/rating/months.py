"""How many months a bill's days are, by the rate's proration rule, and the bill's days by version and season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.memo import Memo
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.proration import Proration, ProrationRule

_MONTH_DAYS = 30
_YEAR_DAYS = 365


def months_of(proration: Proration, whole: BillSpan, days: Sequence[date]) -> Fraction:
    """Return how many months some of a bill's days are.

    Args:
        proration: the rate's rule.
        whole: all days from read to read: of the bill, or of the period that it is a part of.
        days: those of the bill on which the charge is in force.

    >>> months_of(Proration(), BillSpan(date(2026, 6, 3), date(2026, 7, 2)), [date(2026, 6, 3)])
    Fraction(1, 29)
    """
    count = len(days)
    usual = proration.least_days <= whole.days <= proration.most_days
    if proration.rule is ProrationRule.WHOLE_BILL or (proration.rule is ProrationRule.OUTSIDE_RANGE and usual):
        return Fraction(count, whole.days)
    if proration.rule is ProrationRule.CALENDAR:
        return sum((Fraction(1, _days_in_month(d)) for d in days), Fraction(0))
    if proration.rule is ProrationRule.YEARLY:
        return Fraction(count * 12, _YEAR_DAYS)
    return Fraction(count, _MONTH_DAYS)


def _days_in_month(day: date) -> int:
    return (date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(days=1)).day


def version_dates(span: BillSpan, rates: Sequence[DayRate]) -> Mapping[int, list[date]]:
    """Return a bill's days by version, in order of the version."""
    found: dict[int, list[date]] = {}
    for number, rate in enumerate(rates):
        found.setdefault(rate.version, []).append(span.first + timedelta(days=number))
    return dict(sorted(found.items()))


_SEASONS: Memo[Mapping[int, Mapping[str, list[date]]]] = Memo(4096)


def season_dates(
    schedule: RateSchedule, span: BillSpan, rates: Sequence[DayRate]
) -> Mapping[int, Mapping[str, list[date]]]:
    """Return a bill's days by version and season name, in order of version and name."""
    return _SEASONS.of(schedule, (span, tuple(rates)), lambda: _season_dates(schedule, span, rates))


def _season_dates(
    schedule: RateSchedule, span: BillSpan, rates: Sequence[DayRate]
) -> Mapping[int, Mapping[str, list[date]]]:
    found: dict[tuple[int, str], list[date]] = {}
    for number, rate in enumerate(rates):
        name = schedule.versions[rate.version].seasons[rate.season].name
        found.setdefault((rate.version, name), []).append(span.first + timedelta(days=number))
    nested: dict[int, dict[str, list[date]]] = {}
    for (version, name), days in sorted(found.items()):
        nested.setdefault(version, {})[name] = days
    return nested
