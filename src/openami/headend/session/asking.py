"""The imperative shell around a group's keeper: plans every minute, runs sessions, publishes answers, keeps requests.

Everything that must survive is written before it is acted on: a request is running in the table before its session
begins, and its answer is durable on the bus before it is called done. Killed in between, the next owner asks again,
and what comes twice collapses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from openami.contracts.errors import ContractError
from openami.headend.keeping.agenda import CELL_NONE
from openami.headend.keeping.budget import CellBudget
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.kept import KeptState, level_rows, register_level_rows
from openami.headend.keeping.memory_page import restore_memory
from openami.headend.keeping.request import DONE_KEPT_S, Lane
from openami.headend.listening.intake import Outcome
from openami.headend.ports import (
    StateUnavailableError,
)
from openami.headend.session.associations import RestingAssociations
from openami.headend.session.group_work import AskingEngines, GroupWork
from openami.headend.session.rekey_group import GroupRekey
from openami.headend.session.request_runs import RequestRuns
from openami.headend.session.rollout import GroupRollout, Way
from openami.headend.session.switch_ports import SwitchWay
from openami.headend.session.switch_work import GroupSwitching
from openami.headend.session.titles import GroupTitles, can_ask, title_column
from openami.headend.state_ports import KeptPage, Lease
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
ENDED_KEPT_S = 45 * 86_400.0
log = structlog.get_logger("openami.headend")


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
        self._runs = RequestRuns(
            lease,
            self._titles,
            self._zone,
            keeper=lambda: self.keeper,
            engines=engines,
            clock=clock,
            real_s=self._real_s,
        )
        self._resting = RestingAssociations(engines.sessions, self._titles, self._may_spend)
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
            await self._runs.close()
            await self._resting.close()
        await self._resting.leave()
        # What was answered just now is done; what still ran is asked again by the next owner.
        with suppress(StateUnavailableError):
            await self._runs.save()

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
            self._resting.release()
        for one in await requests.arrivals(self._lease.group):
            keeper.agenda.add(one)
        await self._runs.begin(now_s=real_s)

    def _is_due(self, what: str, real_s: float, every_s: float) -> bool:
        if real_s < self._due[what]:
            return False
        self._due[what] = real_s + every_s
        return True

    def _air_of(self, title: SystemTitle) -> tuple[CellBudget, int]:
        coverage = self.keeper.memory.coverage
        number = int(coverage.find(title_column(title))[0])
        return self.keeper.agenda.budget, int(coverage.cell[number]) if number >= 0 else CELL_NONE

    def _may_spend(self, title: SystemTitle) -> bool:
        """Tell whether a meter's cell bears a question more; a silent cell is not asked for that."""
        budget, cell = self._air_of(title)
        return cell not in budget.silent and budget.spend(cell, Lane.BACKGROUND, now_s=self._real_s())

    def _now_s(self) -> int:
        return epoch_s(self._clock.now())

    def _real_s(self) -> float:
        return self._real_now().timestamp()
