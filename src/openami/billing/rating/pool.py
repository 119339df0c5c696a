"""Pools: groups of price periods that fill one ladder of blocks together, and the ladder's size in a given bill.

A bill that crosses a season's edge or a price change has a pool for each ladder; its block ends are scaled by the
pool's share of the bill's days, so that half a month of winter has half the winter block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.memo import Memo
from openami.billing.rating.months import months_of, season_dates
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import BlockScope, BlockUnit
from openami.billing.tariff.proration import Proration
from openami.billing.tariff.season import Season


@dataclass(frozen=True, slots=True)
class Pool:
    """Price periods of one version that fill blocks together.

    Args:
        version: index of the version.
        periods: indexes of its price periods, rising.
        days: days of the bill on which one of them is in force.
        ends_wh: block ends in this bill, cumulative; the last block has none.
    """

    version: int
    periods: tuple[int, ...]
    days: int
    ends_wh: tuple[int, ...]


_POOLS: Memo[tuple[Pool, ...]] = Memo(4096)


def pools(schedule: RateSchedule, span: BillSpan, rates: list[DayRate], terms: BillTerms = NO_TERMS) -> list[Pool]:
    """Return every pool of a bill, in order of version and first price period."""
    whole = terms.whole(span)
    return list(_POOLS.of(schedule, (span, whole, tuple(rates)), lambda: tuple(_pools(schedule, span, whole, rates))))


def _pools(schedule: RateSchedule, span: BillSpan, whole: BillSpan, rates: list[DayRate]) -> list[Pool]:
    found: list[Pool] = []
    for version, days_of in season_dates(schedule, span, rates).items():
        tariff = schedule.versions[version]
        seasons = [s for s in tariff.seasons if s.name in days_of]
        for periods, names in _groups(tariff, seasons).items():
            days = [day for name in names for day in days_of[name]]
            ends = tuple(_end_wh(e, tariff, days, whole) for e in tariff.periods[periods[0]].edges)
            found.append(Pool(version, periods, len(days), ends))
    return found


def _groups(tariff: Tariff, seasons: list[Season]) -> dict[tuple[int, ...], list[str]]:
    """Return groups of price periods that share a ladder, each with the names of the seasons it is used in.

    A price of events fills the ladder of the season in which it takes another's place, if its own is the same.
    """
    if tariff.scope is BlockScope.PER_PERIOD:
        alone = sorted({p for s in seasons for p in _periods(tariff, s)})
        return {(p,): [s.name for s in seasons if p in _periods(tariff, s)] for p in alone}
    ladders: dict[tuple[Decimal, ...], set[int]] = {}
    for season in seasons:
        for period in _periods(tariff, season):
            ladders.setdefault(tariff.periods[period].edges, set()).add(period)
    return {
        tuple(sorted(periods)): [s.name for s in seasons if periods & set(_periods(tariff, s))]
        for periods in ladders.values()
    }


def season_days(schedule: RateSchedule, rates: list[DayRate]) -> Mapping[int, Mapping[str, int]]:
    """Return the bill's days by version and season name."""
    counted = Counter((r.version, schedule.versions[r.version].seasons[r.season].name) for r in rates)
    found: dict[int, dict[str, int]] = {}
    for (version, season), days in sorted(counted.items()):
        found.setdefault(version, {})[season] = days
    return found


def _periods(tariff: Tariff, season: Season) -> tuple[int, ...]:
    ordinary = {w.period for plan in season.energy for w in plan}
    during = {after for e in tariff.events for before, after in e.replaces.items() if before in ordinary}
    return tuple(sorted(ordinary | during))


def _end_wh(edge_kwh: Decimal, tariff: Tariff, days: list[date], whole: BillSpan) -> int:
    """Whole Wh, rounded down: the energy on a line is whole Wh, so a block cannot end inside one."""
    if tariff.block_unit is BlockUnit.KWH_ANNUAL:
        share = Fraction(1)
    elif tariff.block_unit is BlockUnit.KWH_DAILY:
        share = Fraction(len(days))
    else:
        share = months_of(tariff.proration if tariff.proration.blocks else Proration(), whole, days)
    return int(Fraction(edge_kwh) * 1000 * share)
