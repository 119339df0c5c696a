"""Rules of a jurisdiction on bills, each with the clause it stands on. Values; no number of them is in code.

Source: research on utility practice; the files beside this module name the clauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Confidence(StrEnum):
    """How sure we are of a figure: read in the text itself, read elsewhere, or known from practice only."""

    VERIFIED = "verified"
    REPORTED = "reported"
    PRACTICE = "practice"


class EstimateCause(StrEnum):
    """Why no actual read could be had; a commission lists those that allow an estimated bill."""

    NO_COMMUNICATION = "no_communication"
    NO_ACCESS = "no_access"
    METER_FAILED = "meter_failed"
    WEATHER = "weather"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule stands: the clause, and how sure we are of it."""

    clause: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """How many days a regular bill has; initial, final and corrected bills are free of it."""

    least_days: int
    most_days: int

    def allows(self, days: int) -> bool:
        """Tell whether a regular bill may have so many days."""
        return self.least_days <= days <= self.most_days


@dataclass(frozen=True, slots=True)
class EstimateRule:
    """When an estimated bill may go out.

    Args:
        causes: that allow it.
        most_in_a_row: so many may follow each other.
        needs_notice: the customer is told, and asked for a read of their own.
        read_days: so many days after an estimated bill went out the customer's own read is asked for.
        warn_at: from so many in a row the notice says that the limit is near.
    """

    causes: frozenset[EstimateCause]
    most_in_a_row: int
    needs_notice: bool
    read_days: int = 14
    warn_at: int = 2


class Apportion(StrEnum):
    """By what the energy between two actual reads is shared out over the periods in between.

    Where intervals came later they alone say it. Else ESTIMATE keeps the shape of what was estimated (a season that the
    estimate knew stays where it was), and DAYS takes every day alike.
    """

    ESTIMATE = "estimate"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class TrueUpRule:
    """What happens when an actual read follows estimated bills.

    Args:
        apportion: how the difference is shared out where no intervals came.
        most_alone: a true-up of at most so much, either way, needs no person; a larger one is looked at first.
        in_parts_over: a charge above this share of what one of its periods comes to on the average is paid in parts.
        parts_a_period: parts for each estimated period, one with each bill, without interest.
    """

    apportion: Apportion
    most_alone: Decimal
    in_parts_over: Decimal
    parts_a_period: int

    def parts(self, by: Decimal, billed: Decimal, periods: int) -> int:
        """Return in how many parts a true-up is paid; what is given back is given at once.

        Args:
            by: what the customer owes more.
            billed: what the periods came to, all together, after the true-up.
            periods: how many were estimated.
        """
        if by <= 0 or not periods or by * periods <= self.in_parts_over * billed:
            return 1
        return max(1, periods * self.parts_a_period)


@dataclass(frozen=True, slots=True)
class CorrectionRule:
    """How bills are corrected.

    Args:
        over_periods, under_periods, tampering_periods: how far back an overcharge, an undercharge and one by tampering
            are settled [monthly periods]; None is without limit.
        installment_factor: an undercharge may be paid over so many times the time it built up in.
        tolerance_wh, tolerance_money: a bill that would change by no more than both stays as it is.
    """

    over_periods: int | None
    under_periods: int | None
    tampering_periods: int | None
    installment_factor: int
    tolerance_wh: int
    tolerance_money: Decimal


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """How far readings must bear a bill before it goes out by itself.

    Args:
        display_wh: a display cuts off up to so much at both ends together, times the multiplier [Wh].
        register_share: beyond that, register and intervals may differ by this share of what the register advanced.
        least_actual_share: of a bill's intervals, on a rate by time that does not say itself what it asks.
        demand_left_out: share of a demand period's windows without actual intervals above which a bill waits.
    """

    display_wh: int
    register_share: Decimal
    least_actual_share: Decimal
    demand_left_out: Decimal

    def allowed_wh(self, counted_wh: int, multipliers: int) -> int:
        """Return by how much register and intervals may differ.

        Args:
            counted_wh: what the registers advanced [Wh].
            multipliers: of all meters of the bill, added up.
        """
        return max(self.display_wh * multipliers, int(counted_wh * self.register_share))


@dataclass(frozen=True, slots=True)
class BillRules:
    """What holds from a day on.

    Args:
        effective_from: first day; None from ever.
        period: days of a regular bill.
        estimate: estimated bills.
        correction: look-back, installments, tolerances.
        true_up: what an actual read after estimated bills does.
        reading: how far readings must bear a bill.
        due_days: days from issue to the day after which a bill is delinquent.
        origins: clause and confidence of each, by the file's table name.
    """

    effective_from: date | None
    period: PeriodRule
    estimate: EstimateRule
    correction: CorrectionRule
    true_up: TrueUpRule
    reading: ReadingRule
    due_days: int
    origins: Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A jurisdiction's rules, oldest first."""

    code: str
    name: str
    versions: tuple[BillRules, ...]

    def on(self, day: date) -> BillRules:
        """Return what holds on a day: the last version that began, or the first for a day before all."""
        begun = [v for v in self.versions if v.effective_from is None or v.effective_from <= day]
        return begun[-1] if begun else self.versions[0]
