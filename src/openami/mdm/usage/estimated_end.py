"""The read that nobody took at the end of a bill, estimated from the reads before it, for places without intervals."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.hand_reads.estimate import estimated
from openami.mdm.hand_reads.read import HandReadError, PastRead, Register
from openami.mdm.ports import IntervalStore, MeterSpan
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.segments import segments
from openami.mdm.usage.end_reads import EndOfRead, ReadKind, ReadPiece
from openami.security.access.scope import Scope

LOOK_BACK = timedelta(days=800)
"""Two years hold the same season twice."""
_SECOND = timedelta(seconds=1)


async def with_estimated_end(
    registry: Registry, store: IntervalStore, scope: Scope, piece: ReadPiece, *, as_known_at: datetime | None = None
) -> ReadPiece:
    """Return a piece whose end has a value if one is known or can be estimated from two actual reads before it.

    Args:
        registry: who hung where.
        store: of register reads.
        scope: of whoever asks.
        piece: of one meter.
        as_known_at: what was believed then; None for now.
    """
    if piece.end.value is not None:
        return piece
    end = piece.end.at
    period = Period(end - LOOK_BACK, end + _SECOND)
    hung = await registry.installed([piece.service_point_id], period, as_known_at=as_known_at)
    for one in segments([h for h in hung if h.meter.serial == piece.meter], piece.channel):
        i, meter = one.installation, one.meter
        if i.start >= end:
            continue
        span = MeterSpan(i.service_point_id, i.meter_id, Period(max(i.start, period.start), end))
        batch = await store.registers(scope, [span], piece.channel, period, as_known_at=as_known_at)
        past = {instant_from_epoch_s(s): v for s, v in zip(batch.at.tolist(), batch.value.tolist(), strict=True)}
        if piece.channel in i.in_reads and piece.channel not in i.estimated_in:
            past[i.start] = i.in_reads[piece.channel]
        form = Register(meter.capacity_wh, meter.resolution_wh, meter.max_power_w, i.multiplier)
        try:
            reads = [PastRead(at, value) for at, value in past.items()]
            found = estimated(reads, form, end, serial=piece.meter)
        except HandReadError:
            continue
        return replace(piece, end=EndOfRead(end, found.value, ReadKind.ESTIMATED))
    return piece
