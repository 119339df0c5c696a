"""Pools: groups of price periods that fill one ladder of blocks together, and the ladder's size in a given bill.

A bill that crosses a season's edge or a price change has a pool for each ladder; its block ends are scaled by the
pool's share of the bill's days, so that half a month of winter has half the winter block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import BlockScope, BlockUnit
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


def pools(schedule: RateSchedule, span: BillSpan, rates: list[DayRate]) -> list[Pool]:
    """Return every pool of a bill, in order of version and first price period."""
    found: list[Pool] = []
    for version, days_of in season_days(schedule, rates).items():
        tariff = schedule.versions[version]
        seasons = [s for s in tariff.seasons if s.name in days_of]
        for periods, names in _groups(tariff, seasons).items():
            days = sum(days_of[name] for name in names)
            ends = tuple(_end_wh(e, tariff.block_unit, days, span.days) for e in tariff.periods[periods[0]].edges)
            found.append(Pool(version, periods, days, ends))
    return found


def _groups(tariff: Tariff, seasons: list[Season]) -> dict[tuple[int, ...], list[str]]:
    """Return groups of price periods that share a ladder, each with the names of the seasons it is used in."""
    if tariff.scope is BlockScope.PER_PERIOD:
        alone = sorted({p for s in seasons for p in _periods(s)})
        return {(p,): [s.name for s in seasons if p in _periods(s)] for p in alone}
    found: dict[tuple[int, ...], list[str]] = {}
    for edges in dict.fromkeys(tariff.edges_of(s) for s in seasons):
        sharing = [s for s in seasons if tariff.edges_of(s) == edges]
        found[tuple(sorted({p for s in sharing for p in _periods(s)}))] = [s.name for s in sharing]
    return found


def season_days(schedule: RateSchedule, rates: list[DayRate]) -> Mapping[int, Mapping[str, int]]:
    """Return the bill's days by version and season name."""
    counted = Counter((r.version, schedule.versions[r.version].seasons[r.season].name) for r in rates)
    found: dict[int, dict[str, int]] = {}
    for (version, season), days in sorted(counted.items()):
        found.setdefault(version, {})[season] = days
    return found


def _periods(season: Season) -> tuple[int, ...]:
    return tuple(sorted({w.period for plan in season.energy for w in plan}))


def _end_wh(edge_kwh: Decimal, unit: BlockUnit, days: int, bill_days: int) -> int:
    """Whole Wh, rounded down: the energy on a line is whole Wh, so a block cannot end inside one."""
    share = Fraction(days) if unit is BlockUnit.KWH_DAILY else Fraction(days, bill_days)
    return int(Fraction(edge_kwh) * 1000 * share)
