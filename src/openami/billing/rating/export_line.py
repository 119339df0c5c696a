"""The lines of energy sent out: what was netted, what was credited, what was kept, and what was lost and why.

A credit in money is a line of a negative amount, and never more than the charges that it may pay; what is beyond them
is kept for later bills by a line of its own, so that every line can be read and the bill adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from openami.billing.rating.bank import Bank, BankMove, MoveKind, in_order, stopped, use_money
from openami.billing.rating.carried import BankedCredit
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.export_price import PricedExport, excess_worth, sent_out
from openami.billing.rating.finding import RatingCode, RatingFinding
from openami.billing.rating.fixed import printed_sum
from openami.billing.rating.line import BillLine, LineKind, Stamp
from openami.billing.rating.settle import Settled
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff.export import CreditReach, CreditUnit, ExportKind, ExportTerms, Unused, UseOrder
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.rounding import TotalRule
from openami.kernel.money import rounded_to_cent

NOTHING = Decimal(0)
NETTING, BANK = "netting", "credit"
"""Parts of the export clause that lines name: received energy, and what is kept of it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What energy sent out does to a bill.

    Args:
        lines: in the order of the bill.
        bank: what the next bill may use.
        stamps: prices that are not known.
        findings: energy without approval, credits that ended.
    """

    lines: tuple[BillLine, ...]
    bank: Bank
    stamps: tuple[Stamp, ...] = ()
    findings: tuple[RatingFinding, ...] = ()


def export_lines(
    schedule: RateSchedule, found: Determinants, settled: Settled, bill: BillTerms, before: Sequence[BillLine]
) -> Exported:
    """Return the lines of energy sent out, and the bank after the bill.

    Args:
        schedule: the rate.
        found: the bill's determinants.
        settled: its energy after netting.
        bill: its other inputs.
        before: the lines that stand before: those a credit in money may pay are among them.

    Raises:
        TariffError: no price of energy sent out is in force on a day that needs one.
    """
    findings = _findings(found, settled)
    if settled.terms is None:
        gone = [_lost(schedule, settled, m) for m in settled.gone]
        return Exported((*gone, *_listed(found, settled)), (), (), findings)
    worth = excess_worth(schedule, found, settled)
    lines = [*_metered(settled, worth, schedule.currency), *_unapproved(found, settled)]
    priced = sent_out(schedule, found) if settled.terms.kind is not ExportKind.NET_METERING else PricedExport()
    bank, money = _pay(schedule, settled, settled.terms, priced, before)
    lines += money
    bank = in_order((*bank, *(c for c in worth.earned if c.wh or c.amount)))
    over = list(settled.gone)
    if bill.is_final:
        over += stopped(bank, settled.terms)
        bank = ()
    stamps = [*priced.stamps, *worth.stamps]
    for move in over:
        line, stamp = _end(schedule, found, settled, move)
        lines.append(line)
        stamps += stamp
    return Exported(tuple(lines), bank, tuple(stamps), _with_ends(findings, schedule, over))


def _pay(
    schedule: RateSchedule, settled: Settled, terms: ExportTerms, priced: PricedExport, before: Sequence[BillLine]
) -> tuple[Bank, list[BillLine]]:
    """Use credits in money: of earlier bills and of this one, in the rate's order, up to what they may pay."""
    room = max(NOTHING, _payable(schedule, settled, terms, before))
    own = max(NOTHING, -printed_sum(priced.lines))
    if terms.surplus is Unused.PAY:
        bank, moves = use_money(settled.bank, max(NOTHING, room - own), terms.order)
        return bank, [*priced.lines, *(_earlier(schedule, settled, m) for m in moves)]
    if terms.order is UseOrder.OLDEST_FIRST:
        bank, moves = use_money(settled.bank, room, terms.order)
        used = min(own, room - sum((m.credit.amount for m in moves), NOTHING))
    else:
        used = min(own, room)
        bank, moves = use_money(settled.bank, room - used, terms.order)
    lines = [*priced.lines, *(_earlier(schedule, settled, m) for m in moves)]
    if own > used:
        kept = own - used
        is_kept = terms.surplus is Unused.CARRY
        name = "Credit kept for later bills" if is_kept else "Credit above what it may pay (not paid on this rate)"
        lines.append(_amount(schedule, settled, name, kept))
        if is_kept:
            earned = BankedCredit(settled.month, settled.billed.span.last, amount=kept)
            bank = in_order((*bank, earned))
    return bank, lines


def _payable(schedule: RateSchedule, settled: Settled, terms: ExportTerms, before: Sequence[BillLine]) -> Decimal:
    """What credits in money may pay: as the bill's total is made."""
    reach = [x for x in before if terms.reach is not CreditReach.ENERGY or x.kind is LineKind.ENERGY]
    if schedule.versions[settled.version].rounding.total is TotalRule.ROUNDED_SUM:
        return rounded_to_cent(sum((line.exact_amount for line in reach), NOTHING))
    return printed_sum(reach)


