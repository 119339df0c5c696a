"""The trial balance: what stands on each account, and whether the book adds up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.ledger.account import NORMAL_SIDE, LedgerAccount, Side
from openami.billing.ledger.entry import Entry


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """What stands on an account.

    Args:
        account, detail, currency: which.
        debit, credit: sums of amounts on each side, not below zero.
    """

    account: LedgerAccount
    detail: str
    currency: str
    debit: Decimal
    credit: Decimal

    @property
    def balance(self) -> Decimal:
        """Debit less credit."""
        return self.debit - self.credit

    @property
    def on_its_side(self) -> Decimal:
        """The balance as the account is usually read: revenue above zero."""
        return self.balance if NORMAL_SIDE[self.account] is Side.DEBIT else -self.balance


def standings_of(entries: Iterable[Entry]) -> list[Standing]:
    """Return what stands on each account by these entries."""
    sums: dict[tuple[LedgerAccount, str, str], list[Decimal]] = {}
    for entry in entries:
        for one in entry.postings:
            both = sums.setdefault((one.account, one.detail, entry.currency), [Decimal(0), Decimal(0)])
            both[0 if one.amount > 0 else 1] += abs(one.amount)
    return sorted(Standing(*key, *both) for key, both in sums.items())


def out_of_balance(standings: Sequence[Standing]) -> Mapping[str, Decimal]:
    """Return by how much each currency's book does not add up; empty where all do."""
    sums: dict[str, Decimal] = {}
    for one in standings:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.balance
    return {currency: total for currency, total in sums.items() if total}
