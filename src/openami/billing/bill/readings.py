"""The reads that a bill prints: the bill before it is opened on exactly, a missing end is estimated from intervals.

Pure. What remains missing stays so, and the reading state says what the reads are worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from openami.billing.bill.order import BillOrder, MeterReads
from openami.billing.bill.record import BillKind, ReadingState
from openami.contracts.channel import Channel
from openami.kernel.time import Period, local_date, local_midnight
from openami.mdm.api import READ_WINDOW_BEFORE, EndOfRead, ReadKind, ReadPiece

_AROUND: Final = frozenset({ReadKind.NEAREST, ReadKind.ON_DEMAND, ReadKind.MANUAL, ReadKind.CUSTOMER})
_UNSURE: Final = frozenset({ReadKind.ESTIMATED, ReadKind.MISSING})


def printed_reads(
    pieces: Sequence[ReadPiece], order: BillOrder, energy_wh: Mapping[Channel, int], period: Period
) -> tuple[ReadPiece, ...]:
    """Return the pieces as the bill prints them.

    Args:
        pieces: as the registry and the store tell them.
        order: names the reads of the bills around it.
        energy_wh: by intervals, over the bill's days; a channel is absent where intervals are missing.
        period: the bill's days in UTC.
    """
    kept = [_joined(p, order) for p in pieces if p.has_register or not p.is_unread]
    kept = [_named(_at_boundary(p, order, period), order) for p in kept]
    if not energy_wh.get(Channel.RECEIVED):
        kept = [p for p in kept if p.channel is not Channel.RECEIVED or p.usage_wh is not None]
    return tuple(_filled(p, kept, energy_wh) for p in kept)


def joined_reads(pieces: Sequence[ReadPiece], order: BillOrder, *, with_unread: bool = False) -> tuple[ReadPiece, ...]:
    """Return reads at their own instants, opened on those of the bill before: for places without intervals.

    Args:
        pieces: as the registry and the store tell them.
        order: names the reads of the bills around it.
        with_unread: registers of received energy too that were not read.
    """
    return tuple(_joined(p, order) for p in pieces if with_unread or not p.is_unread or p.channel is Channel.DELIVERED)


def end_of_nearest(order: BillOrder, pieces: Sequence[ReadPiece], zone: ZoneInfo) -> date | None:
    """Return the day on whose midnight a bill ends instead, where its own was not read; None where it stands.

    The nearest read in the window is taken if it is a midnight's and lies before: the energy after it is the next
    bill's, which opens on exactly that read.
    """
    delivered = [p for p in pieces if p.channel is Channel.DELIVERED]
    if order.ends_from is None or not delivered or delivered[-1].end.kind is not ReadKind.NEAREST:
        return None
    end = delivered[-1].end.at
    day = local_date(end, zone)
    is_midnight = local_midnight(day, zone) == end
    return day if is_midnight and order.ends_from <= day < order.span.end else None


def reading_state(reads: Sequence[ReadPiece], estimated_intervals: int) -> ReadingState:
    """Return what a bill may call its reads. One without registers (a file of intervals) is judged by its intervals."""
    kinds = {end.kind for p in reads for end in (p.begin, p.end)}
    if kinds & _UNSURE:
        return ReadingState.ESTIMATED
    # Between two actual reads how much was used is known, and only when is estimated.
    is_shared = ReadKind.APPORTIONED in kinds
    return ReadingState.ESTIMATED_INTERVALS if estimated_intervals or is_shared else ReadingState.ACTUAL


def ends_estimated(reads: Sequence[ReadPiece]) -> bool:
    """Tell whether a bill ends on a read that nobody took: such bills alone follow each other as estimated ones.

    One that opens on the estimate of the bill before it and ends on an actual read ends their row.
    """
    last: dict[Channel, ReadPiece] = {p.channel: p for p in reads}
    return any(p.end.kind in _UNSURE for p in last.values())


def closing_reads(reads: Sequence[ReadPiece]) -> MeterReads:
    """Return the reads on which the next bill opens."""
    return {(p.meter, p.channel): p.end for p in reads if p.end.value is not None}


def opening_reads(reads: Sequence[ReadPiece]) -> MeterReads:
    """Return the reads on which the bill before has to close."""
    return {(p.meter, p.channel): p.begin for p in reads if p.begin.value is not None}


def _joined(piece: ReadPiece, order: BillOrder) -> ReadPiece:
    """Take over the reads of the bills before and after; those of an exchange within the bill are its own."""
    key = piece.meter, piece.channel
    begin, end = order.opens_on.get(key), order.closes_on.get(key)
    if begin is not None and piece.begin.kind is not ReadKind.INSTALLER:
        piece = replace(piece, begin=begin)
    if end is None and piece.end.kind in _UNSURE:
        end = order.closes_about.get(key)
    if end is not None and piece.end.kind is not ReadKind.INSTALLER:
        piece = replace(piece, end=end)
    return piece


def _at_boundary(piece: ReadPiece, order: BillOrder, period: Period) -> ReadPiece:
    """Drop a read that is not of the bill's own midnight: energy between the two would be billed twice or never.

    It is then estimated from the other end and the intervals. The read that the bill before closed on stays.
    """
    key = piece.meter, piece.channel
    begin, end = piece.begin, piece.end
    if begin.kind in _AROUND and begin.at != period.start and key not in order.opens_on:
        begin = EndOfRead(period.start, None, ReadKind.MISSING)
    if end.kind in _AROUND and end.at != period.end and key not in order.closes_on:
        end = EndOfRead(period.end, None, ReadKind.MISSING)
    return replace(piece, begin=begin, end=end)


def _named(piece: ReadPiece, order: BillOrder) -> ReadPiece:
    """Call the read of a bill that ended shortly before its read day the nearest one, which it is."""
    if order.cycle is None or order.kind is BillKind.FINAL or piece.end.kind is not ReadKind.SCHEDULED:
        return piece
    if not order.terms.is_last_part(order.span):
        return piece
    early = order.cycle.read_on - order.span.end
    if timedelta(0) < early <= READ_WINDOW_BEFORE:
        return replace(piece, end=replace(piece.end, kind=ReadKind.NEAREST))
    return piece


def _filled(piece: ReadPiece, all_pieces: Sequence[ReadPiece], energy_wh: Mapping[Channel, int]) -> ReadPiece:
    """Estimate the one missing end of a meter that hung there all the time, from its intervals."""
    alone = sum(p.channel is piece.channel for p in all_pieces) == 1
    energy = energy_wh.get(piece.channel)
    if not alone or energy is None:
        return piece
    counts = energy // piece.multiplier
    if piece.end.value is None and piece.begin.value is not None:
        value = piece.begin.value + counts
        value = value if piece.capacity is None else value % piece.capacity
        return replace(piece, end=EndOfRead(piece.end.at, value, ReadKind.ESTIMATED))
    if piece.begin.value is None and piece.end.value is not None and piece.end.value >= counts:
        return replace(piece, begin=EndOfRead(piece.begin.at, piece.end.value - counts, ReadKind.ESTIMATED))
    return piece
