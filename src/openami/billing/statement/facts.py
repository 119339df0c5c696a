"""What a statement is made from: the kept bill, its rate, and what was known of the days when it was made."""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.billing.bill.record import Bill
from openami.billing.jurisdiction import EstimateRule
from openami.billing.statement.record import DayBar
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """Everything that one statement says.

    Args:
        bill: with lines.
        schedule: the rate it was priced by; None where we no longer have it.
        days: energy of each local day of the bill.
        earlier: earlier bills of the same occupant, without lines, newest first, as they stood when this one was made.
        addressee: name and address lines.
        marks: more words that set it apart.
        adjustments: sentences of corrections.
        estimates: what the jurisdiction says of estimated bills on the bill's last day; None where nobody knows.
    """

    bill: Bill
    schedule: RateSchedule | None
    days: tuple[DayBar, ...] = ()
    earlier: tuple[Bill, ...] = ()
    addressee: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    adjustments: tuple[str, ...] = field(default=())
    estimates: EstimateRule | None = None
