"""A fleet for ``openami bench vee``: homes of one zone with use, feed-in and voltage, and what a store holds of them.

Use is a base load times a day's shape and noise with some appliances; three homes in ten feed in; voltage in 0.1 V.
Of the energy series two in a hundred have a gap in the day, one in twenty of these is longer than a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import QualityState, Source
from openami.contracts.reading import UUIDS, ReadingBatch, RegisterBatch, uuid_column
from openami.mdm.store.ids import sorted_ids
from openami.mdm.store.schema import READING_DAY
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of
from openami.mdm.vee.history import DIGEST_DAYS
from openami.mdm.vee.profile import DayDigests

ZONE = ZoneInfo("America/Chicago")
DAY = date(2026, 6, 17)
PER_DAY = 96
SOLAR_EVERY = 3
"""Tenths of the homes that feed in."""
GAP_SHARE = 0.02
LONG_SHARE = 0.05
ENERGY = (Channel.DELIVERED, Channel.RECEIVED)
CHANNELS = (*ENERGY, Channel.VOLTAGE)
I16 = npt.NDArray[np.int16]


@dataclass(slots=True)
class BenchFleet:
    """Values of one local day of M homes, rows by meter id.

    Args:
        meters: how many.
        seed: of all dice.
    """

    meters: int
    seed: int = 7
    meter: UUIDS = field(init=False)
    point: UUIDS = field(init=False)
    values: dict[Channel, I16] = field(init=False)
    lost: dict[Channel, BOOLS] = field(init=False)
    is_long: BOOLS = field(init=False)
    grid: Grid = field(init=False)

    def __post_init__(self) -> None:
        dice = np.random.default_rng(self.seed)
        ids = np.frombuffer(dice.bytes(16 * self.meters), "V16")
        self.meter = ids[sorted_ids(ids)]
        self.point = np.frombuffer(dice.bytes(16 * self.meters), "V16")
        self.grid = grid_of(ZONE, DAY, DAY, 900)
        self.values = {c: np.zeros((self.meters, PER_DAY), np.int16) for c in CHANNELS}
        for at in range(0, self.meters, 50_000):
            self._fill(slice(at, at + 50_000), dice)
        self._lose(dice)

    @property
    def feeds(self) -> BOOLS:
        """(M,) homes that feed in."""
        return np.asarray(np.arange(self.meters) % 10 < SOLAR_EVERY)

    @property
    def roster(self) -> Roster:
        """The meters as validation takes them from the registry."""
        count = self.meters
        channels = sum(1 << int(c) for c in CHANNELS)
        return Roster(
            self.meter, self.point, np.full(count, channels, np.uint32), np.full(count, 10**9, np.int64),
            np.ones(count, np.int64), np.ones(count, np.int64), np.full(count, 48_000, np.int64), self.feeds,
            is_long=np.ones(count, bool),
        )  # fmt: skip

    def readings(self, rows: slice, columns: slice) -> ReadingBatch:
        """Return the readings that came of some homes in some intervals, by meter, channel and start."""
        shape = (len(self.meter[rows]), len(CHANNELS), len(range(*columns.indices(PER_DAY))))
        came = np.ones(shape, bool)
        for channel in ENERGY:
            came[:, CHANNELS.index(channel)] = ~self.lost[channel][rows, columns]
        kept = np.flatnonzero(came.ravel())
        of, which, column = np.unravel_index(kept, shape)
        start = self.grid.start_s[columns][column]
        values = np.stack([self.values[c][rows, columns] for c in CHANNELS], axis=1)
        return _raw(self.meter[rows][of], np.array(CHANNELS, np.uint8)[which], start, values.ravel()[kept])

    def register_reads(self, rows: slice) -> RegisterBatch:
        """Return both midnights' reads of some homes; of a gap longer than a day the first of them did not come."""
        n = len(self.meter[rows])
        reads = np.zeros((n, len(ENERGY), 2), np.int64)
        for k, channel in enumerate(ENERGY):
            reads[:, k, 1] = self.values[channel][rows].sum(axis=1, dtype=np.int64)
        reads += 5_000_000
        came = np.ones(reads.shape, bool)
        came[self.is_long[rows], 0, 0] = False
        of, which, end = np.nonzero(came)
        return _reads(
            self.meter[rows][of], np.array(ENERGY, np.uint8)[which], self.grid.edge_s[[0, -1]][end], reads[came]
        )

    def before_long_gaps(self) -> tuple[ReadingBatch, RegisterBatch]:
        """Return what came on the day before of the homes whose gap began then: its first half and its first read."""
        rows = np.flatnonzero(self.is_long)
        half = self.values[Channel.DELIVERED][rows, : PER_DAY // 2].astype(np.int64)
        start = self.grid.start_s[: PER_DAY // 2] - 86_400
        of = np.repeat(rows, PER_DAY // 2)
        channel = np.full(len(of), Channel.DELIVERED, np.uint8)
        used = 2 * self.values[Channel.DELIVERED][rows].sum(axis=1, dtype=np.int64)
        first = _reads(
            self.meter[rows], np.full(len(rows), Channel.DELIVERED, np.uint8),
            np.full(len(rows), int(self.grid.edge_s[0]) - 86_400), 5_000_000 + used // 2 - used,
        )  # fmt: skip
        return _raw(self.meter[of], channel, np.tile(start, len(rows)), half.ravel()), first

    def remembered(self, points: int) -> Iterator[tuple[DayTable, DayDigests]]:
        """Yield the four weeks before, some service points at a time.

        Only series with gaps have the intervals of these days, and with them the places beside them that the store
        unpacks together with theirs. Of the others two values stand for a day, with its total and maximum, because
        nothing touches more.
        """
        order = sorted_ids(self.point)
        whole = self._unpacked(order)
        for channel in ENERGY:
            chosen = order if channel is Channel.DELIVERED else order[self.feeds[order]]
            for at in range(0, len(chosen), points):
                rows = chosen[at : at + points]
                for mine in (rows[whole[rows]], rows[~whole[rows]]):
                    if len(mine):
                        yield self._weeks(channel, mine, in_full=bool(whole[mine[0]]))

    def _unpacked(self, order: I64) -> BOOLS:
        """(M,) homes of which the store unpacks days when series with gaps are read: by the store's own granules."""
        rows = DIGEST_DAYS * (1 + self.feeds[order].astype(np.int64))
        last = np.cumsum(rows) - 1
        granules = np.stack([last + 1 - rows, last]) // READING_DAY.index_granularity
        has_gap = np.any([self.lost[c].any(axis=1) for c in ENERGY], axis=0)[order]
        touched = np.zeros(int(granules.max()) + 1, bool)
        touched[granules[:, has_gap]] = True
        found = np.zeros(self.meters, bool)
        found[order] = touched[granules].any(axis=0)
        return found

    def _weeks(self, channel: Channel, rows: I64, *, in_full: bool) -> tuple[DayTable, DayDigests]:
        dice = np.random.default_rng([self.seed, int(channel), int(rows[0])])
        count = len(rows) * DIGEST_DAYS
        day = self.values[channel][rows].astype(np.int64)
        factor = dice.uniform(0.8, 1.2, (len(rows), DIGEST_DAYS, 1))
        every = np.rint(day[:, None, :] * factor).astype(np.int64).reshape(count, PER_DAY)
        hours = every.reshape(count, 24, 4).sum(axis=2)
        values = every if in_full else np.stack([every.max(axis=1), every.sum(axis=1) - every.max(axis=1)], axis=1)
        number = np.tile(day_number(DAY) - DIGEST_DAYS + np.arange(DIGEST_DAYS), len(rows))
        flat, none = values.reshape(-1), np.zeros(values.size, np.uint8)
        table = DayTable(
            service_point_id=np.repeat(self.point[rows], DIGEST_DAYS),
            channel=np.full(count, channel, np.uint8),
            local_day=number.astype(np.int32),
            interval_s=np.full(count, 900, np.uint32),
            start_utc=int(self.grid.start_s[0]) + (number - day_number(DAY)) * 86_400,
            version=np.ones(count, np.uint64),
            known_at=int(self.grid.start_s[0]) + (number - day_number(DAY)) * 86_400 + 88_200,
            run_id=np.repeat(uuid_column([UUID(int=1)]), count),
            offsets=np.arange(count + 1, dtype=np.int64) * values.shape[1],
            values=flat,
            quality=none,
            method=none,
            band_low=flat,
            band_high=flat,
        )
        digests = DayDigests(
            base=hours.min(axis=1),
            digest=dice.integers(1, 2**32, count, dtype=np.uint64),
            state=np.full(count, QualityState.ACTUAL, np.uint8),
            profile=hours.astype(np.int32),
        )
        return table, digests

    def _fill(self, rows: slice, dice: np.random.Generator) -> None:
        n = len(self.meter[rows])
        hour = np.arange(PER_DAY) / 4
        shape = 0.4 + np.exp(-((hour - 7.5) ** 2) / 3) + 1.6 * np.exp(-((hour - 19) ** 2) / 6)
        noise = dice.standard_normal((n, PER_DAY), np.float32)
        base = dice.lognormal(4.6, 0.4, (n, 1)).astype(np.float32)
        events = (dice.random((n, PER_DAY), np.float32) < 0.02) * dice.integers(200, 900, (n, PER_DAY))
        self.values[Channel.DELIVERED][rows] = base * shape.astype(np.float32) * np.exp(0.3 * noise) + events
        sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None).astype(np.float32)
        roofs = self.feeds[rows][:, None] * sun * (700 + 100 * noise)
        self.values[Channel.RECEIVED][rows] = np.clip(roofs, 0, None)
        self.values[Channel.VOLTAGE][rows] = 2_400 + 8 * noise - 8 * np.exp(-((hour - 19) ** 2) / 8)

    def _lose(self, dice: np.random.Generator) -> None:
        """Lay gaps over series: most of an hour to a day, some of more than a day that end at noon."""
        self.lost = {c: np.zeros((self.meters, PER_DAY), bool) for c in ENERGY}
        self.is_long = np.zeros(self.meters, bool)
        column = np.arange(PER_DAY)
        for channel in ENERGY:
            exists = np.ones(self.meters, bool) if channel is Channel.DELIVERED else self.feeds
            rows = np.flatnonzero(exists & (dice.random(self.meters) < GAP_SHARE))
            is_long = (dice.random(len(rows)) < LONG_SHARE) & (channel is Channel.DELIVERED)
            length = np.where(is_long, PER_DAY // 2, dice.choice([1, 4, 8, 16, 32, 64], len(rows)))
            first = np.where(is_long, 0, (dice.random(len(rows)) * (PER_DAY - length)).astype(int))
            self.lost[channel][rows] = (column >= first[:, None]) & (column < (first + length)[:, None])
            self.is_long[rows[is_long]] = True


def _raw(meter: UUIDS, channel: npt.NDArray[np.uint8], start: I64, value: npt.NDArray[np.integer]) -> ReadingBatch:
    n = len(meter)
    return ReadingBatch(
        meter, channel, start.astype(np.int64), np.full(n, 900, np.uint32), value.astype(np.int64),
        np.zeros(n, np.uint16), np.full(n, Source.PUSH, np.uint8), (start // 3600).astype(np.uint64),
    )  # fmt: skip


def _reads(meter: UUIDS, channel: npt.NDArray[np.uint8], at: I64, value: I64) -> RegisterBatch:
    n = len(meter)
    return RegisterBatch(
        meter, channel, at.astype(np.int64), value.astype(np.int64), np.full(n, Source.PUSH, np.uint8),
        (at // 3600).astype(np.uint64),
    )  # fmt: skip


def day_before() -> date:
    """Return the day before the benchmarked one."""
    return DAY - timedelta(days=1)
