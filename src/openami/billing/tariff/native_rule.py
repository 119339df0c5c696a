"""Read the rules of a rate file of our own format: blocks, proration, rounding, eligibility, holidays."""

from __future__ import annotations

from calendar import monthrange
from decimal import Decimal

from openami.billing.tariff.clause import Clause, placed
from openami.billing.tariff.coverage import Coverage, Fallback
from openami.billing.tariff.eligibility import Eligibility, Interconnection
from openami.billing.tariff.model import Refusal
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.proration import Proration, ProrationRule
from openami.billing.tariff.rounding import EnergyRounding, PercentOf, Rounding, TotalRule
from openami.kernel.holiday import KNOWN, HolidayList, HolidayRule, Observance


def read_blocks(row: Clause) -> tuple[BlockScope, BlockUnit]:
    """Return scope and unit of blocks."""
    found = (
        row.get("scope", lambda c: c.word(BlockScope), BlockScope.MONTH_POOLED),
        row.get("unit", lambda c: c.word(BlockUnit), BlockUnit.KWH),
    )
    row.close()
    return found


def read_proration(row: Clause) -> Proration:
    """Return the proration rule."""
    plain = Proration()
    fields = (
        row.get("rule", lambda c: c.word(ProrationRule), plain.rule),
        row.get("least_days", Clause.whole, plain.least_days),
        row.get("most_days", Clause.whole, plain.most_days),
        row.get("blocks", Clause.truth, plain.blocks),
        row.get("demand", Clause.truth, plain.demand),
    )
    found = placed(row, lambda: Proration(*fields))
    row.close()
    return found


def read_coverage(row: Clause) -> Coverage:
    """Return what happens where too few intervals are actual."""
    fields = (
        row.at("least_actual_share").number(),
        row.get("fallback", lambda c: c.word(Fallback), Fallback.HOLD),
        row.get("flat_rate", Clause.text, ""),
    )
    found = placed(row, lambda: Coverage(*fields))
    row.close()
    return found


def read_rounding(row: Clause) -> Rounding:
    """Return where the rate rounds."""
    plain = Rounding()
    fields = (
        row.get("energy", lambda c: c.word(EnergyRounding), plain.energy),
        row.get("percent_of", lambda c: c.word(PercentOf), plain.percent_of),
        row.get("total", lambda c: c.word(TotalRule), plain.total),
        row.get("demand_step_w", Clause.whole, plain.demand_step_w),
    )
    found = placed(row, lambda: Rounding(*fields))
    row.close()
    return found


def read_eligibility(row: Clause) -> Eligibility:
    """Return who may take the rate."""
    found = Eligibility(
        row.get("least_kw", _watts, None),
        row.get("most_kw", _watts, None),
        frozenset(row.texts_at("classes")),
        frozenset(row.texts_at("meter_kinds")),
        row.get("interconnection", lambda c: c.word(Interconnection), Interconnection.EITHER),
        row.get("words", Clause.text, ""),
        row.get("least_annual_kwh", _watts, None),
        row.get("most_annual_kwh", _watts, None),
    )
    row.close()
    return found


def _watts(clause: Clause) -> int | None:
    """Read kilowatts as watts, or kilowatt-hours as watt-hours."""
    return int(clause.number() * Decimal(1000))


def read_refusal(row: Clause) -> Refusal:
    """Return a clause that the file cannot say."""
    found = Refusal(row.at("clause").text(), row.at("reason").text())
    row.close()
    return found


def read_holidays(row: Clause) -> HolidayList:
    """Return the holidays and their observance."""
    found = HolidayList(
        tuple(_rule(r) for r in row.each("rules")),
        frozenset(d.day() for d in row.each("dates")),
        row.get("observance", lambda c: c.word(Observance), Observance.ACTUAL_DAY),
        row.get("dates_are_extra", Clause.truth, False),
    )
    row.close()
    return found


def _rule(clause: Clause) -> HolidayRule:
    if isinstance(clause.value, str):
        if clause.value not in KNOWN:
            raise clause.refuse(f"{clause.value[:40]!r} is not one of {sorted(KNOWN)}")
        return KNOWN[clause.value]
    parts = {k: clause.get(k, Clause.whole, 0) for k in ("day", "weekday", "nth", "plus_days")}
    rule = HolidayRule(clause.at("name").text(), clause.at("month").whole(), **parts)
    clause.close()
    if not _has_a_date(rule):
        raise clause.refuse("a month with a day, or with a weekday (0 Monday) and nth (1 to 4, -1 the last), is needed")
    return rule


def _has_a_date(rule: HolidayRule) -> bool:
    """Every year must have the day: no 29 February, no fifth Monday."""
    if not 1 <= rule.month <= 12 or abs(rule.plus_days) > 60:
        return False
    if rule.nth:
        return rule.nth in (-1, 1, 2, 3, 4) and 0 <= rule.weekday <= 6
    return 1 <= rule.day <= monthrange(2023, rule.month)[1]
