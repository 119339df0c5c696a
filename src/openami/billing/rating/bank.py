"""The credit bank of a customer who sends energy out: what ends, what is used, in which order, and what is left.

Pure. Every function returns the bank that is left and the moves that made it so; nothing vanishes: what was in the
bank is what is left plus what the moves took out.

Source: Missouri 386.890 RSMo for age in months and the end at termination; true-up dates as in yearly net metering.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from openami.billing.rating.carried import ANY_BUCKET, BankedCredit
from openami.billing.tariff.export import ExportTerms, Unused, UseOrder

Bank = tuple[BankedCredit, ...]


class MoveKind(StrEnum):
    """What happened to a credit."""

    EARNED = "earned"
    USED = "used"
    EXPIRED = "expired"
    FORFEITED = "forfeited"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class BankMove:
    """A part of a credit, and what happened to it: ``credit`` holds the energy or the money that moved."""

    kind: MoveKind
    credit: BankedCredit


def month_number(day: date) -> int:
    """Return a count of months, so that differences are ages.

    >>> month_number(date(2027, 1, 1)) - month_number(date(2026, 12, 1))
    1
    """
    return day.year * 12 + day.month - 1


def has_ended(credit: BankedCredit, terms: ExportTerms, month: date, first: date) -> bool:
    """Tell whether a credit may no longer be used in a bill.

    Args:
        credit: from an earlier bill.
        terms: the rate's.
        month: the bill's revenue month.
        first: the bill's first local day: a yearly end lies on or before it.
    """
    months = terms.expires_after_months
    if months is not None and month_number(month) - month_number(credit.month) > months:
        return True
    if terms.expires_on is None:
        return False
    this_year = date(first.year, *terms.expires_on)
    latest = this_year if this_year <= first else this_year.replace(year=first.year - 1)
    return credit.earned_on < latest


def ended(bank: Iterable[BankedCredit], terms: ExportTerms, month: date, first: date) -> tuple[Bank, list[BankMove]]:
    """Return the bank without what has ended before a bill, and what ended: forfeited or to be paid out."""
    kind = MoveKind.PAID if terms.at_expiry is Unused.PAY else MoveKind.EXPIRED
    left, moves = [], []
    for credit in in_order(bank):
        if has_ended(credit, terms, month, first):
            moves.append(BankMove(kind, credit))
        else:
            left.append(credit)
    return tuple(left), moves


def stopped(bank: Iterable[BankedCredit], terms: ExportTerms | None) -> list[BankMove]:
    """Return the end of the whole bank when the customer stops; without export terms it is lost."""
    is_paid = terms is not None and terms.at_stop is Unused.PAY
    return [BankMove(MoveKind.PAID if is_paid else MoveKind.FORFEITED, c) for c in in_order(bank)]


def in_order(bank: Iterable[BankedCredit], order: UseOrder = UseOrder.OLDEST_FIRST) -> Bank:
    """Return credits by age; those of one bill keep the order they have."""
    rising = sorted(bank, key=lambda c: (c.month, c.earned_on))
    return tuple(rising if order is UseOrder.OLDEST_FIRST else rising[::-1])


def use_energy(bank: Bank, bucket: str, need_wh: int, order: UseOrder) -> tuple[Bank, list[BankMove]]:
    """Take energy of one bucket out of the bank.

    Args:
        bank: credits.
        bucket: only credits of this bucket, or of any, are used.
        need_wh: how much could be used [Wh], not negative.
        order: which first.

    Returns:
        The bank that is left, oldest first, and what was used: together never more than ``need_wh``.
    """
    left, moves = [], []
    for credit in in_order(bank, order):
        taken = min(credit.wh, need_wh) if credit.bucket in (bucket, ANY_BUCKET) else 0
        need_wh -= taken
        if taken:
            moves.append(BankMove(MoveKind.USED, replace(credit, wh=taken)))
        if credit.wh - taken or credit.amount:
            left.append(replace(credit, wh=credit.wh - taken))
    return in_order(left), moves


def use_money(bank: Bank, limit: Decimal, order: UseOrder) -> tuple[Bank, list[BankMove]]:
    """Take money out of the bank, never more than the limit; the rest is as in :func:`use_energy`."""
    left, moves = [], []
    for credit in in_order(bank, order):
        taken = max(Decimal(0), min(credit.amount, limit))
        limit -= taken
        if taken:
            moves.append(BankMove(MoveKind.USED, replace(credit, amount=taken)))
        if credit.amount - taken or credit.wh:
            left.append(replace(credit, amount=credit.amount - taken))
    return in_order(left), moves
