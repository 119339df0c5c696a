"""Accounts of the ledger, each with the side on which it usually stands. Pure.

Source: double-entry practice; FERC Uniform System of Accounts (18 CFR 101) for the parts that a biller keeps: 142
customer accounts receivable, 173 accrued utility revenues, 440 to 449 revenues, 241 tax collections payable, 253 other
deferred credits. Which number of its own chart a utility maps each to is its own affair.
"""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """The side on which an account grows."""

    DEBIT = "debit"
    CREDIT = "credit"


class LedgerAccount(StrEnum):
    """What an amount is booked on. Values are stored: they stay for ever."""

    RECEIVABLE = "receivable"
    """Charged to the customer; what was paid of it the customer information system knows."""
    INSTALLMENTS = "installments"
    """Charged, and to be repaid in parts that are not due yet."""
    BUDGET_DEFERRED = "budget_deferred"
    """Used and not charged yet under budget billing; below zero where more was charged than used."""
    UNBILLED = "unbilled"
    """Earned by a month's end and not billed then, by estimate."""
    ENERGY = "energy"
    DEMAND = "demand"
    FIXED = "fixed"
    MINIMUM = "minimum"
    RIDER = "rider"
    """By rider."""
    CREDIT = "credit"
    """Given for energy that was fed in, and other credits of a rate."""
    TAX = "tax"
    """Collected for a municipality: owed to it, earned by nobody."""
    ROUNDING = "rounding"
    """Where a rate's total is not the sum of its printed lines."""
    UNBILLED_REVENUE = "unbilled_revenue"
    """The other side of UNBILLED."""


NORMAL_SIDE = {
    account: Side.DEBIT
    if account
    in {
        LedgerAccount.RECEIVABLE,
        LedgerAccount.INSTALLMENTS,
        LedgerAccount.BUDGET_DEFERRED,
        LedgerAccount.UNBILLED,
        LedgerAccount.CREDIT,
        LedgerAccount.ROUNDING,
    }
    else Side.CREDIT
    for account in LedgerAccount
}
ACCOUNT_OF_KIND = {
    "energy": LedgerAccount.ENERGY,
    "demand": LedgerAccount.DEMAND,
    "fixed": LedgerAccount.FIXED,
    "minimum": LedgerAccount.MINIMUM,
    "rider": LedgerAccount.RIDER,
    "tax": LedgerAccount.TAX,
    "credit": LedgerAccount.CREDIT,
}
"""The account of each kind of bill line."""
BY_NAME = frozenset({LedgerAccount.RIDER, LedgerAccount.TAX, LedgerAccount.CREDIT})
"""Accounts that are kept by the name of the line: each rider is filed by itself, each tax goes to its own town."""
