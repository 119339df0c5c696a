"""Whether the clauses of one version of a rate agree: every day and minute priced once, every pointer at something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from openami.billing.tariff.charge import BASE_KINDS, DatedCharge
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportKind
from openami.billing.tariff.price import BlockScope, BlockUnit, check_blocks, check_week
from openami.billing.tariff.season import Season, check_seasons

if TYPE_CHECKING:
    from openami.billing.tariff.model import Tariff

LINE_KINDS = (*BASE_KINDS, "minimum", "rider", "tax", "credit")
"""Words by which a percentage or a minimum names all lines of a kind."""


MOST_PERIODS = 64
"""Price keys keep a period in eight bits; the largest of 58,866 URDB records has ten."""
MOST_BLOCKS, MOST_SEASONS = 32, 24
MOST_CHARGES = 2000
"""A state has some thousand municipalities, each with its tax."""
MOST_VERSIONS = 200
"""Price keys keep a version in eight bits; two versions a year last a century."""


def check_version(tariff: Tariff) -> None:
    """Check one version of a rate.

    Raises:
        TariffError: its clauses do not agree; names the clause.
    """
    if tariff.effective_from and tariff.effective_to and tariff.effective_to <= tariff.effective_from:
        raise TariffError("effective_to", f"{tariff.effective_to} is not after effective_from {tariff.effective_from}")
    _check_sizes(tariff)
    check_seasons(tariff.seasons, tariff.season_rule)
    for period in (*tariff.periods, *(p for d in tariff.demand for p in d.periods)):
        check_blocks(period)
    for season in tariff.seasons:
        check_week(f"seasons[{season.name}]", season.energy, len(tariff.periods))
        if len(season.demand) != len(tariff.demand):
            raise TariffError(f"seasons[{season.name}].demand", "one plan is needed for each demand charge")
        for charge, plan in zip(tariff.demand, season.demand, strict=True):
            check_week(f"seasons[{season.name}].{charge.name}", plan, len(charge.periods))
        if tariff.scope is not BlockScope.PER_PERIOD:
            _check_one_ladder(tariff, season)
    _check_prices(tariff)
    _check_charges(tariff)
    _check_export(tariff)


def _check_sizes(tariff: Tariff) -> None:
    """Keep what is computed for a day, and the keys of prices, within bounds that no rate sheet comes near."""
    periods = (tariff.periods, *(d.periods for d in tariff.demand))
    blocks = max((len(p.blocks) for group in periods for p in group), default=0)
    charges = max(len(c) for c in (tariff.fixed, tariff.demand, tariff.riders, tariff.taxes, tariff.credits))
    for clause, count, most in (
        ("periods", max(map(len, periods)), MOST_PERIODS),
        ("periods.blocks", blocks, MOST_BLOCKS),
        ("seasons", len(tariff.seasons), MOST_SEASONS),
        ("events", len(tariff.events), MOST_PERIODS),
        ("riders", charges, MOST_CHARGES),
    ):
        if count > most:
            raise TariffError(clause, f"there are {count} in one list; the most is {most}")


def check_versions(versions: Sequence[Tariff]) -> None:
    """Check that a rider, tax or credit of one code is one thing in all versions: only its values change.

    Raises:
        TariffError: it has two units, or two ways of changing inside a bill.
    """
    if len(versions) > MOST_VERSIONS:
        raise TariffError("versions", f"there are {len(versions)}; the most is {MOST_VERSIONS}")
    known: dict[str, DatedCharge] = {}
    for number, version in enumerate(versions):
        for charge in (*version.riders, *version.credits, *version.taxes):
            first = known.setdefault(charge.code, charge)
            if (first.unit, first.change) != (charge.unit, charge.change):
                raise TariffError(
                    f"versions[{number}].[{charge.code}]",
                    "an earlier version has it with another unit or rule of change; give it another code",
                )


def _check_export(tariff: Tariff) -> None:
    """Netting a bill leaves no order of time, and prices of energy sent out are for periods that there are."""
    if tariff.export is None:
        return
    if tariff.scope is BlockScope.RUNNING and tariff.export.kind is ExportKind.NET_METERING:
        raise TariffError("blocks.scope", "what net metering leaves of a bill has no order of time to fill blocks by")
    names = {p.name for p in tariff.periods}
    known = names | set(tariff.export.buckets.values()) | {""}
    for number, price in enumerate(tariff.export.prices):
        if price.period not in known:
            clause = f"export.prices[{number}].period"
            raise TariffError(clause, f"{price.period[:40]!r} is no price period's name; there are {sorted(names)}")
    for name in tariff.export.buckets:
        if name not in names:
            raise TariffError(
                f"export.buckets[{name[:40]}]", f"no price period has this name; there are {sorted(names)}"
            )


def _check_one_ladder(tariff: Tariff, season: Season) -> None:
    """Shared blocks make sense only where every period of a season has the same edges (SAM issue 1783)."""
    ladders = {tariff.periods[w.period].edges for plan in season.energy for w in plan}
    if len(ladders) > 1:
        raise TariffError(
            f"seasons[{season.name}]",
            f"periods of one season have different block edges {sorted(map(str, ladders))}; "
            "with shared blocks they must be equal, or the scope must be per_period",
        )


def _check_prices(tariff: Tariff) -> None:
    if tariff.block_unit is BlockUnit.KWH_ANNUAL and tariff.scope is not BlockScope.MONTH_POOLED:
        raise TariffError("blocks.unit", "blocks of a year fill with the bill's total; the scope must be month_pooled")
    for charge in tariff.demand:
        if any(p.signal for p in charge.periods):
            raise TariffError(f"demand[{charge.name}]", "a demand price cannot follow a price series")
    count = len(tariff.periods)
    for event in tariff.events:
        if any(not 0 <= p < count for pair in event.replaces.items() for p in pair):
            raise TariffError(f"events[{event.name}]", f"it points at a price that is not there; there are {count}")
        if not event.signal or not event.replaces:
            raise TariffError(f"events[{event.name}]", "a signal and the prices that it replaces are needed")
    if len({e.signal for e in tariff.events}) != len(tariff.events):
        raise TariffError("events", "two event prices follow one signal")


def _check_charges(tariff: Tariff) -> None:
    dated: list[DatedCharge] = [*tariff.riders, *tariff.credits, *tariff.taxes]
    names = [c.code for c in (*tariff.riders, *tariff.credits)]
    names += sorted({t.code for t in tariff.taxes})
    places = [(t.code, t.municipality) for t in tariff.taxes]
    if len(set(names)) != len(names) or len(set(places)) != len(places):
        raise TariffError("riders", "two riders, taxes or credits have one code")
    known = {
        *LINE_KINDS,
        *names,
        *(p.name for p in tariff.periods),
        *(f.name for f in tariff.fixed),
        *(d.name for d in tariff.demand),
    }
    for charge in dated:
        _check_pointers(f"[{charge.code}].of", charge.of, known)
    if tariff.minimum is not None:
        _check_pointers("minimum.of", tariff.minimum.of, known)
    if not 1 <= tariff.year_ends_month <= 12:
        raise TariffError("year_ends_month", f"{tariff.year_ends_month} is no month")


def _check_pointers(clause: str, of: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(of) - known)
    if unknown:
        raise TariffError(clause, f"{unknown} name no line of this version; it has {sorted(known)}")
