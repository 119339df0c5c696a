"""Records of the bill book. Values only; no identity: a bill knows a service point, never a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from openami.billing.bill.hold import Hold
from openami.billing.calendar.cycle import Cycle
from openami.billing.rating.carried import Carried
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.kernel.time import Period, zone_named
from openami.mdm.api import ReadPiece

_BILLS = UUID("6f1d6f0a-3a52-4d0b-9c1d-8b5b5a0e6a11")


class BillState(StrEnum):
    """Life of a bill: held until its reason is gone, issued, and perhaps superseded by a corrected one."""

    HELD = "held"
    ISSUED = "issued"
    SUPERSEDED = "superseded"


class BillKind(StrEnum):
    """Where a bill stands in an account's time at a place. The length of a regular one alone is limited."""

    INITIAL = "initial"
    REGULAR = "regular"
    FINAL = "final"
    CORRECTED = "corrected"


class ReadingState(StrEnum):
    """What a bill may call its reads; the three are never mixed.

    ACTUAL: both register reads are actual and the intervals are whole. ESTIMATED_INTERVALS: the total is actual, its
    split over price periods is partly estimated. ESTIMATED: a read at an end is estimated or missing.
    """

    ACTUAL = "actual"
    ESTIMATED_INTERVALS = "estimated_intervals"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A service point on a rate for local days ``[first_day, end_day)``; None while it runs."""

    service_point_id: UUID
    rate_code: str
    first_day: date
    end_day: date | None = None


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A bill's line as kept, with what it was computed from.

    Args:
        kind, name, period, tier, quantity, unit, price, exact_amount, amount: as on
            :class:`~openami.billing.rating.rate.BillLine`.
        evidence: days, their versions, estimated energy, and the price version's first day.
    """

    kind: str
    name: str
    period: str | None
    tier: int | None
    quantity: Decimal
    unit: str
    price: Decimal
    exact_amount: Decimal
    amount: Decimal
    evidence: Mapping[str, int | str | None]


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as kept.

    Args:
        bill_id: the same for the same service point, first day and version, so a repeat changes nothing.
        service_point_id: where.
        span: local days billed.
        zone: their zone.
        rate_code, rate_name, currency: the rate it was priced by.
        state, hold: a held bill has a reason and no figures.
        version: rises with corrections.
        supersedes: the bill it corrects; the one in whose days it begins, where parts take the place of bills.
        replaces: ids of all bills that it, or it with its other parts, takes the place of; empty for one of one.
        begin_register_wh, end_register_wh: register at the first midnight and the last; None where no read is there.
        usage_wh, received_wh, estimated_wh: energy.
        exact_total, total: sums of exact and of printed amounts.
        day_versions: version of each day billed; 0 where there was none.
        made_at, issued_at: domain time.
        lines: what it charges.
        kind: initial, regular, final, corrected.
        account_id: the opaque number of the account that held the service point; None where none is named.
        cycle: bill group, revenue month and read day; None for a bill made before there was a calendar.
        reading_state: actual or estimated; None while it is held.
        reads: register reads at its ends, one piece for each meter and channel, by time.
        estimates_in_a_row: how many estimated bills, this one included, follow each other up to it.
        stamps: what is printed across it.
        carried_in, carried_out: what the bill before handed over, and what it hands to the next.
        terms: what it was made with beside intervals.
        due_on: last day on which it can be paid before it is delinquent; None while it is held.
        released: why a person let it pass a hold; empty where nobody had to.
    """

    bill_id: UUID
    service_point_id: UUID
    span: BillSpan
    zone: str
    rate_code: str
    rate_name: str
    currency: str
    state: BillState
    day_versions: tuple[int, ...]
    made_at: datetime
    version: int = 1
    hold: Hold | None = None
    supersedes: UUID | None = None
    begin_register_wh: int | None = None
    end_register_wh: int | None = None
    usage_wh: int | None = None
    received_wh: int | None = None
    estimated_wh: int | None = None
    exact_total: Decimal | None = None
    total: Decimal | None = None
    issued_at: datetime | None = None
    lines: tuple[KeptLine, ...] = field(default=())
    kind: BillKind = BillKind.REGULAR
    account_id: UUID | None = None
    cycle: Cycle | None = None
    reading_state: ReadingState | None = None
    reads: tuple[ReadPiece, ...] = ()
    estimates_in_a_row: int = 0
    stamps: tuple[str, ...] = ()
    carried_in: Carried = field(default_factory=Carried)
    carried_out: Carried = field(default_factory=Carried)
    terms: BillTerms = NO_TERMS
    due_on: date | None = None
    released: str = ""
    replaces: tuple[UUID, ...] = ()

    def is_of_same_account(self, other: Bill) -> bool:
        """Whether two bills of a place are one customer's: what shows one may show the other."""
        return (self.service_point_id, self.account_id) == (other.service_point_id, other.account_id)

    @property
    def own_rate_code(self) -> str:
        """The rate that the place was on: another than the one it was priced by where too little was measured."""
        return self.terms.instead_of or self.rate_code

    @property
    def ends_service(self) -> bool:
        """Whether it is its account's last one; a corrected bill has another kind, and its terms say so."""
        return self.kind is BillKind.FINAL or self.terms.is_final

    @property
    def hold_reason(self) -> str | None:
        """Why it waits, in words; None where it does not."""
        return None if self.hold is None else self.hold.reason

    @property
    def period(self) -> Period:
        """The span in UTC."""
        return self.span.period(zone_named(self.zone))

    @property
    def estimated_share(self) -> float | None:
        """Share of the energy that was estimated; None for a held bill."""
        if self.usage_wh is None or self.estimated_wh is None:
            return None
        return self.estimated_wh / self.usage_wh if self.usage_wh else 0.0


@dataclass(frozen=True, slots=True)
class BilledDays:
    """What an issued bill was made from, and when: as little as tells whether its days have changed since.

    Args:
        bill_id, service_point_id: which, and where.
        first_day: of it.
        versions: of each day billed; 0 where there was none.
        made_at: domain time.
    """

    bill_id: UUID
    service_point_id: UUID
    first_day: date
    versions: tuple[int, ...]
    made_at: datetime

    @property
    def last_day(self) -> date:
        """Its last day."""
        return self.first_day + timedelta(days=len(self.versions) - 1)


@dataclass(frozen=True, slots=True)
class Correction:
    """A day that changed after it was billed: a person decides, nothing is rewritten silently."""

    bill_id: UUID
    service_point_id: UUID
    local_day: date
    billed_version: int
    seen_version: int


def bill_id_of(service_point_id: UUID, first_day: date, version: int) -> UUID:
    """Return the id of a bill: the same for the same place, day and version."""
    return uuid5(_BILLS, f"{service_point_id}/{first_day.isoformat()}/{version}")
