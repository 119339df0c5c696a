"""A rate schedule as data: one version of a rate, and the versions with the dates on which they are in force.

Nothing here knows a utility, a zone or a year. What the sheet leaves open (holiday list, season rule, scope of blocks,
rounding, proration) is a field with a neutral default, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from openami.billing.tariff.agreement import check_version, check_versions
from openami.billing.tariff.charge import Credit, FixedCharge, MinimumCharge, Rider, Tax
from openami.billing.tariff.coverage import Coverage
from openami.billing.tariff.demand import DemandCharge
from openami.billing.tariff.eligibility import Eligibility
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportTerms
from openami.billing.tariff.price import BlockScope, BlockUnit, EventPrice, PricePeriod
from openami.billing.tariff.proration import PriceChange, Proration
from openami.billing.tariff.rounding import Rounding
from openami.billing.tariff.season import Season, SeasonRule
from openami.kernel.holiday import HolidayList


@dataclass(frozen=True, slots=True)
class Refusal:
    """A clause of the sheet that the file cannot say: the version can be shown, and never billed."""

    clause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a rate, in force on local days ``[effective_from, effective_to)``.

    Args:
        periods: energy prices; seasons point into this by index.
        seasons: cover every day of the year once.
        effective_from: first day in force; None is without beginning.
        effective_to: first day no longer in force; None is without end.
        scope: how blocks fill.
        block_unit: whether edges are per bill, per day or per year.
        season_rule: see :class:`~openami.billing.tariff.season.SeasonRule`.
        fixed: charges that do not depend on use.
        minimum: least that named lines come to, or None.
        demand: demand charges.
        holidays: days that take the holiday's plan.
        provenance: where the figures come from.
        confidence: how sure we are of each clause, in words.
        label: what the version is called, for example the order that approved it.
        riders: dated charges and refunds beside the base prices, in the order of the bill.
        taxes: dated, by municipality.
        credits: dated reductions.
        events: prices while an event runs; the events are inputs of a bill.
        proration: how many months a bill of so many days is.
        price_change: whether new prices begin on their day or with a bill.
        rounding: where the rate rounds.
        eligibility: who may take the rate.
        export: what energy sent out is worth; None bills what is delivered and lists what is received.
        coverage: what happens where too few intervals are actual; None leaves it to the biller.
        year_ends_month: last revenue month of the rate year, for a yearly minimum and for blocks of a year.
        refusals: clauses that the file cannot say; with any, the version is shown and never billed.

    Raises:
        TariffError: a day, a minute or a price is missing or given twice, or clauses contradict each other.
    """

    periods: tuple[PricePeriod, ...]
    seasons: tuple[Season, ...]
    effective_from: date | None = None
    effective_to: date | None = None
    scope: BlockScope = BlockScope.MONTH_POOLED
    block_unit: BlockUnit = BlockUnit.KWH
    season_rule: SeasonRule = SeasonRule.CALENDAR_DAY
    fixed: tuple[FixedCharge, ...] = ()
    minimum: MinimumCharge | None = None
    demand: tuple[DemandCharge, ...] = ()
    holidays: HolidayList = field(default_factory=HolidayList)
    provenance: Mapping[str, str] = field(default_factory=dict)
    confidence: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    riders: tuple[Rider, ...] = ()
    taxes: tuple[Tax, ...] = ()
    credits: tuple[Credit, ...] = ()
    events: tuple[EventPrice, ...] = ()
    proration: Proration = field(default_factory=Proration)
    price_change: PriceChange = PriceChange.BY_DAY
    rounding: Rounding = field(default_factory=Rounding)
    eligibility: Eligibility = field(default_factory=Eligibility)
    export: ExportTerms | None = None
    coverage: Coverage | None = None
    year_ends_month: int = 12
    refusals: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        check_version(self)

    def season_index(self, month: int, day: int = 1) -> int:
        """Return the index of the season of a day of the year."""
        return next(i for i, s in enumerate(self.seasons) if s.has(month, day))

    def season_of(self, month: int, day: int = 1) -> Season:
        """Return the season of a day of the year; of a whole month where the seasons are of months."""
        return self.seasons[self.season_index(month, day)]

    def edges_of(self, season: Season) -> tuple[Decimal, ...]:
        """Return the block edges that all the season's periods share [kWh, per bill, day or year]."""
        return self.periods[season.energy[0][0].period].edges


@dataclass(frozen=True, slots=True)
class RateSchedule:
    """A rate that customers can be on, with every version of its prices.

    Args:
        code: stable short name.
        name: as printed.
        utility: whose.
        currency: ISO 4217 letters.
        versions: in order of their first day.

    Raises:
        TariffError: two versions know one rider, tax or credit as different things.
    """

    code: str
    name: str
    utility: str
    currency: str
    versions: tuple[Tariff, ...]

    def __post_init__(self) -> None:
        check_versions(self.versions)

    def version_on(self, day: date) -> int:
        """Return the index of the version in force on a local day.

        Raises:
            TariffError: none is.
        """
        found = self.find_version(day)
        if found is None:
            raise TariffError(f"{self.code}.versions", f"no version is in force on {day}; add one, or bill other days")
        return found

    def find_version(self, day: date) -> int | None:
        """Return the index of the version in force on a local day, or None."""
        for index in range(len(self.versions) - 1, -1, -1):
            version = self.versions[index]
            starts = version.effective_from is None or version.effective_from <= day
            if starts and (version.effective_to is None or day < version.effective_to):
                return index
        return None


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
