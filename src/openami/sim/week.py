"""A week of simulated time: production planning, sessions, protocol and meters over a lossy radio in memory.

What the platform would keep on disk is :class:`Disk`; everything else of the head-end dies in its crash and is made
anew from the disk. Time jumps from event to event; a session is computed at once and its answer arrives when the air
would have brought it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import count
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.contracts.stream import PARTITIONS
from openami.headend.keeping.answer import Answer
from openami.headend.keeping.keeper import Keeper, KeepingPolicy
from openami.headend.keeping.kept import KeptState
from openami.headend.keeping.memory_page import restore_memory
from openami.headend.keeping.request import Request
from openami.headend.keeping.roster import Hung, Roster
from openami.headend.listening.intake import Intake, StreamMessage
from openami.headend.listening.progress import Progress
from openami.headend.listening.snapshot import restore_page
from openami.headend.listening.window import CounterWindows
from openami.headend.ports import DownlinkUnavailableError
from openami.headend.profiles import profile_of
from openami.headend.session.operations import Circumstance
from openami.headend.session.pulled import answers_pulls
from openami.headend.session.session import SessionFailedError, SessionPolicy, Sessions
from openami.protocol.push import PROFILE
from openami.security.keys.table import KeyColumns, KeyTable, title_number
from openami.sim.week_world import HEADEND_TITLE, QUARTER_S, FieldMeter, WeekDownlink, WeekSealing, WeekWorld

EVERY_PARTITION = frozenset(range(PARTITIONS))
TICK_S = 30
PLAN_S = 300
SNAPSHOT_S = 60
MAX_SESSIONS = 200
"""Sessions at once: what one head-end keeps in flight."""
ReadingKey = tuple[bytes, int, int]
T = TypeVar("T")


@dataclass(slots=True)
class Disk:
    """What survives the head-end: the frame stream, snapshots, requests, and what was published."""

    stream: list[StreamMessage] = field(default_factory=list)
    position: int = 0
    windows: list[bytes] = field(default_factory=list)
    memory: list[bytes] = field(default_factory=list)
    requests: dict[UUID, Request] = field(default_factory=dict)
    readings: dict[ReadingKey, dict[tuple[int, int], int]] = field(default_factory=dict)
    registers: dict[ReadingKey, set[int]] = field(default_factory=dict)
    register_came_s: dict[ReadingKey, float] = field(default_factory=dict)
    events: set[UUID] = field(default_factory=set)

    def publish(self, readings: ReadingBatch, registers: RegisterBatch, *, now_s: float) -> None:
        """Keep rows as the store does: an exact replay collapses, a conflict keeps both."""
        for meter, channel, start, value, source, message in zip(
            readings.meter_id.tolist(), readings.channel.tolist(), readings.start.tolist(), readings.value.tolist(),
            readings.source.tolist(), readings.message_id.tolist(), strict=True,
        ):  # fmt: skip
            self.readings.setdefault((bytes(meter), channel, start), {})[source, message] = value
        for meter, channel, at, value in zip(
            registers.meter_id.tolist(), registers.channel.tolist(), registers.at.tolist(), registers.value.tolist(),
            strict=True,
        ):  # fmt: skip
            self.registers.setdefault((bytes(meter), channel, at), set()).add(value)
            self.register_came_s.setdefault((bytes(meter), channel, at), now_s)


@dataclass(slots=True)
class Traffic:
    """What asking costs: requests, exchanges and octets by kind, and how they ended."""

    sessions: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    exchanges: Counter[str] = field(default_factory=Counter)
    octets: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    pushes: int = 0
    push_octets: int = 0


class HostedHeadend:
    """One life of the head-end: begins from the disk, ends with :meth:`Week.crash`."""

    def __init__(self, disk: Disk, world: WeekWorld, roster: Roster, sealing: WeekSealing, *, began_s: int) -> None:
        self.disk, self.world = disk, world
        self.table = KeyTable()
        self.table.merge(key_columns(world.meters))
        self.windows = CounterWindows(len(self.table))
        for page in disk.windows:
            restore_page(self.windows, self.table, page)
        self.intake = Intake(self.table, self.windows, zone="UTC")
        self.progress = Progress(EVERY_PARTITION, disk.position, disk.position)
        self.progress.base_octets = len(disk.windows[0]) if disk.windows else 0
        self.progress.delta_octets = sum(len(p) for p in disk.windows[1:])
        self.kept = KeptState.of(disk.memory)
        self.keeper = Keeper(
            restore_memory(disk.memory, began_s=began_s),
            self.table,
            lambda titles: np.ones(len(titles), np.bool_),
            ZoneInfo("UTC"),
            lambda name: answers_pulls(profile_of(name)),
            KeepingPolicy(),
        )
        self.keeper.enroll(roster, now_s=began_s)
        self.keeper.agenda.restore(disk.requests.values())
        self.downlink = WeekDownlink(world)
        self.sessions = Sessions(
            sealing=sealing,
            downlink=self.downlink,
            own_title=HEADEND_TITLE,
            secret=np.random.Generator(np.random.SFC64(11)).bytes,
            monotonic=lambda: self.downlink.at_s,
            policy=SessionPolicy(),
        )

    def hear(self, now_s: float) -> None:
        """Read the stream from where the disk and this life stand, and publish what it gives."""
        messages = self.disk.stream[self.progress.position :]
        if not messages:
            return
        now_ms = int(now_s * 1000)
        outcome = self.intake.judge(
            self.intake.open(messages, partitions=EVERY_PARTITION, now_ms=now_ms), now_ms=now_ms
        )
        self.disk.publish(outcome.readings, outcome.registers, now_s=now_s)
        self.disk.events.update(e.event_id for e in outcome.events)
        self.progress.add(outcome)
        self.keeper.hear(outcome, now_s=int(now_s), real_s=now_s)

    def snapshot(self, now_s: float) -> None:
        """Write windows, memory and position together, as one transaction does."""
        disk = self.disk
        if not self.progress.is_empty:
            snapshot = self.progress.snapshot(self.windows, self.table, now_ms=int(now_s * 1000))
            disk.windows = [snapshot.page] if snapshot.is_base else [*disk.windows, snapshot.page]
            disk.position = snapshot.position
            self.progress.written(snapshot)
        page = self.kept.page(self.keeper.memory)
        if page is not None:
            disk.memory = [page.page] if page.is_base else [*disk.memory, page.page]
            self.kept.written(page)
        self.save()

    def save(self) -> None:
        """Write the requests that changed."""
        for one in self.keeper.agenda.drain():
            self.disk.requests[one.request_id] = one


class Week:
    """Runs world and head-end side by side.

    Args:
        world: meters and air.
        start_s, end_s: which intervals are expected, seconds since the epoch.
        read_days: read days of each meter.
    """

    def __init__(
        self, world: WeekWorld, *, start_s: int, end_s: int, zone: str, read_days: Sequence[tuple[date, ...]]
    ) -> None:
        self.world, self.start_s, self.end_s = world, start_s, end_s
        self.disk, self.traffic = Disk(), Traffic()
        self.roster = Roster(
            [
                Hung(f.made.meter_id, f.made.identity.title, start_s, None, zone, f"cell {f.cell + 1:02d}", days)
                for f, days in zip(world.meters, read_days, strict=True)
            ]
        )
        self._sealing = WeekSealing(world)
        self._dice = np.random.Generator(np.random.SFC64([world.seed, 9]))
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = count()
        self._life = 0
        self.headend: HostedHeadend | None = self._born()
        self._waiting: list[SealedFrame] = []

    def run(self, until_s: int, *, crashes: Sequence[tuple[int, int]] = ()) -> None:
        """Let everything happen until an instant.

        Args:
            until_s: seconds since the epoch.
            crashes: (when the head-end is killed, when the next one begins).
        """
        for killed_s, back_s in crashes:
            self._at(killed_s, "kill", None)
            self._at(back_s, "start", None)
        self._at(self.start_s + QUARTER_S, "meters", None)
        self._at(self.start_s + TICK_S, "tick", None)
        while self._events and self._events[0][0] <= until_s:
            at_s, _, what, item = heapq.heappop(self._events)
            getattr(self, f"_do_{what}")(at_s, item)

    def _at(self, at_s: float, what: str, item: object) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), what, item))

    def _do_meters(self, at_s: float, item: None) -> None:
        del item
        self._hear_from(self.world.advance(at_s))
        self._at(at_s + QUARTER_S, "meters", None)

    def _hear_from(self, frames: Iterable[tuple[float, SealedFrame]]) -> None:
        for heard_s, frame in frames:
            self._at(heard_s, "frame", frame)

    def _do_frame(self, at_s: float, frame: SealedFrame) -> None:
        del at_s
        self.traffic.pushes += 1
        self.traffic.push_octets += len(frame.octets)
        self._waiting.append(frame)

    def _do_tick(self, at_s: float, item: None) -> None:
        del item
        if self._waiting:
            octets = encode_frame_batch(gateway_id=1, received_at_ms=int(at_s * 1000), frames=self._waiting)
            self.disk.stream.append(StreamMessage(len(self.disk.stream) + 1, octets))
            self._waiting = []
        headend = self.headend
        if headend is not None:
            headend.hear(at_s)
            if at_s % PLAN_S < TICK_S:
                headend.keeper.plan(now_s=int(at_s), real_s=at_s)
            self._ask(headend, at_s)
            headend.downlink.at_s = at_s
            for title in headend.sessions.resting():
                at_once(headend.sessions.release(title))
            if at_s % SNAPSHOT_S < TICK_S:
                headend.snapshot(at_s)
        self._at(at_s + TICK_S, "tick", None)

    def _ask(self, headend: HostedHeadend, at_s: float) -> None:
        agenda = headend.keeper.agenda
        for request in agenda.take(now_s=at_s, limit=MAX_SESSIONS - len(agenda.busy)):
            downlink = headend.downlink
            downlink.at_s = at_s
            before = downlink.exchanges, downlink.octets
            keeper = headend.keeper
            around = Circumstance(
                profile_of(PROFILE),
                keeper.zone,
                lambda: headend.downlink.at_s,
                keeper.policy.clock,
                partial(keeper.spent, request, real_s=at_s),
            )
            result: Answer | Exception
            try:
                result = at_once(headend.sessions.perform(request, around))
            except (SessionFailedError, DownlinkUnavailableError) as error:
                result = error
            self.traffic.exchanges[request.kind.value] += downlink.exchanges - before[0]
            self.traffic.octets[request.kind.value] += downlink.octets - before[1]
            self._hear_from(downlink.heard)
            downlink.heard = []
            self._at(headend.downlink.at_s, "end", (self._life, request, result))
        headend.save()

    def _do_end(self, at_s: float, item: tuple[int, Request, Answer | Exception]) -> None:
        life, request, result = item
        headend, kind = self.headend, request.kind.value
        self.traffic.sessions[kind] += 1
        if headend is None or life != self._life:
            return
        if isinstance(result, Answer):
            self.disk.publish(result.readings, result.registers, now_s=at_s)
            self.disk.events.update(e.event_id for e in result.events)
            self.traffic.rows[kind] += len(result.readings) + len(result.registers) + len(result.events)
            headend.keeper.answered(request, result, now_s=int(at_s), real_s=at_s)
        else:
            self.traffic.failed[kind] += 1
            headend.keeper.failed(request, str(result), real_s=at_s, dice=self._dice.random)
        headend.save()

    def _do_kill(self, at_s: float, item: None) -> None:
        del at_s, item
        self.headend = None
        self._life += 1

    def _do_start(self, at_s: float, item: None) -> None:
        del at_s, item
        self.headend = self._born()

    def _born(self) -> HostedHeadend:
        return HostedHeadend(self.disk, self.world, self.roster, self._sealing, began_s=self.start_s)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing, because its link and its keys answer at once."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    work.close()
    raise RuntimeError("a session waited for something outside of simulated time")


def key_columns(meters: Sequence[FieldMeter]) -> KeyColumns:
    """Return what the vault would give for these meters."""
    n = len(meters)
    return KeyColumns(
        title=np.array([title_number(f.made.identity.title.octets) for f in meters], np.uint64),
        meter_id=uuid_column([f.made.meter_id for f in meters]),
        generation=np.ones(n, np.uint32),
        state=np.zeros(n, np.uint8),
        profile=(PROFILE,) * n,
        zone=("",) * n,
        encryption_keys=b"".join(f.made.identity.encryption_key for f in meters),
        authentication_keys=b"".join(f.made.identity.authentication_key for f in meters),
        revision=1,
    )
