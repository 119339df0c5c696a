"""Why a bill waits: a stable code, words for a person, whose desk frees it, and since when.

The owner is a desk, never a name: who sits there is the utility's to say, and a bill knows no person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HoldCode(StrEnum):
    """What keeps a bill from going out."""

    MISSING_DAYS = "missing_days"
    MISSING_INTERVALS = "missing_intervals"
    NEGATIVE_ENERGY = "negative_energy"
    REGISTER_DISAGREES = "register_disagrees"
    NO_READ = "no_read"
    TOO_MANY_ESTIMATES = "too_many_estimates"
    ESTIMATED_DEMAND = "estimated_demand"
    LOW_COVERAGE = "low_coverage"
    OPEN_FINDING = "open_finding"
    PERIOD_LENGTH = "period_length"
    BILLED_ALREADY = "billed_already"
    EARLIER_WAITS = "earlier_waits"
    NO_RATE = "no_rate"
    NEEDS_INTERVALS = "needs_intervals"
    UNKNOWN_RATE = "unknown_rate"
    RATE_REFUSED = "rate_refused"
    UNPRICED_RIDER = "unpriced_rider"
    TAX_NOT_KNOWN = "tax_not_known"
    SIGNAL_NOT_KNOWN = "signal_not_known"
    HOLIDAYS_NOT_KNOWN = "holidays_not_known"
    ASKED_FOR = "asked_for"


class Desk(StrEnum):
    """Whose work a hold is."""

    METERING = "metering"
    FIELD = "field"
    RATES = "rates"
    BILLING = "billing"


OWNERS: Mapping[HoldCode, Desk] = {
    HoldCode.MISSING_DAYS: Desk.METERING,
    HoldCode.MISSING_INTERVALS: Desk.METERING,
    HoldCode.NEGATIVE_ENERGY: Desk.METERING,
    HoldCode.REGISTER_DISAGREES: Desk.METERING,
    HoldCode.NO_READ: Desk.FIELD,
    HoldCode.TOO_MANY_ESTIMATES: Desk.FIELD,
    HoldCode.ESTIMATED_DEMAND: Desk.BILLING,
    HoldCode.LOW_COVERAGE: Desk.METERING,
    HoldCode.PERIOD_LENGTH: Desk.BILLING,
    HoldCode.OPEN_FINDING: Desk.METERING,
    HoldCode.BILLED_ALREADY: Desk.BILLING,
    HoldCode.EARLIER_WAITS: Desk.BILLING,
    HoldCode.NO_RATE: Desk.RATES,
    HoldCode.NEEDS_INTERVALS: Desk.BILLING,
    HoldCode.UNKNOWN_RATE: Desk.RATES,
    HoldCode.RATE_REFUSED: Desk.RATES,
    HoldCode.UNPRICED_RIDER: Desk.RATES,
    HoldCode.TAX_NOT_KNOWN: Desk.RATES,
    HoldCode.SIGNAL_NOT_KNOWN: Desk.RATES,
    HoldCode.HOLIDAYS_NOT_KNOWN: Desk.RATES,
    HoldCode.ASKED_FOR: Desk.BILLING,
}
ACTIONS: Mapping[HoldCode, str] = {
    HoldCode.MISSING_DAYS: "have the days read or validated: `openami read` or `openami worklist list`",
    HoldCode.MISSING_INTERVALS: "fill the gap or confirm it: `openami worklist list`",
    HoldCode.NEGATIVE_ENERGY: "decide on the interval: `openami worklist list`",
    HoldCode.REGISTER_DISAGREES: "find out whether register or intervals are right: `openami worklist list`",
    HoldCode.NO_READ: "take a read: on demand, by hand, or the customer's own",
    HoldCode.TOO_MANY_ESTIMATES: "take an actual read: on demand, by hand, or the customer's own",
    HoldCode.ESTIMATED_DEMAND: "check the windows that are listed, then `openami bills release`",
    HoldCode.LOW_COVERAGE: "fill the gap or confirm it: `openami worklist list`",
    HoldCode.PERIOD_LENGTH: "check bill group and dates, then `openami bills release`",
    HoldCode.OPEN_FINDING: "decide on the finding: `openami worklist list`",
    HoldCode.BILLED_ALREADY: "correct the bill of the account before: `openami corrections list`",
    HoldCode.EARLIER_WAITS: "free the bill before it",
    HoldCode.NO_RATE: "assign a rate for these days",
    HoldCode.NEEDS_INTERVALS: "assign a rate without times of day, or have the meter read in intervals",
    HoldCode.UNKNOWN_RATE: "add the rate, or put the service point on one that is known",
    HoldCode.RATE_REFUSED: "mend the clause of the rate, or change the rate",
    HoldCode.UNPRICED_RIDER: "enter the rider's price",
    HoldCode.TAX_NOT_KNOWN: "enter where the place is taxed (`openami registry fact`), or the tax in the rate's values",
    HoldCode.SIGNAL_NOT_KNOWN: "enter what happened: `openami rates signals load`",
    HoldCode.HOLIDAYS_NOT_KNOWN: "add the year's holidays to the rate",
    HoldCode.ASKED_FOR: "`openami bills release` when the reason is gone",
}
"""The one thing that frees a bill, by code."""
RELEASABLE = frozenset({HoldCode.PERIOD_LENGTH, HoldCode.ESTIMATED_DEMAND, HoldCode.TOO_MANY_ESTIMATES,
                        HoldCode.REGISTER_DISAGREES, HoldCode.LOW_COVERAGE, HoldCode.ASKED_FOR})  # fmt: skip
"""What a person may pass over with a reason; the others lack something that no reason replaces."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why one bill waits.

    Args:
        code: stable.
        reason: in words, with the figures.
        since: domain time from which it has waited, whatever the reason was first.
        owner: whose desk frees it.
    """

    code: HoldCode
    reason: str
    since: datetime
    owner: str = ""

    def __post_init__(self) -> None:
        if not self.owner:
            object.__setattr__(self, "owner", OWNERS[self.code].value)

    @property
    def action(self) -> str:
        """What frees it."""
        return ACTIONS[self.code]
