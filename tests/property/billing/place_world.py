"""One service point in memory with its true energy: what a closing run asks of registry, store and bill book.

Everything that is true is drawn once; what is known of it grows with the clock. No engine runs and nothing is awaited,
so that months of runs take milliseconds.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import numpy as np

from openami.billing.bill.hold import RELEASABLE, HoldCode
from openami.billing.bill.record import Assignment, Bill, BillState
from openami.billing.cycle.close import CloseReport, close_due
from openami.billing.cycle.place import Billed
from openami.billing.cycle.ports import Release, ReleaseKey
from openami.billing.cycle.run import BillRun, BillSetting
from openami.billing.ports import BillBook
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff import RateSchedule
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import Period, local_date, local_midnight, zone_named
from openami.mdm.api import EndOfRead, FactKind, LocalDays, MeterData, ReadKind, ReadPiece, UsageMatrix
from openami.mdm.registry.facts import Fact
from openami.mdm.registry.records import ServicePoint

POINT, ZONE = UUID(int=1), zone_named("America/Chicago")
HOUR_S = 3600
MOST_DAYS = 240
WRONG_BY_WH = 9_000_000


@dataclass(frozen=True, slots=True)
class Truth:
    """What happens at the place.

    Args:
        first, end: local days of the world.
        bill_group: whose read days count.
        moves: days on which another account comes; the first has it from ``first``.
        rates: code by first day.
        approved: first day of an approved interconnection; None without.
        seed: of the energy.
        sends: whether the place sends energy out, too.
        estimated: days of which every interval is an estimate.
        unread: midnights of which no register is read.
        misread: midnights at which the register shows too much.
        late: days whose readings come so many days later.
        is_late_everywhere: whether the whole fleet's do, so that nobody says yet that those days are done.
    """

    first: date
    end: date
    bill_group: int
    moves: tuple[date, ...]
    rates: Mapping[date, str]
    approved: date | None
    seed: int
    sends: bool
    estimated: frozenset[date]
    unread: frozenset[date]
    misread: frozenset[date]
    late: Mapping[date, int]
    is_late_everywhere: bool

    @property
    def use_wh(self) -> Sequence[int]:
        """Energy of each hour, by day of the world."""
        return _drawn(self.seed, 4_000)

    @property
    def sent_wh(self) -> Sequence[int]:
        """The same of energy sent out."""
        return _drawn(self.seed + 1, 6_000 if self.sends else 0)

    def energy_wh(self, span: BillSpan, *, sent: bool = False) -> int:
        """Return the true energy of some days [Wh]."""
        hours = self.sent_wh if sent else self.use_wh
        days = (span.first + timedelta(days=n) for n in range(span.days))
        return sum(hours[(d - self.first).days] * _hours(d) for d in days)

    @property
    def accounts(self) -> list[tuple[UUID, date, date | None]]:
        """Who holds the place, by first day and first day no more."""
        begins = [self.first, *self.moves]
        ends = [*self.moves, None]
        return [(UUID(int=100 + n), a, b) for n, (a, b) in enumerate(zip(begins, ends, strict=True))]


@lru_cache(maxsize=64)
def _drawn(seed: int, most_wh: int) -> list[int]:
    drawn = np.random.default_rng(seed).integers(0, most_wh, MOST_DAYS, endpoint=True)
    return [int(wh) for wh in drawn]


@lru_cache(maxsize=1024)
def _hours(day: date) -> int:
    return BillSpan(day, day + timedelta(days=1)).expected_intervals(ZONE, HOUR_S)


@dataclass
class PlaceWorld:
    """The truth, the clock, and what was billed of it.

    Args:
        truth: what happens.
        known: rates by code.
    """

    truth: Truth
    known: Mapping[str, RateSchedule]
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    bills: dict[UUID, Bill] = field(default_factory=dict)
    released: dict[ReleaseKey, list[Release]] = field(default_factory=lambda: defaultdict(list))

    def run(self, now: datetime, *, retry_held: bool = True) -> CloseReport:
        """Close what is due."""
        self.now = now
        run = BillRun(cast("MeterData", _Meters(self)), cast("BillBook", _Book(self)), self.known, BillSetting())
        return asyncio.run(close_due(run, now, retry_held=retry_held))

    def release_all(self) -> None:
        """Let every held bill pass what a person may let it pass."""
        for bill in self.bills.values():
            if bill.hold is not None and bill.hold.code in RELEASABLE:
                key = bill.service_point_id, bill.span.first, bill.account_id
                self.released[key].append(Release(key[0], key[1], bill.hold.code, "seen", "staff", self.now, key[2]))

    def of(self, account: UUID, state: BillState = BillState.ISSUED) -> list[Bill]:
        """Return the bills of an account, by first day."""
        found = [b for b in self.bills.values() if b.account_id == account and b.state is state]
        return sorted(found, key=lambda b: b.span)

    @property
    def today(self) -> date:
        """The local day."""
        return local_date(self.now, ZONE)

    def is_known(self, day: date) -> bool:
        """Tell whether the readings of a day are there."""
        return day + timedelta(days=1 + self.truth.late.get(day, 0)) <= self.today


class _Facts:
    def __init__(self, world: PlaceWorld) -> None:
        self._world = world

    async def news(self, *, limit: int | None) -> list[Any]:
        return []

    async def kinds(self) -> set[FactKind]:
        return set()

    async def of(
        self, points: object, period: Period | None = None, *, kinds: Collection[FactKind], as_known_at: object = None
    ) -> list[Fact]:  # fmt: skip
        del points, period, as_known_at
        truth, at = self._world.truth, datetime(2000, 1, 1, tzinfo=UTC)
        found = []
        if FactKind.ACCOUNT in kinds:
            for account, first, end in truth.accounts:
                ends = None if end is None else local_midnight(end, ZONE)
                found.append(Fact(POINT, FactKind.ACCOUNT, str(account), local_midnight(first, ZONE), ends, at))
        if FactKind.INTERCONNECTION in kinds and truth.approved is not None:
            begins = local_midnight(truth.approved, ZONE)
            found.append(Fact(POINT, FactKind.INTERCONNECTION, "7600", begins, None, at))
        return found


class _Registry:
    def __init__(self, world: PlaceWorld) -> None:
        self.facts = _Facts(world)
        self._group = world.truth.bill_group

    async def service_points(self, asked: object) -> list[ServicePoint]:
        del asked
        return [ServicePoint(POINT, ZONE.key, datetime(2000, 1, 1, tzinfo=UTC), bill_group=self._group)]


class _Meters:
    """Days and reads as they are known by the clock."""

    def __init__(self, world: PlaceWorld) -> None:
        self._world = world
        self.registry = _Registry(world)
        self.book = self

    async def days_done(self, zone: str, first: date, last: date) -> set[date]:
        del zone
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        world = self._world
        return {d for d in days if d < world.today and (world.is_known(d) or not world.truth.is_late_everywhere)}

    async def matrices(
        self, scope: object, asked: Mapping[UUID, LocalDays], channel: Channel, *, as_known_at: object = None
    ) -> dict[LocalDays, list[UsageMatrix]]:
        del scope, as_known_at
        is_sent = channel is Channel.RECEIVED
        if is_sent and not any(self._world.truth.sent_wh):
            return {}
        return {days: [self._matrix(days, is_sent=is_sent)] for days in asked.values()}

    def _matrix(self, asked: LocalDays, *, is_sent: bool) -> UsageMatrix:
        world, truth = self._world, self._world.truth
        days = [asked.first + timedelta(days=n) for n in range((asked.last - asked.first).days + 1)]
        counts = [_hours(d) for d in days]
        at = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        begin = int(local_midnight(days[0], ZONE).timestamp())
        start: I64 = begin + HOUR_S * np.arange(at[-1], dtype=np.int64)
        hours = truth.sent_wh if is_sent else truth.use_wh
        known = [world.is_known(d) for d in days]
        values = [hours[(d - truth.first).days] if k else 0 for d, k in zip(days, known, strict=True)]
        states = [
            QualityState.MISSING if not k else QualityState.ESTIMATED if d in truth.estimated else QualityState.ACTUAL
            for d, k in zip(days, known, strict=True)
        ]
        return UsageMatrix(
            (POINT,), ZONE, HOUR_S, start, at, np.repeat(values, counts).astype(np.int64)[None],
            np.repeat(states, counts).astype(np.uint8)[None], np.array([known], np.uint64),
        )  # fmt: skip

    async def reads_at_ends(
        self, scope: object, periods: Mapping[UUID, Period], channels: Sequence[Channel], *, as_known_at: object = None
    ) -> dict[UUID, list[ReadPiece]]:  # fmt: skip
        del scope, as_known_at
        sends = any(self._world.truth.sent_wh)
        return {
            point: [
                ReadPiece(point, "S-1", c, self._end(period.start, c), self._end(period.end, c), 1, None)
                for c in channels
                if c is Channel.DELIVERED or sends
            ]
            for point, period in periods.items()
        }

    def _end(self, at: datetime, channel: Channel) -> EndOfRead:
        """Return the midnight's read, else the nearest in the window that is known, else none."""
        truth, wanted = self._world.truth, local_date(at, ZONE)
        for off, kind in (
            (0, ReadKind.SCHEDULED),
            (-1, ReadKind.NEAREST),
            (1, ReadKind.NEAREST),
            (-2, ReadKind.NEAREST),
        ):
            day = wanted + timedelta(days=off)
            if (
                day in truth.unread
                or not truth.first <= day <= truth.first + timedelta(days=MOST_DAYS)
                or day > self._world.today
            ):
                continue
            shown = WRONG_BY_WH if day in truth.misread and channel is Channel.DELIVERED else 0
            if day > truth.first:
                shown += truth.energy_wh(BillSpan(truth.first, day), sent=channel is Channel.RECEIVED)
            return EndOfRead(local_midnight(day, ZONE), shown, kind)
        return EndOfRead(at, None, ReadKind.MISSING)


