"""The imperative shell around a group's keeper: plans every minute, runs sessions, publishes answers, keeps requests.

Everything that must survive is written before it is acted on: a request is running in the table before its session
begins, and its answer is durable on the bus before it is called done. Killed in between, the next owner asks again,
and what comes twice collapses.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from openami.contracts.errors import ContractError
from openami.headend.keeping.agenda import CELL_NONE
from openami.headend.keeping.answer import Answer, Figure
from openami.headend.keeping.budget import CellBudget
from openami.headend.keeping.keeper import Keeper, KeepingPolicy
from openami.headend.keeping.kept import KeptState, level_rows, register_level_rows
from openami.headend.keeping.memory_page import restore_memory
from openami.headend.keeping.request import DONE_KEPT_S, Lane, Request
from openami.headend.listening.intake import Outcome
from openami.headend.ports import (
    AnswerOutbox,
    BusUnavailableError,
    DownlinkUnavailableError,
    SealingRefusedError,
    SealingUnavailableError,
    StateUnavailableError,
)
from openami.headend.profiles import UnknownProfileError
from openami.headend.session.operations import Circumstance
from openami.headend.session.rekey_group import GroupRekey, RekeyEngines
from openami.headend.session.rollout import GroupRollout, RolloutEngines, Way
from openami.headend.session.session import SessionFailedError, Sessions
from openami.headend.session.switch_ports import SwitchEngines, SwitchWay
from openami.headend.session.switch_work import GroupSwitching
from openami.headend.session.titles import GroupTitles, can_ask, title_column
from openami.headend.state_ports import ColumnSheets, KeptPage, Lease, RequestStore, RosterSource
from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, zone_named
from openami.security.keys.table import KeyTable

TICK_S = 0.5
"""How often, real time, it is looked whose turn it is: a person waits for this."""
PLAN_S = 60
"""Domain time between two plans, and not more often than once a second of real time."""
ROSTER_S = 15.0
FORGET_S = 3_600.0
IDLE_S = 30.0
"""How often it is looked which associations rest; they are kept ten times as long."""
MAX_RELEASES = 50
"""Releases of one group at once."""
LEAVE_S = 2.0
"""For all releases of a group that is given back: its lease must not run out over them."""
ENDED_KEPT_S = 45 * 86_400.0
MAX_SESSIONS = 50
"""Sessions of one group at once."""
PUBLISH_TRIES = 5
RETRY_S = 1.0
log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class AskingEngines:
    """What asking needs beside the head-end's engines.

    Args:
        requests: keeps requests.
        roster: who hangs where.
        sessions: speaks to meters.
        outbox: where answers go.
        dice: spreads next tries.
        policy: when what is asked.
        columns: keeps what meters say of their columns; None where that is not asked.
        firmware: campaigns; None for a head-end without them.
        rekey: changes of keys; None for a head-end without them.
        switching: switching orders; None for a head-end without them.
    """

    requests: RequestStore
    roster: RosterSource
    sessions: Sessions
    outbox: AnswerOutbox
    dice: Callable[[], float]
    policy: KeepingPolicy = field(default_factory=KeepingPolicy)
    columns: ColumnSheets | None = None
    firmware: RolloutEngines | None = None
    rekey: RekeyEngines | None = None
    switching: SwitchEngines | None = None


class GroupWork(Protocol):
    """What a group's owner does beside keeping its meters read."""

    async def turn(self) -> None:
        """Begin what is due; to be called often.

        Raises:
            StateUnavailableError: the tables do not answer.
            LostLeaseError: the group belongs to another owner now.
        """
        ...

    async def close(self) -> None:
        """Let go of what runs; the next owner takes it up."""
        ...


