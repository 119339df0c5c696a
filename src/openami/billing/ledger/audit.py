"""The ledger checked against what it is about. Pure.

Three things must hold whatever happened. Each entry adds up, and so does the book. Every bill in force is booked. And
what customers owe by the ledger, due now, deferred, or to be repaid in parts, is what the bills in force come to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.trial import Standing, out_of_balance

OWED = frozenset({LedgerAccount.RECEIVABLE, LedgerAccount.BUDGET_DEFERRED, LedgerAccount.INSTALLMENTS})
"""What bills come to stands on these together."""


@dataclass(frozen=True, slots=True)
class LedgerAudit:
    """What a check found.

    Args:
        standings: the trial balance.
        off: by how much each currency's book does not add up.
        unbalanced: entries that do not add up.
        unposted: bills in force that charge something and are not booked.
        owed: by the ledger, by currency.
        billed: by the bills in force that are booked, by currency.
        energy_off: bills in force whose energy lines do not add up to their usage.
    """

    standings: tuple[Standing, ...]
    off: Mapping[str, Decimal] = field(default_factory=dict)
    unbalanced: int = 0
    unposted: int = 0
    owed: Mapping[str, Decimal] = field(default_factory=dict)
    billed: Mapping[str, Decimal] = field(default_factory=dict)
    energy_off: int = 0

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty where nothing is."""
        found = [f"the book is off by {amount:,.2f} {currency}" for currency, amount in sorted(self.off.items())]
        if self.unbalanced:
            found.append(f"{self.unbalanced:,} entries do not add up")
        if self.unposted:
            found.append(f"{self.unposted:,} bills are not booked yet: the worker books them every minute")
        if self.energy_off:
            found.append(f"{self.energy_off:,} bills charge for other energy than they say was used")
        for currency in sorted(self.owed.keys() | self.billed.keys()):
            owed, billed = self.owed.get(currency, Decimal(0)), self.billed.get(currency, Decimal(0))
            if owed != billed:
                found.append(f"the ledger holds {owed:,.2f} {currency} as charged, the bills in force {billed:,.2f}")
        return found


def audit_of(
    standings: Sequence[Standing], *, unbalanced: int, unposted: int, billed: Mapping[str, Decimal], energy_off: int = 0
) -> LedgerAudit:
    """Return what a check of these figures finds.

    Args:
        standings: of the whole ledger.
        unbalanced: entries that do not add up by the tables.
        unposted: bills that are not booked.
        billed: totals of booked bills in force, by currency.
        energy_off: bills whose energy lines do not add up to their usage.
    """
    owed: dict[str, Decimal] = {}
    for one in standings:
        if one.account in OWED:
            owed[one.currency] = owed.get(one.currency, Decimal(0)) + one.balance
    return LedgerAudit(
        tuple(standings), out_of_balance(standings), unbalanced, unposted, owed, dict(billed), energy_off
    )
