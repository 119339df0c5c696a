"""The ends of bills that are made late at places without intervals: between two reads that were taken, not guessed.

Where an actual read lies behind a bill's end by now, what was used by then is known better than from the months before:
its share by days. Such a bill need not be estimated, and it cannot end below the read that it opens on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.billing.bill.make import Making
from openami.billing.bill.making import SCOPE, SpanData, SpanKey
from openami.billing.bill.order import BillOrder
from openami.billing.bill.true_up import is_unsure, read_between
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.api import EndOfRead, MeterData, ReadPiece

AHEAD = timedelta(days=400)
"""So long after its end an actual read still tells of a bill."""
Asked = tuple[Making, BillOrder]


async def reckoned(meters: MeterData, asked: Sequence[Asked], data: Mapping[SpanKey, SpanData]) -> list[Asked]:
    """Return orders, those of bills whose ends nobody read with the reads reckoned there.

    Args:
        meters: registers.
        asked: bills of different places.
        data: what was gathered for them.
    """
    ends = {o.service_point_id: _unread(o, making.zone, data[o.span, making.zone]) for making, o in asked}
    ends = {point: pieces for point, pieces in ends.items() if pieces}
    if not ends:
        return list(asked)
    at = [p.end.at for pieces in ends.values() for p in pieces]
    period = Period(min(at), max(at) + AHEAD)
    later: dict[tuple[UUID, str, Channel], Sequence[EndOfRead]] = {}
    for channel in (Channel.DELIVERED, Channel.RECEIVED):
        found = await meters.actual_reads(SCOPE, set(ends), period, channel)
        later |= {(point, meter, channel): reads for (point, meter), reads in found.items()}
    return [(m, _with_ends(o, m.zone, ends.get(o.service_point_id, ()), later)) for m, o in asked]


def _unread(order: BillOrder, zone: ZoneInfo, data: SpanData) -> list[ReadPiece]:
    """Return the registers of a place without intervals that stand at the bill's end, and were not read there."""
    point, end = order.service_point_id, order.span.period(zone).end
    if point not in data.by_register:
        return []
    return [p for p in data.pieces.get(point, ()) if is_unsure(p.end) and p.end.at == end]


def _with_ends(
    order: BillOrder,
    zone: ZoneInfo,
    pieces: Sequence[ReadPiece],
    later: Mapping[tuple[UUID, str, Channel], Sequence[EndOfRead]],
) -> BillOrder:
    about = dict(order.closes_about)
    for piece in pieces:
        key = piece.meter, piece.channel
        begin = order.opens_on.get(key, piece.begin)
        behind = [r for r in later.get((order.service_point_id, *key), ()) if r.at > piece.end.at]
        if behind and not is_unsure(begin):
            after = min(behind, key=lambda r: r.at)
            read = read_between(replace(piece, begin=begin, end=after), piece.end.at, zone)
            about |= {} if read is None else {key: read}
    return replace(order, closes_about=about) if about else order
