"""What bills are closed with: the rooms and data that a run asks. Values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openami.billing.calendar.cycle import BusinessDayCalendar, CycleCalendar
from openami.billing.cycle.terms import Standing
from openami.billing.jurisdiction import Jurisdiction, shipped_jurisdiction
from openami.billing.ledger.ports import NO_POSTINGS, Postings
from openami.billing.ports import BillBook
from openami.billing.tariff.model import RateSchedule
from openami.mdm.api import MeterData


@dataclass(frozen=True, slots=True)
class BillSetting:
    """What an installation says of all its bills.

    Args:
        calendar: read days.
        rules: what the jurisdiction says of bills.
        standing: what holds of every place.
        postings: where issued bills are booked.
    """

    calendar: CycleCalendar = field(default_factory=BusinessDayCalendar)
    rules: Jurisdiction = field(default_factory=shipped_jurisdiction)
    standing: Standing = field(default_factory=Standing)
    postings: Postings = NO_POSTINGS


@dataclass(frozen=True, slots=True)
class BillRun:
    """What bills are closed with.

    Args:
        meters: validated days and registers.
        book: where bills are kept.
        rates: by code.
        setting: of the installation.
    """

    meters: MeterData
    book: BillBook
    rates: Mapping[str, RateSchedule]
    setting: BillSetting