class GroupAsking:
    """Keeps the meters of one leased group read.

    Args:
        lease: the group in hand.
        partitions: its partitions.
        zone: the installation's.
        table: key pairs.
        engines: what it talks to.
        clock: domain time.
        real_now: the host's clock.
    """

    def __init__(
        self,
        lease: Lease,
        partitions: frozenset[int],
        *,
        zone: str,
        table: KeyTable,
        engines: AskingEngines,
        clock: Clock,
        real_now: Callable[[], datetime],
    ) -> None:
        self._lease, self._titles = lease, GroupTitles(table, partitions)
        self._zone = zone_named(zone)
        self._engines, self._clock, self._real_now = engines, clock, real_now
        self._kept = KeptState()
        self._keeper: Keeper | None = None
        self._figures: dict[UUID, tuple[Figure, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()
        self._due = {"plan": 0.0, "roster": 0.0, "forget": 0.0, "idle": 0.0, "plan_domain": 0.0}
        self._tells_levels = False
        self._rekey: GroupRekey | None = None
        self._works = self._begun(lease, partitions, table)

    @property
    def keeper(self) -> Keeper:
        """The pure part; there is one after :meth:`restore`."""
        if self._keeper is None:
            raise OpenAmiError("a group's memory is restored before it is used")
        return self._keeper

    async def restore(self, pages: list[bytes]) -> None:
        """Begin where the last owner stood.

        Args:
            pages: what is remembered of meters, the base first.

        Raises:
            StateUnavailableError: the tables do not answer.
        """
        engines = self._engines
        lost: list[ContractError] = []
        memory = restore_memory(pages, began_s=self._now_s(), damaged=lost.append)
        for problem in lost:
            # Frames must go on: what was told there is asked for anew, or known to nobody.
            log.warning("memory_unreadable", group=self._lease.group, error=str(problem))
        keeper = Keeper(memory, self._titles.table, self._titles.are_ours, self._zone, can_ask, engines.policy)
        self._kept = KeptState() if lost else KeptState.of(pages)
        keeper.enroll(await engines.roster.roster(), now_s=self._now_s())
        keeper.agenda.restore(await engines.requests.open(self._lease.group))
        rest_s = engines.policy.rest_s
        for one in await engines.requests.rested(self._lease.group, since_s=self._real_s() - rest_s):
            keeper.resting[one.meter_id] = (one.ended_at_s or 0.0) + rest_s
        self._keeper = keeper

    def hear(self, outcome: Outcome) -> None:
        """Take an outcome that was published."""
        self.keeper.hear(outcome, now_s=self._now_s(), real_s=self._real_s())
        if self._rekey is not None:
            self._rekey.hear(outcome.accepted)

    def page(self) -> KeptPage | None:
        """Return what must be written of what is remembered; see :class:`openami.headend.keeping.kept.KeptState`."""
        levels, registers = [], []
        if self._tells_levels:
            self._tells_levels = False
            now_s = self._now_s()
            levels = level_rows(self.keeper, until_s=now_s - self._engines.policy.grace_s)
            registers = register_level_rows(self.keeper, now_s=now_s)
        return self._kept.page(self.keeper.memory, levels=levels, registers=registers)

    def page_written(self, page: KeptPage) -> None:
        """Note that a page is kept."""
        self._kept.written(page)

    def page_failed(self) -> None:
        """Note that a page could not be kept; it comes again."""
        self._kept.failed(self.keeper.memory)

    async def run(self, stop: asyncio.Event) -> None:
        """Plan and ask until ``stop`` is set; then let go of what is running: the next owner takes it up.

        Raises:
            LostLeaseError: the group belongs to another owner now.
        """
        try:
            while not stop.is_set():
                try:
                    await self._turn()
                    for work in self._works:
                        await work.turn()
                except StateUnavailableError as error:
                    log.warning("asking_unavailable", group=self._lease.group, error=str(error))
                try:
                    await asyncio.wait_for(stop.wait(), TICK_S)
                except TimeoutError:
                    continue
        finally:
            for work in self._works:
                await work.close()
            tasks = [*self._tasks, *self._releases]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._leave()
        # What was answered just now is done; what still ran is asked again by the next owner.
        with suppress(StateUnavailableError):
            await self._save()

    def _begun(self, lease: Lease, partitions: frozenset[int], table: KeyTable) -> tuple[GroupWork, ...]:
        """Return what this group does beside reading, the most urgent first."""
        engines, works = self._engines, list[GroupWork]()
        way = Way(engines.sessions, self._titles.management_of, self._air_of, engines.dice, self._real_now)
        if engines.switching is not None:
            of_switches = SwitchWay(way.sessions, self._titles.profile_of, way.budget_of, way.dice, way.real_now)
            works.append(GroupSwitching(lease, partitions, engines.switching, of_switches))
        if engines.firmware is not None:
            works.append(GroupRollout(lease, partitions, engines.firmware, way))
        if engines.rekey is not None:
            self._rekey = GroupRekey(lease, partitions, table, engines.rekey, way)
            works.append(self._rekey)
        return tuple(works)

    async def _turn(self) -> None:
        real_s, now_s = self._real_s(), self._now_s()
        requests, keeper = self._engines.requests, self.keeper
        if self._is_due("roster", real_s, ROSTER_S):
            keeper.enroll(await self._engines.roster.roster(), now_s=now_s)
        if now_s >= self._due["plan_domain"] and self._is_due("plan", real_s, 1.0):
            self._due["plan_domain"] = now_s + PLAN_S
            keeper.plan(now_s=now_s, real_s=real_s)
            self._tells_levels = True
        if self._is_due("forget", real_s, FORGET_S):
            await requests.forget(self._lease.group, done_before_s=real_s - DONE_KEPT_S, before_s=real_s - ENDED_KEPT_S)
        if self._is_due("idle", real_s, IDLE_S):
            self._release_resting()
        for one in await requests.arrivals(self._lease.group):
            keeper.agenda.add(one)
        taken = keeper.agenda.take(now_s=real_s, limit=max(0, MAX_SESSIONS - len(self._tasks)))
        try:
            await self._save()
        except StateUnavailableError:
            # What runs is in the table before its session begins; nothing may run for ever without one.
            keeper.agenda.put_back(taken)
            raise
        for one in taken:
            task = asyncio.create_task(self._ask(one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _release_resting(self) -> None:
        """Tell meters that we are done with them, so that they need not wait it out."""
        sessions = self._engines.sessions
        for title in sessions.resting():
            if len(self._releases) >= MAX_RELEASES:
                return
            if self._may_release(title):
                task = asyncio.create_task(sessions.release(title))
                self._releases.add(task)
                task.add_done_callback(self._releases.discard)

    async def _leave(self) -> None:
        """Release what is open while the group is still ours; what is not reached in time is only forgotten.

        The next owner begins with new associations, which take the place of these. After a lost lease nothing is
        released: it might be the next owner's.
        """
        sessions = self._engines.sessions
        ours = [title for title in sessions.resting(idle_s=0.0) if self._titles.is_ours(title)]
        turns = asyncio.Semaphore(MAX_RELEASES)

        async def release(title: SystemTitle) -> None:
            async with turns:
                await sessions.release(title)

        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*(release(title) for title in ours))
        for title in ours:
            sessions.forget(title)

    def _is_due(self, what: str, real_s: float, every_s: float) -> bool:
        if real_s < self._due[what]:
            return False
        self._due[what] = real_s + every_s
        return True

    async def _ask(self, request: Request) -> None:
        """Run one session and take what it brings."""
        keeper = self.keeper
        try:
            answer = await self._engines.sessions.perform(request, self._around(request))
            await self._publish(request, answer)
            if answer.columns and self._engines.columns is not None:
                await self._engines.columns.keep(answer.columns)
            if request.lane is Lane.PERSON:
                self._figures[request.request_id] = answer.figures
            keeper.answered(request, answer, now_s=self._now_s(), real_s=self._real_s())
        except SessionFailedError as error:
            self._failed(request, str(error), is_final=error.is_final)
        except (SealingRefusedError, UnknownProfileError) as error:
            self._failed(request, str(error), is_final=True)
        except (
            SealingUnavailableError,
            DownlinkUnavailableError,
            BusUnavailableError,
            StateUnavailableError,
        ) as error:
            self._failed(request, str(error), is_ours=True)
        except Exception as error:  # noqa: BLE001 - the edge of a session
            # A fault of ours must not leave the request running and its meter busy for ever. What the exception says
            # may hold readings, so its kind and place alone are told.
            cause, place = type(error).__name__, _place_of(error)
            log.error("session_fault", kind=request.kind.value, cause=cause, at=place)  # noqa: TRY400 - as above
            self._figures.pop(request.request_id, None)
            self._failed(request, "a fault of ours, which is in the log", is_final=True)

    def _failed(self, request: Request, words: str, *, is_final: bool = False, is_ours: bool = False) -> None:
        self.keeper.failed(
            request, words, real_s=self._real_s(), dice=self._engines.dice, is_final=is_final, is_ours=is_ours
        )

    async def _publish(self, request: Request, answer: Answer) -> None:
        # A try that does not count has its number again, and may bring more than the stream took of the one before.
        name = f"{request.request_id}-{request.tries}-{self._real_s():.3f}"
        for left in reversed(range(PUBLISH_TRIES)):
            try:
                await self._engines.outbox.publish_answer(
                    answer, name=name, subject_partition=min(self._titles.partitions)
                )
            except BusUnavailableError:
                if not left:
                    raise
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _save(self) -> None:
        changed = self.keeper.agenda.drain()
        try:
            await self._engines.requests.save(self._lease, changed, self._figures)
        except StateUnavailableError:
            for one in changed:
                self.keeper.agenda.changed.setdefault(one.request_id, one)
            raise
        for one in changed:
            if not one.is_open:
                self._figures.pop(one.request_id, None)

    def _around(self, request: Request) -> Circumstance:
        profile = self._titles.profile_of(request.title)
        if profile is None:
            raise SealingRefusedError("there are no keys for this meter")
        hung = self.keeper.roster.of(request.title)
        zone = ZoneInfo(hung.zone) if hung is not None else self._zone
        clock = self._clock
        return Circumstance(
            profile,
            zone,
            lambda: clock.now().timestamp(),
            self._engines.policy.clock,
            lambda exchanges: self.keeper.spent(request, exchanges, real_s=self._real_s()),
        )

    def _air_of(self, title: SystemTitle) -> tuple[CellBudget, int]:
        coverage = self.keeper.memory.coverage
        number = int(coverage.find(title_column(title))[0])
        return self.keeper.agenda.budget, int(coverage.cell[number]) if number >= 0 else CELL_NONE

    def _may_release(self, title: SystemTitle) -> bool:
        """Tell whether a meter of ours may be told now that we are done; a silent cell is not asked for that."""
        if not self._titles.is_ours(title):
            return False
        budget, cell = self._air_of(title)
        return cell not in budget.silent and budget.spend(cell, Lane.BACKGROUND, now_s=self._real_s())

    def _now_s(self) -> int:
        return epoch_s(self._clock.now())

    def _real_s(self) -> float:
        return self._real_now().timestamp()


def _place_of(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
