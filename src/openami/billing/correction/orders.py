"""The order of one piece that takes the place of billed days: what it opens on, closes on and takes in. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.bill.order import BillOrder, MeterReads
from openami.billing.bill.readings import closing_reads, opening_reads
from openami.billing.bill.record import Bill, BillKind, BillState
from openami.billing.bill.true_up import is_unsure, read_between
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.pieces import Piece
from openami.billing.correction.ports import Settled
from openami.billing.rating.terms import BillTerms
from openami.contracts.channel import Channel
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

_Reads: TypeAlias = dict[tuple[str, Channel], EndOfRead]
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


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What is known of the reads at the ends of a piece, by the bills that it takes the place of.

    Args:
        kept_opens, kept_closes: reads on which those were settled before.
        opens_on, closes_on: reads that settle an estimate of theirs now.
        closes_about: reads within those, between two that were taken.
    """

    kept_opens: MeterReads = field(default_factory=dict)
    kept_closes: MeterReads = field(default_factory=dict)
    opens_on: MeterReads = field(default_factory=dict)
    closes_on: MeterReads = field(default_factory=dict)
    closes_about: MeterReads = field(default_factory=dict)


def ends_of(piece: Piece, olds: Mapping[UUID, Bill], settled: Mapping[UUID, Settled]) -> Ends:
    """Return what is known of the reads at the ends of a piece.

    A read counts at its own instant alone: that of a bill which ends earlier now is not where it ends.

    Args:
        piece: days to be made again.
        olds: bills that are made again, by id.
        settled: how their estimated ends stand now, by id.
    """
    zone = zone_named(piece.old.zone)
    opens, closes = (local_midnight(d, zone) for d in (piece.span.first, piece.span.end))
    kept_opens, kept_closes, opens_on, closes_on, about = _Reads(), _Reads(), _Reads(), _Reads(), _Reads()
    for old in (olds[i] for i in piece.unit):
        now = settled.get(old.bill_id)
        for p in old.reads:
            key = p.meter, p.channel
            begin, end = (None, None) if now is None else (now.opens_on.get(key), now.closes_on.get(key))
            _put(key, opens, begin or p.begin, kept_opens if begin is None else opens_on, is_new=begin is not None)
            _put(key, closes, end or p.end, kept_closes if end is None else closes_on, is_new=end is not None)
            if not any(old.day_versions):
                _put_within(key, closes, replace(p, begin=begin or p.begin, end=end or p.end), about, zone)
    return Ends(kept_opens, kept_closes, opens_on, closes_on, about)


def _put(key: tuple[str, Channel], at: datetime, read: EndOfRead, into: _Reads, *, is_new: bool) -> None:
    if read.at == at and (is_new or read.kind is ReadKind.APPORTIONED):
        into[key] = read


def _put_within(key: tuple[str, Channel], at: datetime, piece: ReadPiece, into: _Reads, zone: ZoneInfo) -> None:
    if piece.begin.at < at < piece.end.at and not (is_unsure(piece.begin) or is_unsure(piece.end)):
        found = read_between(piece, at, zone)
        if found is not None:
            into[key] = found


def order_of(piece: Piece, around: Around, closed: Closed, ends: Ends) -> BillOrder:
    """Return what is asked for: where the bill before was made again, it opens on that one.

    Reads are those of the bills beside it whoever's they are; what is carried, and how many estimated bills follow each
    other, is one account's.

    Args:
        piece: days to be made again.
        around: what stands beside it.
        closed: bills that were made just now.
        ends: reads at its ends.
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
        opens_on={**ends.kept_opens, **({} if there is None else closing_reads(there.reads)), **ends.opens_on},
        closes_on={
            **ends.kept_closes,
            **({} if after is None or after.bill_id in around.again else opening_reads(after.reads)),
            **ends.closes_on,
        },
        closes_about=ends.closes_about,
        estimates_before=0 if before is None else before.estimates_in_a_row,
        version=max(around.versions.get(key, 0), old.version if same_first else 0) + 1,
        supersedes=old.bill_id, replaces=() if piece.is_alone else piece.unit, released=old.released,
    )  # fmt: skip
