"""Register reads at the two ends of a bill, one piece for each meter that hung there: what a bill prints as reads.

An end at which a meter was hung, taken down or had its multiplier changed has the read of that moment. Elsewhere the
scheduled read of the boundary is taken, else the nearest read in the window, with its own instant. Nothing is moved:
where no read is there, the piece says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from openami.contracts.channel import Channel
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore, MeterSpan
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.registry.segments import segments
from openami.security.access.scope import Scope

WINDOW_BEFORE, WINDOW_AFTER = timedelta(days=2), timedelta(days=1)
"""How far from a bill's boundary a read may lie: two days before to one after (utility practice)."""
_SECOND = timedelta(seconds=1)


class ReadKind(StrEnum):
    """Where a read at an end of a bill comes from."""

    SCHEDULED = "scheduled"
    NEAREST = "nearest"
    INSTALLER = "installer"
    ESTIMATED = "estimated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class EndOfRead:
    """One end of a piece: when, what the display showed [counts], and where that comes from."""

    at: datetime
    value: int | None
    kind: ReadKind


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """What one meter counted within a bill.

    Args:
        service_point_id: where.
        meter: serial number.
        channel: delivered or received.
        begin, end: reads at its ends.
        multiplier: by which the difference is multiplied.
        capacity: count at which the register rolls over; None where unknown.
    """

    service_point_id: UUID
    meter: str
    channel: Channel
    begin: EndOfRead
    end: EndOfRead
    multiplier: int
    capacity: int | None

    @property
    def is_unread(self) -> bool:
        """Whether neither end has a read."""
        return self.begin.value is None and self.end.value is None

    @property
    def usage_wh(self) -> int | None:
        """Difference times multiplier; None where a read is missing, or the register went back and cannot roll over.

        Both ends are reads of one meter; a smaller end is one roll-over of a register that can.
        """
        if self.begin.value is None or self.end.value is None:
            return None
        counted = self.end.value - self.begin.value
        if counted < 0:
            if self.capacity is None:
                return None
            counted += self.capacity
        return counted * self.multiplier


async def end_reads(
    registry: Registry,
    store: IntervalStore,
    scope: Scope,
    points: Collection[UUID],
    period: Period,
    channel: Channel,
) -> dict[UUID, list[ReadPiece]]:
    """Return the pieces of each service point, in order of time.

    Args:
        registry: who hung where.
        store: of register reads.
        scope: of whoever asks.
        points: whose.
        period: the bill's span in UTC.
        channel: which register.
    """
    installed = [i for i in await registry.installed(set(points), period) if channel in i.meter.channels]
    reads = await _reads(store, scope, installed, period, channel)
    found: dict[UUID, list[ReadPiece]] = {p: [] for p in points}
    for one in segments(installed, channel):
        i = one.installation
        if i.start >= period.end or (i.end is not None and i.end <= period.start):
            continue
        begin = _inner(one, channel, is_begin=True) if i.start > period.start else _boundary(reads, one, period.start)
        is_over = i.end is not None and i.end < period.end
        end = _inner(one, channel, is_begin=False) if is_over else _boundary(reads, one, period.end)
        capacity = one.meter.capacity_wh
        piece = ReadPiece(i.service_point_id, one.meter.serial, channel, begin, end, i.multiplier, capacity)
        found[i.service_point_id].append(piece)
    for pieces in found.values():
        pieces.sort(key=lambda p: p.begin.at)
    return found


_Reads = dict[UUID, list[tuple[int, int]]]


async def _reads(
    store: IntervalStore, scope: Scope, installed: Sequence[InstalledMeter], period: Period, channel: Channel
) -> _Reads:
    """Return (instant, count) by meter, around both boundaries."""
    found: _Reads = defaultdict(list)
    for at in (period.start, period.end):
        window = Period(at - WINDOW_BEFORE, at + WINDOW_AFTER)
        spans = []
        for one in installed:
            i = one.installation
            part = Period(i.start, i.end or max(window.end, i.start + _SECOND)).intersection(window)
            # A read at the very end belongs to the meter that went.
            if part is not None:
                spans.append(MeterSpan(i.service_point_id, i.meter_id, Period(part.start, part.end + _SECOND)))
        if spans:
            batch = await store.registers(scope, spans, channel, window)
            rows = zip(uuids_of(batch.meter_id), batch.at.tolist(), batch.value.tolist(), strict=True)
            for meter, second, value in rows:
                found[meter].append((second, value))
    return found


def _boundary(reads: _Reads, one: InstalledMeter, at: datetime) -> EndOfRead:
    """Return the scheduled read, else the nearest one in the window that lies in the installation."""
    i, second = one.installation, int(at.timestamp())
    low, high = second - int(WINDOW_BEFORE.total_seconds()), second + int(WINDOW_AFTER.total_seconds())
    low = max(low, int(i.start.timestamp()))
    high = high if i.end is None else min(high, int(i.end.timestamp()))
    near = [r for r in reads.get(i.meter_id, []) if low <= r[0] <= high]
    if not near:
        return EndOfRead(at, None, ReadKind.MISSING)
    when, value = min(near, key=lambda r: (abs(r[0] - second), r[0]))
    return EndOfRead(instant_from_epoch_s(when), value, ReadKind.SCHEDULED if when == second else ReadKind.NEAREST)


def _inner(one: InstalledMeter, channel: Channel, *, is_begin: bool) -> EndOfRead:
    """Return the read of the moment at which a meter was hung, taken down, or had its multiplier changed."""
    i = one.installation
    at = i.start if is_begin else i.end
    assert at is not None
    reads = i.in_reads if is_begin else i.out_reads
    if channel not in reads:
        return EndOfRead(at, None, ReadKind.MISSING)
    estimated = i.estimated_in if is_begin else i.estimated_out
    return EndOfRead(at, reads[channel], ReadKind.ESTIMATED if channel in estimated else ReadKind.INSTALLER)