def _metered(settled: Settled, worth: PricedExport, currency: str) -> list[BillLine]:
    """Energy lines of net metering: what was netted, used and kept; they cost nothing."""
    lines = []
    if settled.netted_wh:
        lines.append(_energy(settled, "Energy you sent out, set against your use", settled.netted_wh, NETTING))
    lines += [_energy(settled, f"Energy credit of {_of(m)} used", m.credit.wh, BANK) for m in settled.used]
    amounts = [c.amount for c in worth.earned if not c.wh]
    for number, (bucket, wh) in enumerate(settled.excess_wh.items()):
        kept = "kept as energy credit"
        if settled.terms is not None and settled.terms.credit is not CreditUnit.KWH:
            known = number < len(amounts)
            kept = f"{currency} {amounts[number]} on later bills" if known else "credited on later bills"
        name = f"Energy you sent out beyond your use{f' ({bucket})' if bucket else ''}, {kept}"
        lines.append(_energy(settled, name, wh, NETTING))
    return lines


def _listed(found: Determinants, settled: Settled) -> list[BillLine]:
    if not found.received_wh:
        return []
    name = "Energy received from you (listed, not credited on this rate)"
    return [_energy(settled, name, found.received_wh, NETTING)]


def _unapproved(found: Determinants, settled: Settled) -> list[BillLine]:
    if not found.uncredited_wh:
        return []
    name = "Energy received from you without an approved interconnection (not credited)"
    return [_energy(settled, name, found.uncredited_wh, "needs_interconnection")]


def _end(schedule: RateSchedule, found: Determinants, settled: Settled, move: BankMove) -> tuple[BillLine, list[Stamp]]:
    """The line of a credit that ended: lost, or paid out at its price."""
    if move.kind is not MoveKind.PAID:
        return _lost(schedule, settled, move), []
    credit = move.credit
    if not credit.wh:
        return _amount(schedule, settled, f"Credit of {_of(move)} paid out", -credit.amount), []
    worth = excess_worth(schedule, found, replace(settled, excess_wh={credit.bucket: credit.wh}), is_paid=True)
    return replace(worth.lines[0], name=f"Energy credit of {_of(move)} paid out"), list(worth.stamps)


def _lost(schedule: RateSchedule, settled: Settled, move: BankMove) -> BillLine:
    why = "ended by its age" if move.kind is MoveKind.EXPIRED else "ended with your service on this rate"
    if move.credit.wh:
        return _energy(settled, f"Energy credit of {_of(move)} {why}", move.credit.wh, BANK)
    line = _amount(schedule, settled, f"Credit of {_of(move)} {why}", move.credit.amount)
    return replace(line, price=NOTHING, exact_amount=NOTHING)


def _earlier(schedule: RateSchedule, settled: Settled, move: BankMove) -> BillLine:
    return _amount(schedule, settled, f"Credit of {_of(move)}", -move.credit.amount)


def _energy(settled: Settled, name: str, wh: int, part: str) -> BillLine:
    """A line of energy that costs nothing, with the part of the export clause that made it."""
    clause = f"versions[{settled.version}].export.{part}" if settled.terms is not None else ""
    quantity = Decimal(wh) / 1000
    return BillLine(LineKind.CREDIT, name, None, None, quantity, "kWh", NOTHING, NOTHING, settled.version, clause)


def _amount(schedule: RateSchedule, settled: Settled, name: str, amount: Decimal) -> BillLine:
    """A line of money: its quantity is the amount, its price one or minus one."""
    price = Decimal(1) if amount >= 0 else Decimal(-1)
    clause = f"versions[{settled.version}].export"
    return BillLine(
        LineKind.CREDIT, name, None, None, abs(amount), schedule.currency, price, amount, settled.version, clause
    )


def _of(move: BankMove) -> str:
    """Say which credit."""
    credit = move.credit
    return f"{credit.month.year}-{credit.month.month:02}" + (f" ({credit.bucket})" if credit.bucket else "")


def _findings(found: Determinants, settled: Settled) -> tuple[RatingFinding, ...]:
    if settled.terms is None or not found.uncredited_wh:
        return ()
    days = found.uncredited_days
    words = (
        f"{Decimal(found.uncredited_wh) / 1000} kWh were received on {len(days)} days from {days[0]} to {days[-1]} "
        "without an approved interconnection; they lower nothing: enter the approval, or look at the place"
    )
    return (RatingFinding(RatingCode.RECEIVED_WITHOUT_APPROVAL, words),)


def _with_ends(
    findings: tuple[RatingFinding, ...], schedule: RateSchedule, over: Sequence[BankMove]
) -> tuple[RatingFinding, ...]:
    lost = [m for m in over if m.kind is not MoveKind.PAID]
    if not lost:
        return findings
    kwh = Decimal(sum(m.credit.wh for m in lost)) / 1000
    amount = sum((m.credit.amount for m in lost), NOTHING)
    words = f"credits of {len(lost)} months ended unused: {kwh} kWh and {amount} {schedule.currency}"
    return (*findings, RatingFinding(RatingCode.CREDIT_ENDED, words))
