"""Energy and demand prices of a rate: blocks, named periods, the week's windows, seasons and event prices.

Prices are exact decimals per kWh or kW; minutes are of local wall time; days of a season are days of any year.

Source: NREL URDB v8 for the shape of seasons, periods and blocks; minute windows, block scope, seasons by date and
event prices are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openami.billing.tariff.errors import TariffError

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
    """Whether a block's edge is stated per bill, per day of the bill, or for the energy of a year so far."""

    KWH = "kWh"
    KWH_DAILY = "kWh daily"
    KWH_ANNUAL = "kWh annual"


@dataclass(frozen=True, slots=True)
class Block:
    """One block (tier) of a price: ``price`` per kWh or kW up to and including ``up_to``; None is without end."""

    price: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A named price: for example summer on-peak. Its blocks rise; the last has no end.

    Args:
        name: as printed.
        blocks: prices per kWh or kW.
        signal: name of a price series whose price at each interval is added to the block's; empty for none.
        factor: what the series' price is multiplied by.
    """

    name: str
    blocks: tuple[Block, ...]
    signal: str = ""
    factor: Decimal = Decimal(1)

    @property
    def edges(self) -> tuple[Decimal, ...]:
        """The block edges, without the last's."""
        return tuple(b.up_to for b in self.blocks if b.up_to is not None)


@dataclass(frozen=True, slots=True)
class EventPrice:
    """Prices that take the place of others while an event of a signal runs, as critical-peak prices do.

    Args:
        name: as printed.
        signal: name of the events.
        replaces: index of the ordinary price period, to index of the one during the event.
    """

    name: str
    signal: str
    replaces: Mapping[int, int]


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


def can_be_price(number: Decimal) -> bool:
    """Tell whether a number is one that a price, an amount or a block's end can be: bills stay numbers of a page."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_PLACES and abs(number) <= LARGEST_NUMBER


def check_blocks(period: PricePeriod) -> None:
    """Check a period's ladder of blocks.

    Raises:
        TariffError: a block has no end or no rise, or the last has an end.
    """
    clause = f"periods[{period.name}].blocks"
    if not period.blocks:
        raise TariffError(clause, "a price period needs a price")
    edges = [b.up_to for b in period.blocks]
    if edges[-1] is not None or None in edges[:-1]:
        raise TariffError(clause, "every block but the last has an end, and the last has none")
    known = period.edges
    if any(b <= a for a, b in zip((Decimal(0), *known), known, strict=False)):
        raise TariffError(clause, f"block ends must rise from above zero; got {[str(e) for e in known]}")


def check_week(clause: str, week: WeekPlan, periods: int) -> None:
    """Check that every minute of a week's eight plans is priced once.

    Raises:
        TariffError: a minute is not, or a window points at no price.
    """
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
