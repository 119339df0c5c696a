"""A statement as data: every word and number that a customer reads of one bill, in the order of the page.

The page and the PDF are drawn from this alone, so they cannot differ. Text is finished here (units, signs, dates in
the customer's zone); a drawing adds lines and space, never a figure. No identity is in it but what is handed in as
``addressee``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One register of one meter over its part of the bill, as printed.

    Args:
        meter: serial number as on the meter's face.
        register: what it counts: "Electricity delivered".
        multiplier: by which the register is multiplied; "1" for a home.
        begin, end: date, register value and how it was read, in words.
        used: energy between them, with the multiplier applied.
    """

    meter: str
    register: str
    multiplier: str
    begin: tuple[str, str, str]
    end: tuple[str, str, str]
    used: str


@dataclass(frozen=True, slots=True)
class DayBar:
    """One local day: energy, what of it was estimated and what a person entered [Wh]; whether readings are missing."""

    day: date
    wh: int
    estimated_wh: int = 0
    is_missing: bool = False
    entered_wh: int = 0


@dataclass(frozen=True, slots=True)
class BillBar:
    """One earlier bill of the history: a label, energy a day [Wh], whether it is this one or a year before."""

    label: str
    wh_per_day: int
    is_this: bool = False
    is_year_before: bool = False


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line: what for, how much, at what price, how much money, and a note under it (empty where none)."""

    name: str
    quantity: str
    price: str
    amount: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class LineGroup:
    """Lines of one kind with their sum."""

    title: str
    lines: tuple[StatementLine, ...]
    subtotal: str


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """What one price period cost: its rule in words, energy, share of the energy, money, and price paid per kWh."""

    name: str
    when: str
    price: str
    energy: str
    share: str
    cost: str
    paid: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One bill as its customer reads it.

    Args:
        bill_id, service_point_id: which bill, of which place.
        title: "Electricity bill", "Final electricity bill", "Corrected electricity bill".
        utility, rate_name: who bills, by which rate.
        addressee: name and address lines, or nothing.
        period: "Sun 1 Nov to Mon 30 Nov 2026", both days included.
        days: "30 days".
        issued: the day of issue, or that it is not issued.
        total: the amount.
        due: when it is due, or empty.
        headline: the answer in one sentence.
        marks: what sets this bill apart, in words: estimated, corrected, base charges only; often none.
        state: how the readings are, in words.
        estimate: of an estimated bill: why, how, how many in a row, what the customer can do, what comes next.
        reads: registers at both ends.
        reads_note: why there are none, or how they add up to what is billed.
        bars: the days.
        chart_words: the chart in words, for whoever cannot see it.
        history: earlier bills, oldest first.
        history_words: the history in words.
        last_year: the comparison, or why there is none.
        periods: price per period.
        demand: rules and times of demand, each a sentence.
        fixed: charges that do not depend on use, each a line of the rate.
        rules: how blocks, seasons and holidays are meant.
        groups: the lines.
        adjustments: what an earlier bill's correction adds or gives back, each a sentence.
        zone: of every date.
        made_at: domain time of the bill; the document's own date.
    """

    bill_id: UUID
    service_point_id: UUID
    title: str
    utility: str
    rate_name: str
    addressee: tuple[str, ...]
    period: str
    days: str
    issued: str
    total: str
    due: str
    headline: str
    marks: tuple[str, ...]
    state: str
    reads: tuple[ReadRow, ...]
    reads_note: str
    bars: tuple[DayBar, ...]
    chart_words: str
    history: tuple[BillBar, ...]
    history_words: str
    last_year: str
    periods: tuple[PeriodRow, ...]
    demand: tuple[str, ...]
    fixed: tuple[str, ...]
    rules: tuple[str, ...]
    groups: tuple[LineGroup, ...]
    adjustments: tuple[str, ...]
    zone: str
    made_at: datetime
    estimate: tuple[str, ...] = ()
