"""A rate schedule as data: seasons, price periods, blocks, charges, and the dates on which they are in force.

Nothing here knows a utility, a zone or a year. Prices are exact decimals per kWh or kW; minutes are local wall time.
What the sheet leaves open (holiday list, season rule, scope of blocks) is a field, never code.

Source: NREL URDB v8 for the shape of seasons, periods and blocks; what URDB lacks (holidays, minute windows, block
scope, clock-hour demand, dated versions) is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from openami.billing.tariff.errors import TariffError
from openami.kernel.holiday import HolidayList

LARGEST_NUMBER = 10**9
MOST_PLACES = 12

MINUTES_PER_DAY = 1440
HOLIDAY = 7
"""Index of the holiday's plan in a week of eight plans; 0 to 6 are Monday to Sunday."""


class BlockScope(StrEnum):
    """Which energy moves a customer through the blocks of a bill.

    MONTH_POOLED: the bill's total over all periods decides the blocks and each period takes its share of each block.
    PER_PERIOD: every price period has blocks of its own.
    RUNNING: the running total in order of time decides, so a block edge may fall inside an interval.
    """

    MONTH_POOLED = "month_pooled"
    PER_PERIOD = "per_period"
    RUNNING = "running"


class BlockUnit(StrEnum):
    """Whether a block's edge is stated per bill or per day of the bill."""

    KWH = "kWh"
    KWH_DAILY = "kWh daily"


class SeasonRule(StrEnum):
    """Whether each day has its own month's season, or the whole bill has the season of its last day's month."""

    CALENDAR_DAY = "calendar_day"
    BILLING_MONTH = "billing_month"


class ChargeUnit(StrEnum):
    """Time base of a fixed or minimum charge. ``month`` is once a bill; ``day`` is once a day of the bill."""

    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Block:
    """One block (tier) of a price: ``price`` per kWh or kW up to and including ``up_to``; None is without end."""

    price: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A named price: for example summer on-peak. Its blocks rise; the last has no end."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def edges(self) -> tuple[Decimal, ...]:
        """The block edges, without the last's."""
        return tuple(b.up_to for b in self.blocks if b.up_to is not None)


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes ``[start_minute, end_minute)`` of a local day that have the price period of that index."""

    start_minute: int
    end_minute: int
    period: int


DayPlan = tuple[Window, ...]
"""Windows that cover the 1,440 minutes of a local day without gap or overlap."""
WeekPlan = tuple[DayPlan, ...]
"""Eight plans: Monday to Sunday, then the holiday's."""


