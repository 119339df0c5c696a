"""Where the validated values of one local day come from: the raw reading behind each interval, with its message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from openami.contracts.channel import Channel
from openami.contracts.quality import Source
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore, MeterSpan
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.registry.segments import Factors
from openami.security.access.scope import Scope

_COUNTER_BITS = 32


@dataclass(frozen=True, slots=True)
class RawOrigin:
    """One raw reading that validation took for an interval.

    Args:
        start: of the interval.
        meter: serial number.
        value: what the meter counted.
        multiplier: by which it is multiplied.
        source: the road by which it came.
        message_id: number of the message, or of the file.
    """

    start: datetime
    meter: str
    value: int
    multiplier: int
    source: Source
    message_id: int

    @property
    def generation(self) -> int | None:
        """Key generation of a pushed frame; None by any other road."""
        return self.message_id >> _COUNTER_BITS if self.source is Source.PUSH else None

    @property
    def counter(self) -> int | None:
        """Invocation counter of a pushed frame; None by any other road."""
        return self.message_id & (1 << _COUNTER_BITS) - 1 if self.source is Source.PUSH else None


async def origins_of(
    store: IntervalStore,
    scope: Scope,
    installed: Sequence[InstalledMeter],
    spans: Sequence[MeterSpan],
    channel: Channel,
    period: Period,
    as_known_at: datetime | None,
) -> list[RawOrigin]:
    """Return the raw readings of a period, by start; intervals for which none came are absent.

    Args:
        store: of raw readings.
        scope: of whoever asks.
        installed: the meters that hung there.
        spans: the same as the store knows them.
        channel: what they count.
        period: within which intervals start.
        as_known_at: what was kept then; None for now.

    Raises:
        StoreError: the store did not answer.
    """
    batch = await store.readings(scope, spans, channel, period, as_known_at=as_known_at)
    serial = {i.meter.id: i.meter.serial for i in installed}
    factors = Factors(installed, channel)
    rows = zip(
        uuids_of(batch.meter_id), batch.start.tolist(), batch.value.tolist(), batch.source.tolist(),
        batch.message_id.tolist(), strict=True,
    )  # fmt: skip
    found = [
        RawOrigin(instant_from_epoch_s(at), serial[meter], value, factors.at(meter, at), Source(source), message)
        for meter, at, value, source, message in rows
    ]
    return sorted(found, key=lambda o: o.start)