class _Book:
    """The bill book, and its own cycle book and book of rests: every place is always looked at."""

    def __init__(self, world: PlaceWorld) -> None:
        self._world = world
        self.cycle = self.rests = self.signals = self

    async def take_note(self) -> None: ...

    async def wake(self, points: object) -> None: ...

    async def touch(self, points: object) -> None: ...

    async def resting(self) -> list[Any]:
        return []

    async def rest(self, rows: object) -> None: ...

    async def stirring(
        self, stirs: object, also: object, *, after: UUID | None, limit: int, with_waiting: bool
    ) -> list[UUID]:
        del stirs, also, limit, with_waiting
        return [POINT] if after is None else []

    async def assignments(self, points: object) -> list[Assignment]:
        del points
        rates = self._world.truth.rates
        # Entries of one rate that follow each other are one.
        days = [d for d in sorted(rates) if rates[d] != rates.get(max((e for e in rates if e < d), default=date.max))]
        return [
            Assignment(POINT, self._world.truth.rates[a], a, b) for a, b in zip(days, [*days[1:], None], strict=True)
        ]

    async def billed(self, points: object) -> dict[UUID, list[Billed]]:
        del points
        found = []
        for account, _, _ in self._world.truth.accounts:
            held, out = self._world.of(account, BillState.HELD), self._world.of(account)
            if both := [*held, *out]:
                found.append(
                    Billed(
                        account, max(b.span.end for b in both), tuple(b.span.first for b in held),
                        min(b.span.first for b in both), tuple(b.span.end for b in held),
                    )
                )  # fmt: skip
        return {POINT: found}

    async def issued_spans(self, points: object) -> dict[UUID, dict[UUID | None, list[BillSpan]]]:
        del points
        return {POINT: {a: [b.span for b in self._world.of(a)] for a, _, _ in self._world.truth.accounts}}

    async def withdraw(self, held: Mapping[UUID, Sequence[date]]) -> int:
        gone = [
            i
            for i, b in self._world.bills.items()
            if b.state is BillState.HELD and b.service_point_id in held and b.span.first not in held[POINT]
        ]
        for i in gone:
            del self._world.bills[i]
        return len(gone)

    async def place_holds(self, points: object) -> dict[UUID, Any]:
        del points
        return {}

    async def releases(self, points: object) -> dict[ReleaseKey, list[Release]]:
        del points
        return dict(self._world.released)

    async def reversed_at(self, points: object) -> dict[Any, int]:
        del points
        return {}

    async def around(self, spans: Mapping[UUID, BillSpan]) -> tuple[dict[UUID, Bill], dict[UUID, Bill]]:
        out = [b for b in self._world.bills.values() if b.state is BillState.ISSUED]
        span = spans[POINT]
        return (
            {b.service_point_id: b for b in out if b.span.end == span.first},
            {b.service_point_id: b for b in out if b.span.first == span.end},
        )

    async def keep(self, bills: Sequence[Bill]) -> int:
        for bill in bills:
            there = self._world.bills.get(bill.bill_id)
            if there is not None and there.state is BillState.ISSUED:
                continue
            if there is not None and there.hold is not None and bill.hold is not None:
                bill = replace(bill, hold=replace(bill.hold, since=there.hold.since))  # noqa: PLW2901 - as the store does
            self._world.bills[bill.bill_id] = bill
        return len(bills)


__all__ = ["HOUR_S", "POINT", "ZONE", "HoldCode", "PlaceWorld", "Truth"]
