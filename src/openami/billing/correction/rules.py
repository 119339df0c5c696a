"""The dated rules of corrections: what is too little, how far back, in how many parts. Values and their words.

Which numbers hold is the jurisdiction's: data with a date and a source, never code. The defaults here are those of
Missouri as far as they were found in public text.

Source: 20 CSR 4240-13.025 (overcharges up to 60 monthly periods, undercharges up to 12, tampering without limit,
repayment over about double the period).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openami.billing.jurisdiction import Jurisdiction
from openami.billing.rating.carried import Carried


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What is left as it is without asking: both must hold.

    Args:
        wh: change of a bill's energy, either way [Wh].
        money: change of its total, either way.
    """

    wh: int = 1_000
    money: Decimal = Decimal("0.25")

    def leaves(self, by_wh: int, by: Decimal) -> bool:
        """Whether a change is too little for a corrected bill.

        >>> Tolerances().leaves(-900, Decimal("-0.20")), Tolerances().leaves(900, Decimal("0.26"))
        (True, False)
        """
        return abs(by_wh) <= self.wh and abs(by) <= self.money

    def leaves_handed(self, was: Carried, now: Carried) -> bool:
        """Whether what a bill hands to the next one is near enough to what it did: a lost credit is lost money.

        Credits are added up; a peak may be off by as many watts as would make the energy in an hour. Remainders of
        whole kilowatt hours are within it by what they are.

        >>> Tolerances().leaves_handed(Carried(), Carried(remainder_wh=400))
        True
        """
        by_wh = sum(c.wh for c in now.bank) - sum(c.wh for c in was.bank)
        by = sum((c.amount for c in now.bank), Decimal(0)) - sum((c.amount for c in was.bank), Decimal(0))
        before = {(p.month, p.charge, p.period): p.watts for p in was.peaks}
        after = {(p.month, p.charge, p.period): p.watts for p in now.peaks}
        peaks = [after.get(k, 0) - before.get(k, 0) for k in before | after]
        return self.leaves(by_wh, by) and all(abs(w) <= self.wh for w in peaks)


@dataclass(frozen=True, slots=True)
class LookBack:
    """How many monthly billing periods back a correction goes.

    Args:
        over: where the customer was charged too much.
        under: where too little.
        tampering: where the customer tampered.
            None is no limit, of each.
    """

    over: int | None = 60
    under: int | None = 12
    tampering: int | None = None


@dataclass(frozen=True, slots=True)
class CorrectionRules:
    """All of them, as they hold on one day.

    Args:
        tolerances, look_back: see there.
        installment_factor: an undercharge of n periods is repaid in so many times n parts; 0 is always at once.
        least_in_parts: a smaller undercharge is due at once.
        source: where the numbers come from.
    """

    tolerances: Tolerances = Tolerances()
    look_back: LookBack = LookBack()
    installment_factor: int = 2
    least_in_parts: Decimal = Decimal(10)
    source: str = "20 CSR 4240-13.025, not confirmed"


def rules_on(jurisdiction: Jurisdiction, day: date) -> CorrectionRules:
    """Return what a jurisdiction says of corrections on a day."""
    found = jurisdiction.on(day)
    rule, origin = found.correction, found.origins["correction"]
    return CorrectionRules(
        Tolerances(rule.tolerance_wh, rule.tolerance_money),
        LookBack(rule.over_periods, rule.under_periods, rule.tampering_periods),
        installment_factor=rule.installment_factor,
        source=f"{origin.clause} ({origin.confidence.value})",
    )
