"""What a run needs of the registry and the store for one grid, read as people decided. I/O, and no rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.kernel.time import Period, instant_from_epoch_s, local_midnight
from openami.mdm.editing.decision import SWAPPED, Decision
from openami.mdm.editing.raw import Loaded, corrected, reach_s, swapped_ends, swapping
from openami.mdm.ports import IntervalStore, Values
from openami.mdm.registry.facts import FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.registry.segments import by_network
from openami.mdm.validation.decisions import with_decisions
from openami.mdm.validation.lengths import fits
from openami.mdm.validation.load import NO_PLACES, Inputs, inputs_of, standing_still
from openami.mdm.validation.places import PlaceSource
from openami.mdm.validation.spans import spans_of
from openami.mdm.validation.table import Stamp
from openami.mdm.validation.windows import Span
from openami.mdm.vee.grid import Grid
from openami.mdm.vee.history import DIGEST_DAYS, History
from openami.mdm.vee.matrix import Matrix
from openami.security.access.scope import Scope

LOADS_KEPT = 3
"""Of a piece of work the narrow window of each channel is loaded once: it is validated, and looked at by the others."""
CHANNELS_VALIDATED = (Channel.DELIVERED, Channel.RECEIVED, Channel.VOLTAGE)


class Loading:
    """Loads readings, registers, digests and what the registry says.

    Args:
        registry: who hung where.
        store: readings and versions.
        places: what the registry says of places.
        scope: what may be read.
    """

    def __init__(self, *, registry: Registry, store: IntervalStore, places: PlaceSource, scope: Scope) -> None:
        self._registry, self._store, self._places, self._scope = registry, store, places, scope

    async def siblings(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        since: date | None = None,
    ) -> dict[Channel, Matrix]:
        """Return what the meters' other channels say: a stopped meter is told from an outage by its voltage."""
        found = {}
        for other in CHANNELS_VALIDATED:
            theirs = [i for i in installed if other in i.meter.channels]
            if other is not stamp.channel and theirs:
                asked = replace(stamp, channel=other)
                found[other] = (await self.load(grid, points, theirs, asked, since=since)).matrix
        return found

    async def mates(self, grid: Grid, span: Span, channel: Channel) -> list[InstalledMeter]:
        """Return meters that share a transformer with those of a span, and are none of them, to judge clocks by."""
        if channel is not Channel.VOLTAGE or not span.with_mates:
            return []
        mates = await self._places.mates(span.points)
        period = Period(instant_from_epoch_s(int(grid.edge_s[0])), instant_from_epoch_s(int(grid.edge_s[-1])))
        found = await self.installed(mates, period) if mates else []
        return [i for i in found if channel in i.meter.channels and fits(i, span.interval_s)]

    async def history(self, points: Sequence[UUID], channel: Channel, before: date) -> History | None:
        """Return what is remembered of the weeks before a day; of averages nothing is."""
        if not CHANNELS[channel].is_energy:
            return None
        return await self._store.history(self._scope, points, channel, before, DIGEST_DAYS)

    async def advancing(
        self, span: Span, installed: Sequence[InstalledMeter], decided: Collection[UUID]
    ) -> list[InstalledMeter]:
        """Leave out meters whose register stood still over the span and lately: most homes never feed in.

        A home that does keeps its versions through a dark day, and so does one about which people decided something.
        """
        period = Period(local_midnight(span.first, span.zone), local_midnight(span.last + timedelta(days=1), span.zone))
        batch = await self._store.registers(self._scope, spans_of(installed, period), Channel.RECEIVED, period)
        still = standing_still(batch, period)
        points = {i.installation.service_point_id for i in installed if i.meter.id in still}
        if not points:
            return list(installed)
        lately = span.first - timedelta(days=14)
        known = await self._store.days(self._scope, sorted(points), Channel.RECEIVED, lately, span.last)
        feeding = {UUID(bytes=bytes(p)) for p in known.service_point_id.tolist()}
        idle = points - feeding - frozenset(decided)
        return [i for i in installed if i.installation.service_point_id not in idle]

    async def load(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        with_readings: bool = True,
        since: date | None = None,
    ) -> Inputs:
        """Fetch what the store has for the grid, or for its days from one on, unless it was; read it as decided."""
        meters = tuple(i.installation.id for i in installed)
        key = (stamp.channel, grid.first, grid.last, tuple(points), meters, with_readings, since)
        found = stamp.loads.get(key)
        if found is None:
            found = await self._loaded(grid, points, installed, stamp, with_readings=with_readings, since=since)
            if len(stamp.loads) < LOADS_KEPT:
                stamp.loads[key] = found
        return found

    async def _loaded(
        self,
        grid: Grid,
        points: Sequence[UUID],
        installed: Sequence[InstalledMeter],
        stamp: Stamp,
        *,
        with_readings: bool,
        since: date | None,
    ) -> Inputs:
        start = local_midnight(since or grid.first, grid.zone)
        period = Period(start, instant_from_epoch_s(int(grid.edge_s[-1])))
        decisions = await stamp.force.touching(points, period)
        places = await self._places.of(grid, points) if with_readings else NO_PLACES
        if not decisions:
            loaded = await self._fetch(installed, stamp.channel, period, with_readings=with_readings)
            inputs = inputs_of(
                grid, points, installed, stamp.channel,
                readings=loaded.readings, registers=loaded.registers, until=stamp.known_at,
            )  # fmt: skip
            return replace(inputs, places=places)
        loaded = await self._corrected(installed, stamp.channel, period, decisions, with_readings=with_readings)
        inputs = inputs_of(
            grid, points, swapped_ends(installed, decisions), stamp.channel,
            readings=loaded.readings, registers=loaded.registers, until=stamp.known_at,
        )  # fmt: skip
        return with_decisions(grid, replace(inputs, places=places), stamp.channel, decisions)

    async def _fetch(
        self, installed: Sequence[InstalledMeter], channel: Channel, period: Period, *, with_readings: bool = True
    ) -> Loaded:
        spans = spans_of(installed, period)
        readings, registers = Values.of(ReadingBatch.empty()), RegisterBatch.empty()
        if with_readings:
            readings = await self._store.values(self._scope, spans, channel, period)
        if CHANNELS[channel].is_energy:
            registers = await self._store.registers(self._scope, spans, channel, period)
        return Loaded(readings, registers)

    async def _corrected(
        self,
        installed: Sequence[InstalledMeter],
        channel: Channel,
        period: Period,
        decisions: Sequence[Decision],
        *,
        with_readings: bool,
    ) -> Loaded:
        """Fetch what belongs to a period by decisions about clocks and crossed channels."""
        reach = timedelta(seconds=reach_s(decisions))
        wider = Period(period.start - reach, period.end + reach)
        loaded = await self._fetch(installed, channel, wider, with_readings=with_readings)
        other, crossed = None, swapping(decisions)
        if crossed and channel in SWAPPED:
            theirs = [i for i in installed if i.installation.service_point_id in crossed]
            other = await self._fetch(theirs, SWAPPED[channel], wider, with_readings=with_readings)
        return corrected(loaded, other, installed, channel, decisions)

    async def installed(self, points: Collection[UUID] | None, period: Period) -> list[InstalledMeter]:
        """Return the installations that the network reads: what is read by hand has no intervals to expect."""
        installed = await self._registry.installed(points, period)
        return by_network(installed, await self._registry.facts.of(points, period, kinds=[FactKind.READING]))
