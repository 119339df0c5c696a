"""What a statement is made from: the kept bill, its rate, and what was known of the days when it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from openami.billing.bill.record import Bill
from openami.billing.statement.record import DayBar
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class EndFact:
    """A register at one end of its part of a bill.

    Args:
        at: when.
        value_wh: the register; None where none was read.
        how: in words: "read by the meter at midnight", "estimated".
    """

    at: datetime
    value_wh: int | None
    how: str


@dataclass(frozen=True, slots=True)
class ReadFact:
    """A register of a meter between two ends; a bill over an exchange has one for each meter.

    Args:
        serial: of the meter.
        register: what it counts.
        multiplier: current and voltage transformers and the meter's constant together.
        begin, end: the ends.
    """

    serial: str
    register: str
    multiplier: Decimal
    begin: EndFact
    end: EndFact


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """Everything that one statement says.

    Args:
        bill: with lines.
        schedule: the rate it was priced by; None where we no longer have it.
        days: energy of each local day of the bill.
        reads: registers.
        earlier: earlier bills of the same occupant, without lines, newest first, as they stood when this one was made.
        addressee: name and address lines.
        due: the day on which it is due.
        marks: words of whoever made the bill: stamps, estimated bill.
        adjustments: sentences of corrections.
    """

    bill: Bill
    schedule: RateSchedule | None
    days: tuple[DayBar, ...] = ()
    reads: tuple[ReadFact, ...] = ()
    earlier: tuple[Bill, ...] = ()
    addressee: tuple[str, ...] = ()
    due: date | None = None
    marks: tuple[str, ...] = ()
    adjustments: tuple[str, ...] = field(default=())
