"""One local day of a fleet: shards of meters from the store through the kernel and back, several under way at once.

The store reads the next shards and writes the last ones while this process validates: reading, validating and writing
overlap. Findings are kept before versions, as on the careful road; a killed run is repeated, and what it had written
is found the same by its digests.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.ports import IntervalStore, MeterSpan, Values
from openami.mdm.store.ids import IdIndex
from openami.mdm.validation.fleet.day import Settled, Shard, days_before, laid, settled, settled_gaps, stopped
from openami.mdm.validation.fleet.gaps import Gapped, filled_day, has_weeks, inputs_over_weeks, joined, window_of
from openami.mdm.validation.fleet.kept import Kept, joined_by_key
from openami.mdm.validation.fleet.layout import around_of
from openami.mdm.validation.fleet.ports import FleetHistory, FleetStore, IdRange
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.fleet.together import all_of
from openami.mdm.validation.load import Inputs
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.references import ReferenceSource
from openami.mdm.validation.table import Stamp
from openami.mdm.vee.estimate import LOOK_BACK_DAYS, References
from openami.mdm.vee.grid import Grid
from openami.security.access.scope import Scope

METERS_PER_SHARD = 8_192
"""Three channels of quarter-hours of these are 28 MB from the store and some 100 MB while they are validated."""
SHARDS_AT_ONCE = 4
READS_AT_ONCE = 2
"""A shard takes some 95 MB in the store while it is read, and a write some 240 MB: the engine has 800 MB."""
THREADS = 2
GAPS_AT_ONCE = 1_500
"""Series with gaps: four weeks of so many are 32 MB from the store and some 120 MB while they are filled."""
VERSIONS_PER_WRITE = 60_000
"""One insert: fewer make more files to sync and to merge, more make a peak of memory in the store."""


@dataclass(slots=True)
class FleetReport:
    """What came of it.

    Args:
        versions, findings: written.
        careful: service points by channel that the careful road must do.
    """

    versions: int = 0
    findings: int = 0
    careful: dict[Channel, list[UUID]] = field(default_factory=lambda: defaultdict(list))


@dataclass(slots=True)
class FleetDay:
    """Validates one local day of a roster.

    Args:
        store: where versions go.
        fleet: where days come from.
        book: where findings go.
        scope: of the process.
        references: what estimates may refer to; None leaves every longer gap to the careful road.
    """

    store: IntervalStore
    fleet: FleetStore
    book: ValidationBook
    scope: Scope
    references: ReferenceSource | None = None
    _gapped: dict[Channel, list[Gapped]] = field(default_factory=lambda: defaultdict(list))
    _whole: list[Kept] = field(default_factory=list)
    _odd: list[Kept] = field(default_factory=list)
    _findings: list[DayFinding] = field(default_factory=list)
    _writes: int = 0

    async def run(self, grid: Grid, roster: Roster, channels: Sequence[Channel], stamp: Stamp) -> FleetReport:
        """Validate the day of every meter of the roster.

        Args:
            grid: one local day.
            roster: the meters.
            channels: which channels.
            stamp: run and domain time; the channel in it does not matter.

        Raises:
            StoreError: the store refused or did not answer; running again mends it.
        """
        report = FleetReport()
        if self.references is None:
            roster = replace(roster, is_long=None)
        days = {c: days_before(c) for c in channels}
        memory = await self._remembered(grid, roster, days)
        free, threads, writing = asyncio.Semaphore(SHARDS_AT_ONCE), asyncio.Semaphore(THREADS), asyncio.Lock()
        reading = asyncio.Semaphore(READS_AT_ONCE)

        async def one(rows: slice) -> None:
            async with free:
                async with reading:
                    shard = await self._fetched(grid, roster.at(rows), rows.start)
                async with threads:
                    found = await asyncio.to_thread(_settle, grid, shard, memory, stamp)
                del shard
                async with writing:
                    await self._keep(found, report, stamp)

        count = len(roster)
        await all_of(one(slice(at, min(at + METERS_PER_SHARD, count))) for at in range(0, count, METERS_PER_SHARD))
        for channel, parts in self._gapped.items():
            await self._fill(grid, joined(parts), memory[channel], replace(stamp, channel=channel), report)
        for ready in (self._whole, self._odd):
            await self._write(ready, report, stamp)
        return report

    async def _fill(self, grid: Grid, gapped: Gapped, known: FleetHistory, stamp: Stamp, report: FleetReport) -> None:
        """Fill the gaps of one channel from the weeks before, some series at a time."""
        after = await self._came_after(grid, gapped.roster, stamp.channel)
        reading, writing = asyncio.Semaphore(READS_AT_ONCE), asyncio.Lock()

        async def one(part: Gapped) -> None:
            async with reading:
                before = await self.store.days(
                    self.scope, uuids_of(part.roster.point), stamp.channel,
                    grid.first - timedelta(days=LOOK_BACK_DAYS), grid.first - timedelta(days=1),
                )  # fmt: skip
                whole = has_weeks(grid, part, before)
                report.careful[stamp.channel] += uuids_of(part.roster.point[~whole])
                part = part.at(np.flatnonzero(whole))
                if self.references is None or not len(part.place):
                    return
                inputs = await asyncio.to_thread(inputs_over_weeks, grid, part, before, after, stamp)
                window = window_of(grid)
                references = await self.references.of(window, inputs, stamp.channel, known_at=stamp.known_at)
                found = await asyncio.to_thread(_fill_part, grid, part, inputs, references, known, stamp)
            async with writing:
                await self._keep({stamp.channel: found}, report, stamp)

        count = len(gapped.place)
        await all_of(
            one(gapped.at(np.arange(at, min(at + GAPS_AT_ONCE, count)))) for at in range(0, count, GAPS_AT_ONCE)
        )

    async def _came_after(self, grid: Grid, roster: Roster, channel: Channel) -> Values:
        """Return what has come of the day after: it tells how a home lives around a gap that ends at midnight."""
        window = window_of(grid)
        period = Period(*(instant_from_epoch_s(int(g.edge_s[-1])) for g in (grid, window)))
        pairs = zip(uuids_of(roster.point), uuids_of(roster.meter), strict=True)
        return await self.store.values(self.scope, [MeterSpan(p, m, period) for p, m in pairs], channel, period)

    async def _remembered(
        self, grid: Grid, roster: Roster, days: Mapping[Channel, int]
    ) -> Mapping[Channel, FleetHistory]:
        return await self.fleet.fleet_history(self.scope, roster.point, grid.first, days)

    async def _fetched(self, grid: Grid, roster: Roster, first: int) -> Shard:
        """Fetch readings and register reads of a shard together."""
        meters = IdRange(bytes(roster.meter[0]), bytes(roster.meter[-1]))
        period, near = (
            Period(instant_from_epoch_s(int(g.edge_s[0])), instant_from_epoch_s(int(g.edge_s[-1])))
            for g in (grid, around_of(grid))
        )
        async with asyncio.TaskGroup() as tasks:
            block = tasks.create_task(self.fleet.fleet_block(self.scope, meters, period))
            reads = tasks.create_task(self.fleet.fleet_reads(self.scope, meters, near))
        index = IdIndex(roster.meter)
        row, read_row = index.rows_of(block.result().meter_id), index.rows_of(reads.result().meter_id)
        return Shard(roster, first, block.result(), reads.result(), row, read_row)

    async def _keep(
        self, found: Mapping[Channel, tuple[Settled, list[UUID]]], report: FleetReport, stamp: Stamp
    ) -> None:
        """Put a shard's versions with those to be written, and write when there are enough."""
        for channel, (one, careful) in found.items():
            report.careful[channel] += careful
            if one.gapped is not None:
                self._gapped[channel].append(one.gapped)
            self._findings += one.findings
            for kept, ready in ((one.whole, self._whole), (one.odd, self._odd)):
                if len(kept.days):
                    ready.append(kept)
        for ready in (self._whole, self._odd):
            if sum(len(k.days) for k in ready) >= VERSIONS_PER_WRITE:
                await self._write(ready, report, stamp)

    async def _write(self, ready: list[Kept], report: FleetReport, stamp: Stamp) -> None:
        """Write what is ready, and before it every finding there is."""
        if not ready:
            return
        findings, self._findings = self._findings, []
        kept = ready[:]
        ready.clear()
        # These days had neither version nor finding before, so there is nothing to close.
        await self.book.keep_findings([], findings, at=stamp.known_at)
        report.findings += len(findings)
        columns = int(kept[0].days.offsets[1])
        whole = await asyncio.to_thread(joined_by_key, kept, columns)
        self._writes += 1
        token = f"vee-{stamp.run_id}-fleet-{self._writes}-{len(whole.days)}"
        await self.store.write_days(whole.days, token=token, digests=whole.digests, stamp=True)
        report.versions += len(whole.days)


def _fill_part(
    grid: Grid, gapped: Gapped, inputs: Inputs, references: References, known: FleetHistory, stamp: Stamp
) -> tuple[Settled, list[UUID]]:
    """Fill and judge some series: the work of a thread."""
    outcome, brackets = filled_day(grid, inputs, references, stamp)
    one = settled_gaps(grid, gapped, outcome, brackets, known, stamp)
    return one, uuids_of(gapped.roster.point[one.careful])


def _settle(
    grid: Grid, shard: Shard, memory: Mapping[Channel, FleetHistory], stamp: Stamp
) -> dict[Channel, tuple[Settled, list[UUID]]]:
    """Validate every channel of a shard: the work of a thread."""
    found: dict[Channel, tuple[Settled, list[UUID]]] = {}
    channels = laid(grid, shard, memory)
    gone = stopped(shard, channels, memory)
    if gone.any():
        channels = {c: (m, unclear | gone) for c, (m, unclear) in channels.items()}
    for channel, known in memory.items():
        one = settled(grid, shard, channel, known, replace(stamp, channel=channel), channels=channels)
        found[channel] = one, uuids_of(shard.roster.point[one.careful])
    return found
