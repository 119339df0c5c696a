"""The road of a whole fleet and the careful one say the same: versions, digests and findings, whatever came."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.contract.store.fake_store import FakeStore

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, instant_from_epoch_s, local_midnight
from openami.mdm.registry.calendar import DEFAULT_CALENDAR
from openami.mdm.registry.facts import Fact, FactKind
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Installation, InstalledMeter, Meter, ServicePoint
from openami.mdm.validation.fleet import run as fleet_run
from openami.mdm.validation.fleet.day import Settled, settled
from openami.mdm.validation.loading import CHANNELS_VALIDATED
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.run import Validation
from openami.mdm.vee.grid import Grid, grid_of
from openami.mdm.vee.ruleset import RuleBook

ZONE = ZoneInfo("America/Chicago")
CAPACITY = 10_000_000
ENERGY = (Channel.DELIVERED, Channel.RECEIVED)
TROUBLES = (
    "none", "gap", "long gap", "one lost", "two lost", "first lost", "no start read", "no end read",
    "replay", "conflict", "negative", "flagged",
    "power fail", "off grid", "two reads of an instant", "rollover", "register set", "exchange", "moved in",
    "multiplier",
    "sun", "silent", "no volts", "wild value", "midday read",
)  # fmt: skip
OF_WEEKS = (
    "none", "gap", "checked", "long gap", "first hour lost", "last hour lost", "last but an hour lost",
    "whole day lost", "volts stop", "sun goes", "two gaps", "still gap", "dark gap", "dark midnight",
    "gap in the sun", "refused run", "gap and no weeks", "first lost", "sun", "multiplier", "moved in",
    "midday read", "register set", "no start read", "gap not the energy",
)  # fmt: skip
"""Troubles of a home that has hung there for weeks."""
WEEKS = 29
"""Days before the day of the trouble."""


@dataclass
class Book:
    """Findings in memory, as the port says."""

    kept: dict[tuple[UUID, Channel, date, int], list[DayFinding]] = field(default_factory=dict)
    closed: set[tuple[UUID, Channel, date, int]] = field(default_factory=set)

    async def rule_book(self) -> RuleBook:
        return RuleBook()

    async def keep_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> None:
        for point, channel, day, version in keys:
            self.closed |= {k for k in self.kept if k[:3] == (point, channel, day) and k[3] < version}
            self.kept.pop((point, channel, day, version), None)
        self._add(findings)

    async def refresh_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> int:
        for key in keys:
            self.kept.pop(key, None)
        self._add(findings)
        return len(findings)

    async def findings(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, limit: int
    ) -> list[DayFinding]:
        return [f for f in self.open() if first <= f.local_day <= last][:limit]

    def open(self) -> list[DayFinding]:
        return [f for key, found in self.kept.items() if key not in self.closed for f in found]

    def _add(self, findings: Sequence[DayFinding]) -> None:
        for f in findings:
            self.kept.setdefault((f.service_point_id, f.channel, f.local_day, f.version), []).append(f)


@dataclass
class Places:
    """A registry of a few installations."""

    installations: list[InstalledMeter] = field(default_factory=list)
    checks: dict[UUID, UUID] = field(default_factory=dict)
    days_off: frozenset[date] = frozenset()

    async def installed(self, service_points: Collection[UUID] | None, period: Period) -> list[InstalledMeter]:
        return [
            one
            for one in self.installations
            if (service_points is None or one.installation.service_point_id in service_points)
            and one.installation.start < period.end
            and (one.installation.end is None or one.installation.end > period.start)
        ]

    @property
    def facts(self) -> Places:
        return self

    async def of(
        self, service_points: Collection[UUID] | None, _period: Period, *, kinds: Collection[FactKind]
    ) -> list[Fact]:
        """Every second home may feed in, and some meters check others; nothing else is said of any."""
        if FactKind.CHECK_OF in kinds:
            since = datetime(2020, 1, 1, tzinfo=UTC)
            return [Fact(p, FactKind.CHECK_OF, str(of), since, None, since) for p, of in self.checks.items()]
        if FactKind.INTERCONNECTION not in kinds:
            return []
        since = datetime(2020, 1, 1, tzinfo=UTC)
        homes = [i.installation.service_point_id for i in self.installations][::2]
        return [
            Fact(p, FactKind.INTERCONNECTION, "5000", since, None, since)
            for p in homes
            if service_points is None or p in service_points
        ]

    async def kinds(self) -> frozenset[FactKind]:
        return frozenset({FactKind.INTERCONNECTION})

    async def touched_since(self, *_asked: Any) -> frozenset[UUID]:
        return frozenset()

    async def holidays(self, *_asked: Any) -> dict[str, frozenset[date]]:
        return {DEFAULT_CALENDAR: self.days_off}

    async def members_of_cells(self, _cells: Collection[str]) -> dict[str, list[UUID]]:
        return {}

    async def members_of_transformers(self, names: Collection[str]) -> dict[str, list[UUID]]:
        return {name: sorted({i.installation.service_point_id for i in self.installations}) for name in names}

    async def service_points(self, ids: Collection[UUID]) -> list[ServicePoint]:
        made = datetime(2020, 1, 1, tzinfo=UTC)
        return [ServicePoint(i, str(ZONE), made, transformer="T", feeder="F") for i in sorted(ids)]


class Fleet:
    """Homes with their troubles, told to a store."""

    def __init__(self, grid: Grid, troubles: Sequence[str], seed: int, *, middle: int | None = None) -> None:
        """Make homes whose trouble lies on one day of the grid, the middle one if none is told."""
        self.middle = grid.days // 2 if middle is None else middle
        self.grid, self.troubles, self.dice = grid, troubles, np.random.default_rng(seed)
        self.places = Places()
        self.readings: list[ReadingBatch] = []
        self.registers: list[RegisterBatch] = []
        self.late: list[ReadingBatch] = []
        for trouble in troubles:
            self._add(trouble)

    def __repr__(self) -> str:
        return f"Fleet({self.grid.first}, {self.troubles})"

    def _add(self, trouble: str) -> None:
        grid, dice = self.grid, self.dice
        point, meter = UUID(bytes=dice.bytes(16)), UUID(bytes=dice.bytes(16))
        start = instant_from_epoch_s(int(grid.edge_s[0])) - timedelta(days=90)
        if trouble == "moved in":
            start = instant_from_epoch_s(int(grid.edge_s[int(grid.day_at[self.middle]) + 17]))
        end = None
        if trouble == "exchange":
            end = instant_from_epoch_s(int(grid.edge_s[int(grid.day_at[self.middle]) + 30]) + 100)
        factor = 3 if trouble == "multiplier" else 1
        installation = Installation(UUID(int=1), point, meter, start, end, multiplier=factor)
        device = Meter(meter, f"S-{meter}", start, capacity_wh=CAPACITY)
        self.places.installations.append(InstalledMeter(installation, device))
        n = grid.columns
        use = {Channel.DELIVERED: dice.integers(0, 900, n), Channel.RECEIVED: np.zeros(n, np.int64)}
        if trouble in {"sun", "gap in the sun", "sun goes"}:
            use[Channel.RECEIVED] = np.where(grid.slot % 96 > 40, dice.integers(0, 500, n), 0)
        use[Channel.VOLTAGE] = dice.integers(2_300, 2_500, n)
        came, flags = np.ones(n, bool), np.zeros(n, np.uint16)
        self._spoil(trouble, use, came, flags)
        self._spoil_more(trouble, use, came, flags)
        for channel, values in use.items():
            kept = np.flatnonzero(came)
            if channel is Channel.VOLTAGE and trouble in {"no volts", "volts stop"}:
                kept = kept[kept < (int(grid.day_at[self.middle]) if trouble == "volts stop" else 0)]
            self.readings.append(_readings(meter, channel, grid.start_s[kept], values[kept], flags[kept]))
            if trouble in {"gap", "one lost", "two gaps"} and channel is Channel.DELIVERED:
                lost = np.flatnonzero(~came)[:3]
                self.late.append(_readings(meter, channel, grid.start_s[lost], values[lost], flags[lost], message=5))
            if trouble in {"replay", "conflict"}:
                again = kept[100:104]
                other = values[again] + (trouble == "conflict")
                self.readings.append(_readings(meter, channel, grid.start_s[again], other, flags[again], message=9))
            if trouble == "off grid":
                self.readings.append(_readings(meter, channel, grid.start_s[70:71] + 60, values[70:71], flags[70:71]))
        if trouble == "checked":
            self.places.checks[self.places.installations[0].installation.service_point_id] = point
        for channel in ENERGY if trouble != "silent" else ():
            # Registers that say less than the good values: nothing can be scaled to that.
            self._read(trouble, meter, channel, use[channel] // (2 if trouble == "gap not the energy" else 1))

    def _spoil(self, trouble: str, use: dict[Channel, np.ndarray], came: np.ndarray, flags: np.ndarray) -> None:
        at = int(self.grid.day_at[self.middle])
        match trouble:
            case "gap" | "checked" | "gap and no weeks" | "gap in the sun" | "gap not the energy":
                came[at + 20 : at + 24] = False
            case "one lost":
                came[at + 20] = False
            case "two lost":
                came[[at + 20, at + 60]] = False
            case "first lost":
                came[at] = False
            case "long gap":
                came[at + 20 : at + 130] = False
            case "silent":
                came[:] = False
            case "negative":
                use[Channel.DELIVERED][at + 5] = -4
            case "wild value":
                use[Channel.DELIVERED][at + 5] = 40_000
            case "flagged":
                flags[at + 7] = RawQuality.CLOCK_INVALID
                flags[at + 8] = RawQuality.DATA_NOT_VALID
            case "power fail":
                use[Channel.DELIVERED][at + 7 : at + 9] = 0
                flags[at + 7 : at + 9] = RawQuality.POWER_DOWN
            case _:
                pass

    def _spoil_more(self, trouble: str, use: dict[Channel, np.ndarray], came: np.ndarray, flags: np.ndarray) -> None:
        at, end = (int(c) for c in self.grid.day_at[self.middle : self.middle + 2])
        match trouble:
            case "first hour lost":
                came[at : at + 4] = False
            case "last hour lost":
                came[end - 4 : end] = False
            case "last but an hour lost":
                came[end - 9 : end - 4] = False
            case "whole day lost":
                came[at:end] = False
            case "sun goes":
                use[Channel.RECEIVED][at:] = 0
            case "two gaps":
                came[at + 10 : at + 16] = came[at + 40 : at + 41] = came[at + 60 : at + 90] = False
            case "still gap":
                came[at + 20 : at + 40] = False
                use[Channel.DELIVERED][at + 20 : at + 40] = 0
            case "dark gap" | "dark midnight":
                lo, hi = (at + 20, at + 30) if trouble == "dark gap" else (end - 5, end + 5)
                came[lo:hi] = False
                use[Channel.DELIVERED][lo - 1 : hi + 1] = 0
                flags[[lo - 1, hi]] = RawQuality.POWER_DOWN
            case "refused run":
                flags[at + 7 : at + 15] = RawQuality.DATA_NOT_VALID
                use[Channel.DELIVERED][at + 30 : at + 33] = 40_000
            case _:
                pass

    def _read(self, trouble: str, meter: UUID, channel: Channel, values: np.ndarray) -> None:
        grid = self.grid
        edges = grid.day_at.copy()
        middle = self.middle
        if trouble == "no start read":
            edges = np.delete(edges, middle)
        if trouble == "no end read":
            edges = np.delete(edges, middle + 1)
        if trouble == "midday read":
            edges = np.sort(np.append(edges, edges[middle] + 48))
        base = CAPACITY - 20_000 if trouble == "rollover" else 5_000
        shown = (base + np.concatenate([[0], np.cumsum(values)])[edges]) % CAPACITY
        if trouble == "register set":
            shown[middle + 1 :] += 2_000_000
        self.registers.append(_registers(meter, channel, grid.edge_s[edges], shown))
        if trouble == "two reads of an instant":
            other = shown[middle : middle + 1] + 7
            self.registers.append(_registers(meter, channel, grid.edge_s[edges[middle : middle + 1]], other, message=9))


def _readings(
    meter: UUID, channel: Channel, start_s: np.ndarray, value: np.ndarray, flags: np.ndarray, message: int = 1
) -> ReadingBatch:
    n = len(start_s)
    return ReadingBatch(
        uuid_column([meter] * n), np.full(n, channel, np.uint8), start_s.astype(np.int64), np.full(n, 900, np.uint32),
        value.astype(np.int64), flags.astype(np.uint16), np.ones(n, np.uint8), np.full(n, message, np.uint64),
    )  # fmt: skip


def _registers(meter: UUID, channel: Channel, at_s: np.ndarray, value: np.ndarray, message: int = 1) -> RegisterBatch:
    n = len(at_s)
    return RegisterBatch(
        uuid_column([meter] * n), np.full(n, channel, np.uint8), at_s.astype(np.int64), value.astype(np.int64),
        np.ones(n, np.uint8), np.full(n, message, np.uint64),
    )  # fmt: skip


async def _validated(fleet: Fleet, *, whole: bool, since: int = 1) -> tuple[FakeStore, Book, list[int]]:
    """Validate day after day on one of the roads, then the late rows' days once more, then everything again.

    Days before the index ``since`` are validated before, all at once and with care.
    """
    store, book = FakeStore(FixedClock(datetime(2026, 12, 1, tzinfo=UTC))), Book()
    for number, batch in enumerate([*fleet.readings, *fleet.registers]):
        write: Any = store.write_readings if isinstance(batch, ReadingBatch) else store.write_registers
        await write(batch, token=f"t{number}")
    validation = Validation(
        registry=cast("Registry", fleet.places), store=store, book=cast("ValidationBook", book),
        fleet=store if whole else None,
    )  # fmt: skip
    written = []

    if since > 1:
        first, last = fleet.grid.day(1), fleet.grid.day(since - 1)
        points = [
            i.installation.service_point_id
            for i, trouble in zip(fleet.places.installations, fleet.troubles, strict=True)
            if trouble != "gap and no weeks"
        ]
        known_at = local_midnight(last + timedelta(days=1), ZONE) + timedelta(minutes=30)
        await validation.run(points, first, last, run_id=UUID(int=1), known_at=known_at)

    async def once(round_number: int) -> None:
        for index in range(since, fleet.grid.days - 1):
            day = fleet.grid.day(index)
            known_at = local_midnight(day + timedelta(days=1), ZONE) + timedelta(minutes=30, days=30 * round_number)
            run_id = UUID(int=1000 * round_number + index + 1)
            written.append((await validation.run(None, day, day, run_id=run_id, known_at=known_at)).versions)

    await once(0)
    for number, batch in enumerate(fleet.late):
        await store.write_readings(batch, token=f"late{number}")
    await once(1)
    await once(2)
    return store, book, written


def _said(store: FakeStore, book: Book) -> tuple[Any, Any, Any]:
    """Everything that was written but the order of it."""
    lists = ("values", "quality", "method", "band_low", "band_high")
    versions = {
        key: (row.known_at, row.start_utc, *(getattr(row, name).tolist() for name in lists))
        for key, row in store.versions.items()
    }
    digests = {
        key: (int(d.base[i]), int(d.digest[i]), int(d.state[i]), d.profile[i].tolist())
        for key, (d, i) in store.digests.items()
    }
    findings = sorted((str(f.service_point_id), f.channel, f.local_day, f.version, f.rule, str(f)) for f in book.open())
    return versions, digests, findings


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    first = draw(st.sampled_from([date(2026, 6, 1), date(2026, 3, 6), date(2026, 10, 30)]))
    grid = grid_of(ZONE, first, first + timedelta(days=4), 900)
    troubles = draw(st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=6))
    return Fleet(grid, ["none", *troubles], draw(st.integers(0, 2**32)))


# Shrinking would take minutes, and the troubles name themselves.
@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(fleets())
def test_both_roads_write_the_same(fleet: Fleet) -> None:
    _assert_same(fleet)


def test_both_roads_write_the_same_of_every_trouble_across_a_day_of_23_hours() -> None:
    _assert_same(Fleet(grid_of(ZONE, date(2026, 3, 6), date(2026, 3, 10), 900), TROUBLES, 3))


def test_both_roads_fill_the_gaps_of_homes_with_weeks_behind_them_alike() -> None:
    _assert_same(_of_weeks(OF_WEEKS, 3), since=WEEKS)


@settings(max_examples=2, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.sampled_from(OF_WEEKS), min_size=2, max_size=4), st.integers(0, 2**32))
def test_both_roads_fill_any_gaps_alike(troubles: list[str], seed: int) -> None:
    _assert_same(_of_weeks(["none", *troubles], seed), since=WEEKS)


def _of_weeks(troubles: Sequence[str], seed: int) -> Fleet:
    """Return homes with four weeks, a holiday and a day of 23 hours before the day of their trouble."""
    first = date(2026, 2, 24)
    grid = grid_of(ZONE, first, first + timedelta(days=WEEKS + 2), 900)
    fleet = Fleet(grid, troubles, seed, middle=WEEKS)
    fleet.places.days_off = frozenset({first + timedelta(days=15)})
    return fleet


def _assert_same(fleet: Fleet, *, since: int = 1) -> None:
    whole = asyncio.run(_validated(fleet, whole=True, since=since))
    careful = asyncio.run(_validated(fleet, whole=False, since=since))
    assert whole[2] == careful[2]
    # The last round found everything as it had been left.
    days = fleet.grid.days - 1 - since
    assert sum(whole[2][-days:]) == 0
    for ours, theirs in zip(_said(*whole[:2]), _said(*careful[:2]), strict=True):
        assert ours == theirs


def test_the_road_of_the_fleet_is_the_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(grid_of(ZONE, date(2026, 6, 1), date(2026, 6, 5), 900), ["none", "one lost", "sun", "gap"], 3)
    taken = []

    def counted(*args: Any, **more: Any) -> Settled:
        found = settled(*args, **more)
        taken.append(len(found.whole.days) + len(found.odd.days))
        return found

    monkeypatch.setattr(fleet_run, "settled", counted)
    _, _, written = asyncio.run(_validated(fleet, whole=True))
    # Four homes' use and voltage and one home's feed-in on three days; a gap's day goes the careful road.
    assert sum(written[:3]) == 3 * (4 + 4 + 1)
    assert sum(taken) == sum(written[:3]) - 1
    assert CHANNELS_VALIDATED == (Channel.DELIVERED, Channel.RECEIVED, Channel.VOLTAGE)