@dataclass(frozen=True, slots=True)
class Season:
    """Months with one weekly plan of energy prices, and one of each demand charge in the tariff's order."""

    name: str
    months: frozenset[int]
    energy: WeekPlan
    demand: tuple[WeekPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A price on the highest mean power of any window in each demand period of the bill.

    Args:
        name: as printed.
        window_minutes: length of the clock-aligned window; None takes the metered interval.
        periods: prices per kW.
    """

    name: str
    window_minutes: int | None
    periods: tuple[PricePeriod, ...]


@dataclass(frozen=True, slots=True)
class FixedCharge:
    """A charge that does not depend on use."""

    name: str
    amount: Decimal
    unit: ChargeUnit = ChargeUnit.MONTH


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a rate, in force on local days ``[effective_from, effective_to)``.

    Args:
        effective_from: first day in force; None is without beginning.
        effective_to: first day no longer in force; None is without end.
        periods: energy prices; seasons point into this by index.
        seasons: cover the twelve months once.
        scope: how blocks fill.
        block_unit: whether edges are per bill or per day.
        season_rule: see :class:`SeasonRule`.
        fixed: charges that do not depend on use.
        minimum: least total of a bill, or None.
        demand: demand charges.
        holidays: days that take the holiday's plan.
        provenance: where the figures come from.
        confidence: how sure we are of each clause, in words.

    Raises:
        TariffError: a month, a minute or a price is missing or given twice.
    """

    periods: tuple[PricePeriod, ...]
    seasons: tuple[Season, ...]
    effective_from: date | None = None
    effective_to: date | None = None
    scope: BlockScope = BlockScope.MONTH_POOLED
    block_unit: BlockUnit = BlockUnit.KWH
    season_rule: SeasonRule = SeasonRule.CALENDAR_DAY
    fixed: tuple[FixedCharge, ...] = ()
    minimum: FixedCharge | None = None
    demand: tuple[DemandCharge, ...] = ()
    holidays: HolidayList = field(default_factory=HolidayList)
    provenance: Mapping[str, str] = field(default_factory=dict)
    confidence: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        months = sorted(m for s in self.seasons for m in s.months)
        if months != list(range(1, 13)):
            raise TariffError("seasons", f"the months 1 to 12 must each be in one season; got {months}")
        if len({s.name for s in self.seasons}) != len(self.seasons):
            raise TariffError("seasons", "two seasons have one name")
        for period in (*self.periods, *(p for d in self.demand for p in d.periods)):
            _check_blocks(period)
        for season in self.seasons:
            _check_week(f"seasons[{season.name}]", season.energy, len(self.periods))
            if len(season.demand) != len(self.demand):
                raise TariffError(f"seasons[{season.name}].demand", "one plan is needed for each demand charge")
            for charge, plan in zip(self.demand, season.demand, strict=True):
                _check_week(f"seasons[{season.name}].{charge.name}", plan, len(charge.periods))
            if self.scope is not BlockScope.PER_PERIOD:
                self._check_one_ladder(season)

    def season_of(self, month: int) -> Season:
        """Return the season of a month, 1 to 12."""
        return next(s for s in self.seasons if month in s.months)

    def edges_of(self, season: Season) -> tuple[Decimal, ...]:
        """Return the block edges that all the season's periods share [kWh, per bill or per day]."""
        return self.periods[season.energy[0][0].period].edges

    def _check_one_ladder(self, season: Season) -> None:
        """Shared blocks make sense only where every period of a season has the same edges (SAM issue 1783)."""
        ladders = {self.periods[w.period].edges for plan in season.energy for w in plan}
        if len(ladders) > 1:
            raise TariffError(
                f"seasons[{season.name}]",
                f"periods of one season have different block edges {sorted(map(str, ladders))}; "
                "with shared blocks they must be equal, or the scope must be per_period",
            )


@dataclass(frozen=True, slots=True)
class RateSchedule:
    """A rate that customers can be on, with every version of its prices.

    Args:
        code: stable short name.
        name: as printed.
        utility: whose.
        currency: ISO 4217 letters.
        versions: in order of their first day.
    """

    code: str
    name: str
    utility: str
    currency: str
    versions: tuple[Tariff, ...]

    def version_on(self, day: date) -> int:
        """Return the index of the version in force on a local day.

        Raises:
            TariffError: none is.
        """
        for index in range(len(self.versions) - 1, -1, -1):
            version = self.versions[index]
            starts = version.effective_from is None or version.effective_from <= day
            if starts and (version.effective_to is None or day < version.effective_to):
                return index
        raise TariffError(f"{self.code}.versions", f"no version is in force on {day}; add one, or bill other days")


OPEN_SUFFIX = "@open"


def opened(schedule: RateSchedule) -> RateSchedule:
    """Return the rate with its first prices applied to all days before as well: for files older than the rate.

    Its code ends in ``@open`` and its name says of which day the prices are, so nobody takes it for history.
    """
    first = schedule.versions[0]
    if first.effective_from is None:
        return schedule
    name = f"{schedule.name} (older days at the prices of {first.effective_from})"
    versions = (replace(first, effective_from=None), *schedule.versions[1:])
    return replace(schedule, code=schedule.code + OPEN_SUFFIX, name=name, versions=versions)


def can_be_price(number: Decimal) -> bool:
    """Tell whether a number is one that a price, an amount or a block's end can be: bills stay numbers of a page."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_PLACES and abs(number) <= LARGEST_NUMBER


def _check_blocks(period: PricePeriod) -> None:
    clause = f"periods[{period.name}].blocks"
    if not period.blocks:
        raise TariffError(clause, "a price period needs a price")
    edges = [b.up_to for b in period.blocks]
    if edges[-1] is not None or None in edges[:-1]:
        raise TariffError(clause, "every block but the last has an end, and the last has none")
    known = period.edges
    if any(b <= a for a, b in zip((Decimal(0), *known), known, strict=False)):
        raise TariffError(clause, f"block ends must rise from above zero; got {[str(e) for e in known]}")


def _check_week(clause: str, week: WeekPlan, periods: int) -> None:
    if len(week) != HOLIDAY + 1:
        raise TariffError(clause, f"a week has eight plans, Monday to Sunday and the holiday's; got {len(week)}")
    for plan in week:
        expected = 0
        for window in plan:
            if window.start_minute != expected or window.end_minute <= window.start_minute:
                raise TariffError(clause, f"minute {expected} of the day is not priced once")
            if not 0 <= window.period < periods:
                raise TariffError(clause, f"period {window.period} has no price; there are {periods}")
            expected = window.end_minute
        if expected != MINUTES_PER_DAY:
            raise TariffError(clause, f"minute {expected} of the day is not priced once")
