"""What one bill is asked for: place, days, where it stands in the account's time, and what earlier bills hand over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import BillKind
from openami.billing.calendar.cycle import Cycle
from openami.billing.jurisdiction.model import EstimateCause
from openami.billing.rating.carried import Carried
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead

MeterReads = Mapping[tuple[str, Channel], EndOfRead]
"""Reads by serial number and channel."""


@dataclass(frozen=True, slots=True)
class BillOrder:
    """One bill to make.

    Args:
        service_point_id: where.
        span: local days.
        kind: initial, regular, final or corrected.
        account_id: opaque number of the account; None where none is named.
        cycle: its place in the calendar; None for days outside of any, for example of a comparison.
        terms: what the rate needs to know beside intervals.
        carried: what the bill before it handed over.
        opens_on: reads that the bill before it closed on: this one opens on exactly those.
        closes_on: reads that the bill after it opened on, where that one went out first.
        closes_about: reads that are reckoned between two that were taken; used at its end where nobody took one.
        ends_from: earliest day on which it may end where its last midnight was not read; None where that stands.
        estimates_before: how many estimated bills end where this one begins.
        version, supersedes: of a corrected bill.
        replaces: ids of all bills that it replaces with others, or alone replaces; empty where ``supersedes`` says it.
        released: why it passes every hold that a person may pass; empty where it does not.
        no_read: why its registers could not be read, where somebody knows.
        passes: single holds that a person lets it pass, with the reason.
    """

    service_point_id: UUID
    span: BillSpan
    kind: BillKind = BillKind.REGULAR
    account_id: UUID | None = None
    cycle: Cycle | None = None
    terms: BillTerms = NO_TERMS
    carried: Carried = field(default_factory=Carried)
    opens_on: MeterReads = field(default_factory=dict)
    closes_on: MeterReads = field(default_factory=dict)
    closes_about: MeterReads = field(default_factory=dict)
    ends_from: date | None = None
    estimates_before: int = 0
    version: int = 1
    supersedes: UUID | None = None
    replaces: tuple[UUID, ...] = ()
    released: str = ""
    no_read: EstimateCause | None = None
    passes: Mapping[HoldCode, str] = field(default_factory=dict)

    def has_passed(self, code: HoldCode) -> bool:
        """Tell whether a person let it pass a hold."""
        return bool(self.released) or code in self.passes

    @property
    def words(self) -> str:
        """Why it passed, for the bill."""
        return self.released or "; ".join(self.passes.values())
