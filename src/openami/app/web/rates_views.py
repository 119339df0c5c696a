"""The comparison's values as the portal's views. Money is decimal text; shares are plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from openami.billing.compare.advice import Advice
from openami.billing.compare.breakeven import BreakEven
from openami.billing.compare.comparison import Comparison
from openami.billing.compare.demand import DemandMonth, demand_of
from openami.billing.compare.outcome import RateOutcome, YearRange
from openami.billing.compare.protection import Protection, ShadowEntry, standing_of
from openami.billing.compare.service import RatesOfPlace
from openami.billing.compare.split import CostPart, split_of, spread_of
from openami.billing.compare.wish import Wish
from openami.billing.document import money, plain
from openami.billing.statement.words import RateWords, rate_words
from openami.kernel.time import epoch_s
from openami.portal.views.rates import (
    AdviceName,
    BreakEvenView,
    CostPartView,
    DaysLeftOutView,
    DemandMonthView,
    LeverName,
    MoneyRangeView,
    MonthCostView,
    PeakView,
    ProtectionView,
    RateAdviceView,
    RateCostView,
    RatesView,
    ShadowMonthView,
    WishView,
)


def rates_view(
    service_point_id: UUID, found: RatesOfPlace, *, wish: WishView | None, protection: ProtectionView | None,
    next_read: date,
) -> RatesView:
    """Return the whole page's document."""
    compared = found.comparison
    present = compared.of(found.present)
    priced = next((o for o in compared.outcomes if not o.refused), None)
    is_empty = compared.coverage == 0
    return RatesView(
        service_point_id=service_point_id,
        zone=found.zone.key,
        currency="USD" if priced is None else priced.schedule.currency,
        first_day=None if is_empty else compared.spans[0].first,
        last_day=None if is_empty else compared.spans[-1].last,
        months=0 if is_empty else len(compared.spans),
        usage_wh=0 if priced is None else priced.usage_wh,
        coverage=float(compared.coverage),
        needed=float(compared.setting.min_coverage),
        estimated_share=float(compared.estimated_share),
        left_out=[
            DaysLeftOutView(first_day=s.span.first, last_day=s.span.last, share=float(s.share))
            for s in compared.left_out
        ],
        unseen=[m.first for m in compared.unseen],
        present=found.present,
        advice=_advice(compared.advice),
        rates=[] if is_empty else [_rate(o, found, compared, present) for o in compared.outcomes],
        next_read=next_read,
        assumptions=list(found.assumptions),
        wish=wish,
        protection=protection,
    )


def wish_view(wish: Wish, names: Mapping[str, str]) -> WishView:
    """Return a wish."""
    return WishView(
        wish_id=wish.wish_id, rate_code=wish.rate_code, rate_name=names.get(wish.rate_code, wish.rate_code),
        first_day=wish.first_day, asked_at=epoch_s(wish.asked_at), state="open" if wish.step is None else wish.step,
        note=wish.note,
    )  # fmt: skip


def protection_view(guard: Protection, entries: Sequence[ShadowEntry], names: Mapping[str, str]) -> ProtectionView:
    """Return a first-year ledger."""
    standing = standing_of(guard, entries)
    return ProtectionView(
        rate_name=names.get(guard.rate_code, guard.rate_code),
        shadow_name=names.get(guard.shadow_code, guard.shadow_code),
        first_day=guard.first_day,
        last_day=guard.end_day - timedelta(days=1),
        billed=money(standing.billed),
        shadow=money(standing.shadow),
        over=money(standing.over),
        credit=money(standing.credit),
        settled=standing.settled,
        months=[
            ShadowMonthView(
                first_day=e.span.first, last_day=e.span.last, billed=money(e.billed),
                shadow=None if e.shadow is None else money(e.shadow), over=money(e.over), refused=e.refused,
            )
            for e in entries
        ],
    )  # fmt: skip


def break_even_view(found: BreakEven, names: Mapping[str, str]) -> BreakEvenView:
    """Return what would have to be true of one rate."""
    return BreakEvenView(
        rate_code=found.code, rate_name=names.get(found.code, found.code), lever=LeverName(found.lever),
        reachable=found.reachable, share=float(found.share), kwh_per_day=plain(Decimal(found.wh_per_day) / 1000),
        kw=plain(Decimal(found.watts) / 1000), now_kw=plain(Decimal(found.now_watts) / 1000),
        saving=money(found.saving),
    )  # fmt: skip


def _advice(advice: Advice) -> RateAdviceView:
    return RateAdviceView(
        kind=AdviceName(advice.kind),
        rate_code=None if advice.schedule is None else advice.schedule.code,
        rate_name=None if advice.schedule is None else advice.schedule.name,
        saving=money(advice.saving),
        year=_range(advice.year),
        noise=money(advice.noise),
        reason=advice.reason,
    )


def _range(found: YearRange | None) -> MoneyRangeView | None:
    return None if found is None else MoneyRangeView(low=money(found.low), high=money(found.high))


def _rate(
    outcome: RateOutcome, found: RatesOfPlace, compared: Comparison, present: RateOutcome | None
) -> RateCostView:
    schedule, bills = outcome.schedule, outcome.bills
    words, sure = _words(outcome, compared)
    more = None if present is None or present.refused or outcome.refused else outcome.total - present.total
    spread = spread_of(bills) if bills else None
    demand = demand_of(schedule, bills, found.usage[schedule.code], found.zone, found.terms) if bills else ()
    return RateCostView(
        code=schedule.code,
        name=schedule.name,
        is_present=schedule.code == found.present,
        total=None if outcome.refused else money(outcome.total),
        year=_range(outcome.year),
        more_than_present=None if more is None else money(more),
        refused=outcome.refused or None,
        ineligible=outcome.ineligible or None,
        missing_charges=list(outcome.missing_charges),
        rules=[] if words is None else [w.sentence for w in (*words.energy, *words.demand)],
        notes=[] if words is None else [*words.fixed, *words.dated, *words.notes, *words.export],
        sure=sure,
        low_month=None if spread is None else money(spread.low),
        high_month=None if spread is None else money(spread.high),
        parts=[_part(p) for p in split_of(bills)],
        months=[
            MonthCostView(
                first_day=b.span.first, last_day=b.span.last, total=money(b.total), usage_wh=b.determinants.usage_wh
            )
            for b in bills
        ],
        demand=[_demand(d) for d in demand],
    )


def _words(outcome: RateOutcome, compared: Comparison) -> tuple[RateWords | None, list[str]]:
    day = compared.spans[-1].last
    index = outcome.schedule.find_version(day)
    if index is None:
        return None, []
    tariff = outcome.schedule.versions[index]
    sure = [f"{clause.replace('_', ' ')}: {words}" for clause, words in tariff.confidence.items()]
    return rate_words(tariff, outcome.schedule.currency, on=day), sure


def _part(part: CostPart) -> CostPartView:
    return CostPartView(
        kind=part.kind.value, name=part.name, quantity=plain(part.quantity), unit=part.unit, amount=money(part.amount),
        low_price=plain(part.low_price), high_price=plain(part.high_price),
    )  # fmt: skip


def _demand(month: DemandMonth) -> DemandMonthView:
    return DemandMonthView(
        first_day=month.span.first,
        last_day=month.span.last,
        name=month.name,
        window_minutes=month.window_minutes,
        highest=[PeakView(at=p.start_s, kw=plain(Decimal(p.watts) / 1000)) for p in month.highest],
        per_kw=plain(month.per_kw.quantize(Decimal("0.0001"))),
        amount=money(month.amount),
        worth=money(month.worth),
    )
