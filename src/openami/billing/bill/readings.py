"""The reads that a bill prints: the bill before it is opened on exactly, a missing end is estimated from intervals.

Pure. What remains missing stays so, and the reading state says what the reads are worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from openami.billing.bill.order import BillOrder, MeterReads
from openami.billing.bill.record import ReadingState
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

_UNSURE: Final = frozenset({ReadKind.ESTIMATED, ReadKind.MISSING})


def printed_reads(
    pieces: Sequence[ReadPiece], order: BillOrder, energy_wh: Mapping[Channel, int]
) -> tuple[ReadPiece, ...]:
    """Return the pieces as the bill prints them.

    Args:
        pieces: as the registry and the store tell them.
        order: names the reads of the bills around it.
        energy_wh: by intervals, over the bill's days; a channel is absent where intervals are missing.
    """
    kept = [_joined(p, order) for p in pieces if p.has_register or not p.is_unread]
    if not energy_wh.get(Channel.RECEIVED):
        kept = [p for p in kept if p.channel is not Channel.RECEIVED or not p.is_unread]
    return tuple(_filled(p, kept, energy_wh) for p in kept)


def reading_state(reads: Sequence[ReadPiece], estimated_intervals: int) -> ReadingState:
    """Return what a bill may call its reads. One without registers (a file of intervals) is judged by its intervals."""
    if any(end.kind in _UNSURE for p in reads for end in (p.begin, p.end)):
        return ReadingState.ESTIMATED
    return ReadingState.ESTIMATED_INTERVALS if estimated_intervals else ReadingState.ACTUAL


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
    if end is not None and piece.end.kind is not ReadKind.INSTALLER:
        piece = replace(piece, end=end)
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
