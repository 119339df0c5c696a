"""The worklist: what waits for a person, the most pressing first. Records and the port; PostgreSQL sorts.

Findings of one rule about one channel of one place are one item, however many days they fill: a person looks once. The
order is severity, then the day on which the bill goes out that the readings stand on (bills still to come before bills
that are out), then the money at stake.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.finding import Severity

MAX_LIMIT = 5_000
DEFAULT_PRICE_PER_KWH = Decimal("0.14")
"""What a kWh at stake is counted for where nobody says better: a rough figure for order alone, never for a bill."""
STAKE_KEYS = ("residual_wh", "shortfall_wh", "excess_wh", "estimated_wh", "energy_wh", "worst_wh", "usage_wh")
"""Evidence that says how much energy a finding is about; the first that is there counts."""


class WorkOrder(StrEnum):
    """What the list is sorted by first."""

    PRESSING = "pressing"
    DOLLARS = "dollars"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """Which items.

    Args:
        severity: one of them, or both for None.
        rules: of these rules; of all for none.
        service_points: at these places; everywhere for None.
        cell, feeder, transformer: where, or empty.
        bill_before: whose bill goes out before this day; None for all.
        min_wh: at least this much energy at stake.
        case_id: of one case; None for items in no open case.
        with_cases: whether items of open cases are listed, too.
        order: what comes first.
    """

    severity: Severity | None = None
    rules: tuple[str, ...] = ()
    service_points: frozenset[UUID] | None = None
    cell: str = ""
    feeder: str = ""
    transformer: str = ""
    bill_before: date | None = None
    min_wh: int = 0
    case_id: UUID | None = None
    with_cases: bool = False
    order: WorkOrder = WorkOrder.PRESSING


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One thing for a person to look at.

    Args:
        service_point_id, channel, rule, severity: what.
        first, last: local days, both included.
        findings: how many findings it folds.
        since: when the first of them was found, domain time.
        bill_on: day on which the bill goes out that holds its last day.
        is_billed: whether that bill is out.
        stake_wh: energy at stake [Wh].
        evidence: of its newest finding.
        cell, transformer: where in the network.
        case_id: the open case that it is in, or None.
    """

    service_point_id: UUID
    channel: Channel
    rule: str
    severity: Severity
    first: date
    last: date
    findings: int
    since: datetime
    bill_on: date
    is_billed: bool
    stake_wh: int
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)
    cell: str = ""
    transformer: str = ""
    case_id: UUID | None = None

    def dollars(self, price_per_kwh: Decimal = DEFAULT_PRICE_PER_KWH) -> Decimal:
        """Return the money at stake, to a cent."""
        return (Decimal(self.stake_wh) / 1000 * price_per_kwh).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class WorkPage:
    """Some items of a list.

    Args:
        items: in order.
        total: how many items the filter leaves.
        findings: how many findings they fold.
    """

    items: tuple[WorkItem, ...]
    total: int
    findings: int


class Worklist(Protocol):
    """Reads open findings as items."""

    async def page(self, wanted: WorkFilter, *, today: date, limit: int, offset: int = 0) -> WorkPage:
        """Return items of a filter.

        Args:
            wanted: the filter.
            today: local day of the utility, which tells bills that are out.
            limit: at most this many, 1 to :data:`MAX_LIMIT`.
            offset: how many to pass over.
        """
        ...

    async def places(self, wanted: WorkFilter, *, today: date) -> Sequence[UUID]:
        """Return the places of all items of a filter."""
        ...

    async def rules(self, service_points: Collection[UUID] | None = None) -> Mapping[str, int]:
        """Return how many open findings each rule has."""
        ...
