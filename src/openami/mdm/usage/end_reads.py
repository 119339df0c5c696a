"""Register reads at the two ends of a bill, one piece for each meter that hung there: what a bill prints as reads.

An end at which a meter was hung, taken down or had its multiplier changed has the read of that moment. Elsewhere the
order is: the scheduled read of the boundary's midnight; the nearest actual read in the window; one taken on demand; one
by hand; the customer's own. Each keeps its own instant: nothing is moved, and where no read is there, the piece says
so.

Source: research on utility practice, "Billing period, reads, cycle".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.beside import side_by_side
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
    ON_DEMAND = "on_demand"
    MANUAL = "manual"
    CUSTOMER = "customer"
    INSTALLER = "installer"
    ESTIMATED = "estimated"
    APPORTIONED = "apportioned"
    """Between two actual reads: what the register advanced is shared out over the periods in between."""
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
        has_register: False for the meter of an imported file of intervals.
    """

    service_point_id: UUID
    meter: str
    channel: Channel
    begin: EndOfRead
    end: EndOfRead
    multiplier: int
    capacity: int | None
    has_register: bool = True

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
    periods: Mapping[UUID, Period],
    channels: Sequence[Channel],
    *,
    as_known_at: datetime | None = None,
) -> dict[UUID, list[ReadPiece]]:
    """Return the pieces of each service point, channel by channel, in order of time.

    The registry is asked once, however many places and periods there are.

    Args:
        registry: who hung where.
        store: of register reads.
        scope: of whoever asks.
        periods: each service point's bill's span in UTC.
        channels: which registers.
        as_known_at: what was believed then, of installations and reads; None for now.
    """
    if not periods:
        return {}
    whole = Period(min(p.start for p in periods.values()), max(p.end for p in periods.values()))
    hung = await registry.installed(set(periods), whole, as_known_at=as_known_at)
    hung = [i for i in hung if _meets(i, periods[i.installation.service_point_id])]
    hanging = {c: [i for i in hung if c in i.meter.channels] for c in channels}
    async with side_by_side() as start:
        asked = {c: start(_reads(store, scope, rows, periods, c, as_known_at)) for c, rows in hanging.items()}
    found: dict[UUID, list[ReadPiece]] = {p: [] for p in periods}
    for channel, installed in hanging.items():
        reads = asked[channel].result()
        own: dict[UUID, list[ReadPiece]] = defaultdict(list)
        for one in segments(installed, channel):
            period = periods[one.installation.service_point_id]
            if _meets(one, period):
                own[one.installation.service_point_id].append(_piece(one, channel, period, reads))
        for point, pieces in own.items():
            found[point] += sorted(pieces, key=lambda p: p.begin.at)
    return found


def _meets(one: InstalledMeter, period: Period) -> bool:
    """Tell whether a meter, or a segment of its time, hung in a part of a period."""
    i = one.installation
    return i.start < period.end and (i.end is None or i.end > period.start)


def _piece(one: InstalledMeter, channel: Channel, period: Period, reads: _Reads) -> ReadPiece:
    i = one.installation
    begin = _inner(one, channel, is_begin=True) if i.start > period.start else _boundary(reads, one, period.start)
    is_over = i.end is not None and i.end < period.end
    end = _inner(one, channel, is_begin=False) if is_over else _boundary(reads, one, period.end)
    meter = one.meter
    return ReadPiece(
        i.service_point_id, meter.serial, channel, begin, end, i.multiplier, meter.capacity_wh, not meter.is_virtual
    )


_Reads = dict[UUID, list[tuple[int, int, int]]]
_ORDER = (ReadKind.SCHEDULED, ReadKind.NEAREST, ReadKind.ON_DEMAND, ReadKind.MANUAL, ReadKind.CUSTOMER)
_BY_PEOPLE = {int(Source.FIELD): ReadKind.MANUAL, int(Source.CUSTOMER): ReadKind.CUSTOMER}
_GRID_S = 900
"""Profiles are stamped on a grid of quarter-hours; a read on demand has the second at which it was taken."""


async def _reads(
    store: IntervalStore,
    scope: Scope,
    installed: Sequence[InstalledMeter],
    periods: Mapping[UUID, Period],
    channel: Channel,
    as_known_at: datetime | None,
) -> _Reads:
    """Return (instant, count, source) by meter, around both boundaries of each one's period.

    Both are one question: midnights of a month lie together in the store, and to read them twice is what costs.
    """
    spans, windows = [], []
    for one in installed:
        i = one.installation
        period = periods[i.service_point_id]
        for at in (period.start, period.end):
            window = Period(at - WINDOW_BEFORE, at + WINDOW_AFTER)
            part = Period(i.start, i.end or max(window.end, i.start + _SECOND)).intersection(window)
            # A read at the very end belongs to the meter that went.
            if part is not None:
                end = min(part.end + _SECOND, window.end)
                spans.append(MeterSpan(i.service_point_id, i.meter_id, Period(part.start, end)))
                windows.append(window)
    found: _Reads = defaultdict(list)
    if spans:
        whole = Period(min(w.start for w in windows), max(w.end for w in windows))
        batch = await store.registers(scope, spans, channel, whole, as_known_at=as_known_at)
        meters, at_s = uuids_of(batch.meter_id), batch.at.tolist()
        for row in zip(meters, at_s, batch.value.tolist(), batch.source.tolist(), strict=True):
            found[row[0]].append(row[1:])
    return found


def _boundary(reads: _Reads, one: InstalledMeter, at: datetime) -> EndOfRead:
    """Return the best read in the window that lies in the installation: by kind, then by nearness."""
    i, second = one.installation, int(at.timestamp())
    low, high = second - int(WINDOW_BEFORE.total_seconds()), second + int(WINDOW_AFTER.total_seconds())
    low = max(low, int(i.start.timestamp()))
    high = high if i.end is None else min(high, int(i.end.timestamp()))
    near = [r for r in reads.get(i.meter_id, []) if low <= r[0] <= high]
    if not near:
        return EndOfRead(at, None, ReadKind.MISSING)
    kinds = [_kind(r, second) for r in near]
    best = min(range(len(near)), key=lambda n: (_ORDER.index(kinds[n]), abs(near[n][0] - second), near[n][0]))
    return EndOfRead(instant_from_epoch_s(near[best][0]), near[best][1], kinds[best])


def _kind(read: tuple[int, int, int], boundary_s: int) -> ReadKind:
    when, _, source = read
    if source in _BY_PEOPLE:
        return _BY_PEOPLE[source]
    if when == boundary_s:
        return ReadKind.SCHEDULED
    return ReadKind.ON_DEMAND if source == Source.PULL and when % _GRID_S else ReadKind.NEAREST


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
