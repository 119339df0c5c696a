"""Registers, reading states and marks of a bill, in a customer's words."""

from __future__ import annotations

from collections.abc import Sequence

from openami.billing.bill.record import Bill, BillKind, BillState, ReadingState
from openami.billing.statement.dates import counted, kwh, moment
from openami.billing.statement.record import ReadRow
from openami.contracts.channel import Channel
from openami.kernel.time import zone_named
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

TITLES = {
    BillKind.INITIAL: "First electricity bill",
    BillKind.REGULAR: "Electricity bill",
    BillKind.FINAL: "Final electricity bill",
    BillKind.CORRECTED: "Corrected electricity bill",
}
_REGISTERS = {Channel.DELIVERED: "Electricity delivered to you", Channel.RECEIVED: "Electricity you sent out"}
_HOW = {
    ReadKind.SCHEDULED: "read by the meter at midnight",
    ReadKind.NEAREST: "the meter's nearest read",
    ReadKind.ON_DEMAND: "read on demand",
    ReadKind.MANUAL: "read by a person",
    ReadKind.CUSTOMER: "read by you",
    ReadKind.INSTALLER: "read by the installer",
    ReadKind.ESTIMATED: "ESTIMATED",
    ReadKind.APPORTIONED: "its share of what two actual reads counted",
    ReadKind.MISSING: "not read",
}
_STAMPS = {
    "base_charges_only": "Base charges only: a rider of this rate has no known price, so this is not a bill to pay",
    "tax_not_known": "Without tax: the tax of this place is not known, so this is not a bill to pay",
    "export_price_not_known": "The price of electricity sent out is not known, so this is not a bill to pay",
}


def read_rows(bill: Bill) -> tuple[ReadRow, ...]:
    """Return a row for each register of each meter that hung there during the bill."""
    return tuple(_row(piece, bill) for piece in bill.reads)


def _row(piece: ReadPiece, bill: Bill) -> ReadRow:
    used = "" if piece.usage_wh is None else kwh(piece.usage_wh, 3)
    register = _REGISTERS.get(piece.channel, piece.channel.name.lower())
    return ReadRow(piece.meter, register, str(piece.multiplier), _end(piece.begin, bill), _end(piece.end, bill), used)


def _end(end: EndOfRead, bill: Bill) -> tuple[str, str, str]:
    value = "no read" if end.value is None else kwh(end.value, 3)
    return moment(end.at, zone_named(bill.zone)), value, _HOW[end.kind]


def reads_note(bill: Bill) -> str:
    """Say how the registers agree with what is billed."""
    delivered = [p for p in bill.reads if p.channel is Channel.DELIVERED]
    if not delivered:
        return "No register is read here; the energy of this bill is the sum of its intervals."
    if bill.usage_wh is None:
        return ""
    billed = f"Used: {kwh(bill.usage_wh, 3)}"
    if any(p.usage_wh is None for p in delivered):
        return f"{billed}, the sum of the intervals. A register was not read at one end."
    apart = sum(p.usage_wh or 0 for p in delivered) - bill.usage_wh
    if apart == 0:
        return f"{billed}, exactly what the register counted."
    side = "more" if apart > 0 else "less"
    return f"{billed}, the sum of the intervals; the register counted {kwh(abs(apart), 3)} {side}."


def state_words(bill: Bill, estimated: str, *, entered_wh: int = 0) -> str:
    """Say which of the three reading states a bill has; they are never mixed.

    Args:
        bill: the bill.
        estimated: how much of it was estimated; empty where nothing was.
        entered_wh: energy that a person entered after looking at the readings.
    """
    if bill.usage_wh is None:
        return ""
    entered = f" {kwh(entered_wh)} were put right by a person after a check." if entered_wh else ""
    return _measured(bill, estimated, entered) + entered


def _measured(bill: Bill, estimated: str, entered: str) -> str:
    if bill.reading_state is ReadingState.ESTIMATED:
        more = f" {estimated}." if estimated else ""
        return (
            "This is an estimated bill: a register could not be read at its start or its end. It will be settled with "
            f"the next actual read, and you may send us your own.{more}"
        )
    if any(e.kind is ReadKind.APPORTIONED for p in bill.reads for e in (p.begin, p.end)):
        more = f" {estimated}." if estimated else ""
        return (
            "This bill lies between two actual reads of your meter. How much was used between them was measured; this "
            f"bill has its share of it, because nobody read the meter at its own start or end.{more}"
        )
    if not estimated:
        whole = "No reading of this bill was estimated." if entered else ""
        return whole or "Every reading of this bill was measured by the meter."
    return (
        f"The total is from actual register reads. {estimated}, because their readings did not arrive or were not "
        "plausible; only when the electricity was used is estimated, not how much."
        if bill.reads
        else f"{estimated}, because their readings did not arrive or were not plausible. The rest was measured."
    )


def marks_of(bill: Bill, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what sets a bill apart, in words."""
    marks = list(more)
    if bill.reading_state is ReadingState.ESTIMATED:
        row = f", the {bill.estimates_in_a_row}. in a row" if bill.estimates_in_a_row > 1 else ""
        marks.append(f"Estimated bill{row}")
    marks += [_STAMPS.get(stamp, stamp.replace("_", " ").capitalize()) for stamp in bill.stamps]
    if bill.state is BillState.SUPERSEDED:
        marks.append("A corrected bill has replaced this one")
    if bill.state is BillState.HELD:
        marks.append("This bill is held and not to be paid")
    meters = {p.meter for p in bill.reads}
    if len(meters) > 1:
        marks.append(f"Your meter was exchanged during this bill; it shows {counted(len(meters), 'meter')}")
    return tuple(dict.fromkeys(marks))
