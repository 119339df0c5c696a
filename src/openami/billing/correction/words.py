"""Corrections in words: what a customer reads on a statement, and what staff see of a case. Pure."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.correction.group import CauseCase
from openami.billing.correction.proposal import Proposal
from openami.billing.correction.record import Adjustment, CauseKind, Change

_WHY = {
    CauseKind.EDIT: "readings were checked and put right",
    CauseKind.REGISTRY: "a record about your meter was put right",
    CauseKind.RATE: "the rate for these days was put right",
    CauseKind.READINGS: "better readings arrived",
    CauseKind.TRUE_UP: "it was estimated and an actual read has settled it",
}
_COUNT = {2: "Two", 3: "Three", 4: "Four"}


def adjustment_words(one: Adjustment) -> str:
    """Return an adjustment in a sentence or three for the customer.

    The inside of the cause (who decided, and the words of staff) stays with staff.
    """
    days = f"{one.span.first:%B} {one.span.first.day} to {one.span.last:%B} {one.span.last.day}, {one.span.last.year}"
    kwh = f"{abs(one.by_wh) / 1000:,.1f} kWh {'more' if one.by_wh > 0 else 'less'}"
    energy = f" It counts {kwh}." if one.by_wh else ""
    amount = f"{abs(one.by):,.2f} {one.currency}"
    if one.by > 0:
        owed = f"It adds {amount}"
        owed += f", which you may pay in {one.installments} parts, one with each bill." if one.installments > 1 else "."
    else:
        owed = f"It gives you back {amount}." if one.by else "The amount stays the same."
    if one.corrected_bill_id is None:
        return f"Your bill for {days} was taken back: your service had ended before. {owed}"
    bills = f"Your bill for {days} was" if not one.more_bills else f"Your bills for {days} were"
    return f"{bills} corrected, because {_WHY[one.cause.kind]}.{_instead(one)}{energy} {owed}"


def _instead(one: Adjustment) -> str:
    """Say how many bills take the place of how many, where that is not one of one."""
    before, after = len(one.more_bills) + 1, len(one.more_corrected) + 1
    if before == after == 1:
        return ""
    if after == 1:
        return " One bill takes their place."
    return f" {_COUNT.get(after, str(after))} bills take {'its' if before == 1 else 'their'} place."


def part_words(change: Change) -> list[str]:
    """Return what takes the place of a bill, a line each, where that is not one bill of its days; else nothing.

    The lines of a split bill's parts add up to what it would be, in energy and money.
    """
    if change.joins is not None:
        return ["its days go into the bill before it, which is of one rate with it now"]
    return [
        f"{p.span.first} through {p.span.last} on {p.rate_name or p.rate_code}: {p.wh / 1000:,.3f} kWh, {p.total:,.2f}"
        for p in change.parts
    ]


def case_words(case: CauseCase) -> str:
    """Return a case in a line for staff."""
    money = sum((c.by for c in case.changes), Decimal(0))
    kwh = sum(c.by_wh for c in case.changes) / 1000
    who = f"{len(case.customers):,} customers" if case.is_bulk else "one customer"
    return f"{len(case.changes):,} bills of {who}: {kwh:+,.1f} kWh, {money:+,.2f}"


def proposal_words(proposal: Proposal) -> list[str]:
    """Return what a decision would do, in sentences."""
    effect = proposal.effect
    if not effect.bills:
        told = [f"{len(proposal.decision.bills):,} bills stay as they are."]
        if effect.left_customers:
            told.append(f"{effect.left:,.2f} of {effect.left_customers:,} customers is neither asked nor given back.")
    else:
        who = f"{effect.bills:,} bills of {effect.customers:,} customers are corrected"
        money = f"+{effect.up:,.2f} and -{effect.down:,.2f}, at most {effect.most:,.2f} for one"
        told = [f"{who}: {money}; +{effect.up_wh / 1000:,.1f} and -{effect.down_wh / 1000:,.1f} kWh."]
    if effect.beyond:
        limits = sorted({r.limit for r in proposal.reaches.values() if r.beyond and r.limit is not None})
        periods = " or ".join(map(str, limits))
        told.append(f"{effect.beyond:,} bills lie further back than {periods} billing periods and stay as they are.")
    parted = sum(len(c.parts) > 1 for r in proposal.reaches.values() for c in r.rebilled)
    joined = sum(c.joins is not None for r in proposal.reaches.values() for c in r.rebilled)
    if parted:
        told.append(f"{parted:,} of them are parted where the rate changes: the parts' days are those of the old bill.")
    if joined:
        told.append(f"{joined:,} of them go into the bill before: the rate changes between the two no more.")
    doubted = sorted({c.reason for r in proposal.reaches.values() for c in r.rebilled if c.reason})
    if doubted:
        more = f", and {len(doubted) - 1:,} like it" if len(doubted) > 1 else ""
        told.append(f"Look first, it would be held: {doubted[0]}{more}.")
    if effect.unmakable:
        told.append(f"{effect.unmakable:,} bills cannot be made again now and stay on the list.")
    if effect.in_parts:
        told.append(f"{effect.in_parts:,} customers repay in parts, about double the time it built up over.")
    if proposal.second is not None:
        told.append(f"A second person must approve: {proposal.second}.")
    return told
