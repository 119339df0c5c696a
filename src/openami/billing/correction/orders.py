"""The order of one piece that takes the place of billed days: what it opens on, closes on and takes in. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias
from uuid import UUID

from openami.billing.bill.order import BillOrder, MeterReads
from openami.billing.bill.readings import closing_reads, opening_reads
from openami.billing.bill.record import Bill, BillKind, BillState
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.pieces import Piece
from openami.billing.correction.ports import Settled
from openami.billing.rating.terms import BillTerms

PieceKey: TypeAlias = tuple[UUID, date]
"""A service point and the first day of a piece: no two pieces share both."""
Closed: TypeAlias = Mapping[tuple[UUID, date], Bill]
"""Bills that were made just now, by service point and the day after their last."""


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What a piece's order is made by beside the piece.

    Args:
        neighbors: bills in force.
        again: ids of the bills that are made again.
        terms: of each piece.
        versions: the highest version of any bill, by place and first day.
    """

    neighbors: Neighbors
    again: Collection[UUID]
    terms: Mapping[PieceKey, BillTerms]
    versions: Mapping[PieceKey, int]


def key_of(piece: Piece) -> PieceKey:
    """Return what a piece is found by."""
    return piece.old.service_point_id, piece.span.first


def settled_ends(
    piece: Piece, olds: Mapping[UUID, Bill], settled: Mapping[UUID, Settled]
) -> tuple[MeterReads, MeterReads]:
    """Return the reads that settle the ends of a piece: those of the old bill that begins, or ends, with it.

    Args:
        piece: days to be made again.
        olds: bills that are made again, by id.
        settled: how their estimated ends stand now, by id.
    """
    first = settled.get(piece.old.bill_id) if piece.span.first == piece.old.span.first else None
    last = next((settled.get(i) for i in piece.unit if olds[i].span.end == piece.span.end), None)
    return {} if first is None else first.opens_on, {} if last is None else last.closes_on


def order_of(piece: Piece, around: Around, closed: Closed, settled: tuple[MeterReads, MeterReads]) -> BillOrder:
    """Return what is asked for: where the bill before was made again, it opens on that one.

    Reads are those of the bills beside it whoever's they are; what is carried, and how many estimated bills follow each
    other, is one account's.

    Args:
        piece: days to be made again.
        around: what stands beside it.
        closed: bills that were made just now.
        settled: reads that settle its ends.
    """
    old, key = piece.old, key_of(piece)
    there = around.neighbors.closing_at.get(key) if piece.is_first else None
    fresh = closed.get(key)
    if fresh is not None and fresh.state is BillState.ISSUED:
        there = fresh
    before = there if there is not None and there.account_id == old.account_id else None
    after = around.neighbors.opening_at.get((old.service_point_id, piece.span.end)) if piece.is_last else None
    same_first = piece.span.first == old.span.first
    return BillOrder(
        old.service_point_id, piece.span, kind=BillKind.CORRECTED, account_id=old.account_id, cycle=old.cycle,
        terms=around.terms[key], carried=old.carried_in if before is None else before.carried_out,
        opens_on={**({} if there is None else closing_reads(there.reads)), **settled[0]},
        closes_on={
            **({} if after is None or after.bill_id in around.again else opening_reads(after.reads)),
            **settled[1],
        },
        estimates_before=0 if before is None else before.estimates_in_a_row,
        version=max(around.versions.get(key, 0), old.version if same_first else 0) + 1,
        supersedes=old.bill_id, replaces=() if piece.is_alone else piece.unit, released=old.released,
    )  # fmt: skip
