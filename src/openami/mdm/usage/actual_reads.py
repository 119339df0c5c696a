"""Actual register reads of many places over a span: what estimated reads are settled by. Estimates are none of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore, MeterSpan
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.usage.end_reads import EndOfRead, ReadKind
from openami.security.access.scope import Scope

_SECOND = timedelta(seconds=1)
_KINDS = {int(Source.FIELD): ReadKind.MANUAL, int(Source.CUSTOMER): ReadKind.CUSTOMER}
ReadsOfMeters = dict[tuple[UUID, str], list[EndOfRead]]
"""Reads by service point and serial number, by instant."""


async def actual_reads(
    registry: Registry, store: IntervalStore, scope: Scope, points: Collection[UUID], period: Period, channel: Channel
) -> ReadsOfMeters:
    """Return every actual read of the registers that hung at places, the span's end included.

    Args:
        registry: who hung where.
        store: of register reads.
        scope: of whoever asks.
        points: whose.
        period: in UTC.
        channel: which register.

    Raises:
        StoreError: the store did not answer.
    """
    wider = Period(period.start, period.end + _SECOND)
    installed = [i for i in await registry.installed(set(points), wider) if channel in i.meter.channels]
    spans = [MeterSpan(i.installation.service_point_id, i.meter.id, cut) for i in installed if (cut := _cut(i, wider))]
    found: dict[tuple[UUID, str], dict[int, EndOfRead]] = defaultdict(dict)
    if spans:
        batch = await store.registers(scope, spans, channel, wider)
        rows = zip(
            uuids_of(batch.meter_id), batch.at.tolist(), batch.value.tolist(), batch.source.tolist(), strict=True
        )
        for meter, second, value, source in rows:
            for one in _there(installed, meter, second):
                kind = _KINDS.get(source, ReadKind.SCHEDULED)
                key = one.installation.service_point_id, one.meter.serial
                found[key][second] = EndOfRead(instant_from_epoch_s(second), value, kind)
    for one in installed:
        i = one.installation
        for at, reads, guessed in ((i.start, i.in_reads, i.estimated_in), (i.end, i.out_reads, i.estimated_out)):
            if at is not None and channel in reads and channel not in guessed and period.start <= at <= period.end:
                key = i.service_point_id, one.meter.serial
                found[key][int(at.timestamp())] = EndOfRead(at, reads[channel], ReadKind.INSTALLER)
    return {key: [reads[s] for s in sorted(reads)] for key, reads in found.items()}


def _cut(one: InstalledMeter, period: Period) -> Period | None:
    i = one.installation
    end = period.end if i.end is None else i.end + _SECOND
    return Period(i.start, max(end, i.start + _SECOND)).intersection(period)


def _there(installed: Sequence[InstalledMeter], meter: UUID, second: int) -> Sequence[InstalledMeter]:
    """Return where a meter hung at a second, both edges included."""
    return [
        one
        for one in installed
        if one.meter.id == meter
        and int(one.installation.start.timestamp()) <= second
        and (one.installation.end is None or second <= int(one.installation.end.timestamp()))
    ]
