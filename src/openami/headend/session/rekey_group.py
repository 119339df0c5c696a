"""One lease group's changes of keys: who is due and why, at which pace, and what came of it.

Who is due is read off the key table and off what meters sent: factory keys at the first word of a meter, keys whose
counter is half used up, keys that leaked, keys that are old, and meters that people named in an order. Nothing begins
without an order of two people; that is the command process's to judge, and here it only saves asking in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt
import structlog

from openami.contracts.command import Refusal
from openami.contracts.reading import uuids_of
from openami.headend.command.key_orders import NAMED_METERS, KeyOrders
from openami.headend.command.ports import CommandUnavailableError
from openami.headend.keeping.budget import CellBudget
from openami.headend.keeping.rekey import Cause, Pace, Rekey, RekeyPolicy, RekeyReport, RekeyStep, Tried, sent, stepped
from openami.headend.keeping.request import Lane
from openami.headend.listening.intake import Accepted
from openami.headend.ports import (
    DownlinkUnavailableError,
    KeyProcess,
    LostLeaseError,
    SealingRefusedError,
    SealingUnavailableError,
    StateUnavailableError,
)
from openami.headend.session.rekey import KeyWay, change_keys
from openami.headend.session.rekey_ports import KeyAges, RekeyStore
from openami.headend.session.rollout import Way
from openami.headend.session.titles import in_use
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle
from openami.security.access.order import Order, OrderBook, OrderKind, OrdersUnavailableError, digest_of_items
from openami.security.access.order import good_approvals as good_approvals_of
from openami.security.keys.context import KeyState
from openami.security.keys.level import FACTORY_GENERATION
from openami.security.keys.ports import VaultUnavailableError
from openami.security.keys.table import STATES, KeyTable, title_number

LOOK_S = 2.0
"""Real time between two looks at the tables."""
SLOW_LOOK_S = 5.0
"""Real time between two looks for keys that leaked, and at orders of people."""
AGES_S = 3_600.0
"""Real time between two looks for old keys."""
REFUSED_PAUSE_S = 60.0
"""A group whose changes the command process refuses rests this long."""
OURS_PAUSE_S = 15.0
"""A meter that could not be spoken to for reasons of our own is left alone this long."""
EXCHANGES = 9
"""Of one change: two to associate and one to send, and twice two and one to prove, of which one set is the usual."""
COUNTER_LIMIT = 2**31
"""Keys are changed when half of a counter's values are used; at the end of them a meter falls silent (R4.3)."""
MAX_AGE = timedelta(days=365)
_ACTIVE, _NEW = STATES.index(KeyState.ACTIVE), STATES.index(KeyState.NEW)
Rows = npt.NDArray[np.int64]
log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class RekeyEngines:
    """What changing keys needs beside what asking has.

    Args:
        store: jobs.
        keys: the command process.
        refresh: loads new keys into this process.
        orders: orders of people.
        ages: when keys came into use; None where age is no reason.
        now: domain time.
        policy: how fast and how patient.
    """

    store: RekeyStore
    keys: KeyProcess
    refresh: Callable[[], Awaitable[None]]
    orders: OrderBook
    now: Callable[[], datetime]
    ages: KeyAges | None = None
    policy: RekeyPolicy = field(default_factory=RekeyPolicy)


@dataclass(slots=True, eq=False)
class GroupRekey:
    """Changes keys of a group's meters.

    Args:
        lease: the group in hand.
        partitions: its partitions.
        table: key pairs.
        engines: tables and the command process.
        way: to the meters.
    """

    lease: Lease
    partitions: frozenset[int]
    table: KeyTable
    engines: RekeyEngines
    way: Way
    words: str = ""
    _pace: Pace = field(init=False)
    _orders: KeyOrders = field(init=False)
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _heard: list[Accepted] = field(default_factory=list)
    _planned: dict[int, Cause] = field(default_factory=dict)
    _taken_up: set[UUID] = field(default_factory=set)
    _due_s: dict[str, float] = field(default_factory=dict)
    _rests_until_s: dict[UUID, float] = field(default_factory=dict)
    _refused_until_s: float = 0.0
    _uncertain: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._orders = KeyOrders(self.engines.orders, self.way.real_now)
        self._pace = Pace(self.engines.policy)

    def hear(self, accepted: Accepted) -> None:
        """Take what was accepted of meters; it is looked at in the next turn."""
        if len(accepted):
            self._heard.append(accepted)

    async def turn(self) -> None:
        """Find out who is due and begin with those whose turn it is; to be called often.

        Raises:
            StateUnavailableError: the tables do not answer.
            LostLeaseError: the group belongs to another owner.
        """
        now_s = self._now_s()
        if not self._is_due("look", LOOK_S):
            return
        self._rests_until_s = {m: until for m, until in self._rests_until_s.items() if until > now_s}
        await self._plan(now_s)
        if now_s >= self._refused_until_s:
            try:
                scope = await self._orders.scope()
            except CommandUnavailableError as error:
                raise StateUnavailableError(str(error)) from error
            await self._begin(scope, now_s)

    async def close(self) -> None:
        """Let go of what runs; the next owner finds out from the meters."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # Who is due.

    async def _plan(self, now_s: float) -> None:
        fresh, spoken = self._of_what_was_heard(now_s)
        slow = self._is_due("slow", SLOW_LOOK_S)
        if slow:
            fresh += self._that_leaked(now_s)
        if self._is_due("ages", AGES_S) and self.engines.ages is not None:
            fresh += await self._that_are_old(self.engines.ages, now_s)
        if fresh:
            await self.engines.store.add(self.lease, fresh)
        if slow:
            await self._plan_orders(now_s)
        if spoken:
            await self.engines.store.wake(self.lease, spoken, now_s=now_s)
            self._uncertain -= spoken

    def _of_what_was_heard(self, now_s: float) -> tuple[list[Rekey], set[UUID]]:
        """Return jobs for keys that were used and should change, and meters whose next word was waited for."""
        heard, self._heard = self._heard, []
        if not heard:
            return [], set()
        rows = np.concatenate([one.rows for one in heard])
        counters = np.concatenate([one.counters for one in heard])
        table, used = self.table, np.unique(rows)
        active = table.state[used] == _ACTIVE
        factory = used[active & (table.generation[used] == FACTORY_GENERATION)]
        ending = np.unique(rows[counters >= COUNTER_LIMIT])
        ending = ending[table.state[ending] == _ACTIVE]
        proving = used[table.state[used] == _NEW]
        fresh = self._jobs(ending, Cause.COUNTER, now_s) + self._jobs(factory, Cause.FACTORY, now_s)
        # Whatever became of its job: a meter that speaks under keys that wait for their proof has them.
        fresh += self._jobs(proving, Cause.ORDERED, now_s, RekeyStep.UNCERTAIN)
        # A word under keys that were not proved yet is as good as one that was waited for.
        waited = set(uuids_of(table.meter_id[proving])) | (
            self._uncertain & set(uuids_of(table.meter_id[used])) if self._uncertain else set()
        )
        return fresh, waited - self._tasks.keys()

    def _that_leaked(self, now_s: float) -> list[Rekey]:
        table = self.table
        leaked = table.compromised & (table.state == _ACTIVE) & np.isin(table.partition, list(self.partitions))
        return self._jobs(np.flatnonzero(leaked), Cause.COMPROMISED, now_s)

    async def _that_are_old(self, ages: KeyAges, now_s: float) -> list[Rekey]:
        old = set(await ages.older_than(self.engines.now() - MAX_AGE))
        if not old:
            return []
        table = self.table
        rows = np.flatnonzero((table.state == _ACTIVE) & np.isin(table.partition, list(self.partitions)))
        is_old = np.array([meter in old for meter in uuids_of(table.meter_id[rows])], np.bool_)
        return self._jobs(rows[is_old], Cause.AGE, now_s)

    def _jobs(self, rows: Rows, cause: Cause, now_s: float, step: RekeyStep = RekeyStep.DUE) -> list[Rekey]:
        """Return jobs for rows that were not planned for this cause since this owner began."""
        new = [row for row in rows.tolist() if self._planned.get(row) is not cause]
        self._planned.update(dict.fromkeys(new, cause))
        titles, meters = self.table.title[new].tolist(), uuids_of(self.table.meter_id[new])
        # Of keys that wait for their proof it is known which; of those that are due nothing is made yet.
        generations = (self.table.generation[new] * (self.table.state[new] == _NEW)).tolist()
        return [
            Rekey(meter, SystemTitle(title.to_bytes(8)), cause, step, now_s, generation, not_before_s=now_s)
            for title, meter, generation in zip(titles, meters, generations, strict=True)
        ]

    async def _plan_orders(self, now_s: float) -> None:
        """Take up the meters that people named, once for each order."""
        now = self.way.real_now()
        try:
            standing = await self.engines.orders.standing(OrderKind.KEYS, now=now)
            for order in standing:
                order_id = order.subject.order_id
                if order_id not in self._taken_up and good_approvals_of(order, now=now):
                    await self.engines.store.add(self.lease, await self._named_by(order, now_s))
                    self._taken_up.add(order_id)
        except OrdersUnavailableError as error:
            raise StateUnavailableError(str(error)) from error
        self._taken_up &= {order.subject.order_id for order in standing}

    async def _named_by(self, order: Order, now_s: float) -> list[Rekey]:
        if order.subject.action != NAMED_METERS:
            return []
        items = await self.engines.orders.items(order.subject.order_id)
        if digest_of_items(items) != order.subject.items_digest:
            return []
        table = self.table
        titles = np.array([title_number(item) for item in items], np.uint64)
        rows = np.flatnonzero(
            np.isin(table.title, titles) & (table.state == _ACTIVE) & np.isin(table.partition, list(self.partitions))
        )
        named = zip(table.title[rows].tolist(), uuids_of(table.meter_id[rows]), strict=True)
        return [
            Rekey(
                meter, SystemTitle(title.to_bytes(8)), Cause.ORDERED, RekeyStep.DUE, now_s,
                not_before_s=now_s, order_id=order.subject.order_id,
            )
            for title, meter in named
        ]  # fmt: skip

    # Whose turn it is.

    async def _begin(self, scope: frozenset[bytes] | None, now_s: float) -> None:
        room = self.engines.policy.at_once - len(self._tasks)
        if room <= 0:
            return
        # Those that are busy or rest stand in the way of as many others, which then come a look later.
        limit = room + len(self._tasks) + len(self._rests_until_s)
        for job in await self.engines.store.due(self.partitions, now_s=now_s, limit=limit, titles=scope):
            if len(self._tasks) >= self.engines.policy.at_once:
                return
            if job.meter_id in self._tasks or job.meter_id in self._rests_until_s:
                continue
            budget, cell = self.way.budget_of(job.title)
            if not self._has_air(budget, cell, now_s):
                continue
            if not self._pace.take(1, now_s=now_s):
                return
            may_send = scope is None or job.title.octets in scope
            self._tasks[job.meter_id] = asyncio.create_task(self._work(job, may_send=may_send))

    def _has_air(self, budget: CellBudget, cell: int, now_s: float) -> bool:
        return budget.spend_some(cell, Lane.BACKGROUND, least=EXCHANGES, most=EXCHANGES, now_s=now_s) > 0

    async def _work(self, job: Rekey, *, may_send: bool) -> None:
        """Try once and keep what came of it."""
        try:
            tried = await self._tried(job, may_send=may_send)
            if tried is None:
                self._rests_until_s[job.meter_id] = self._now_s() + OURS_PAUSE_S
                return
            after = stepped(self.engines.policy, job, tried, now_s=self._now_s(), dice=self.way.dice)
            await self.engines.store.keep(self.lease, after)
            if after.is_open:
                self._uncertain.add(job.meter_id)
            log.info("keys_tried", group=self.lease.group, cause=job.cause.value, report=tried.report.value)
        except (StateUnavailableError, LostLeaseError) as error:
            # What the meter has is in the meter, and the vault knows both; it is asked again.
            self._rests_until_s[job.meter_id] = self._now_s() + OURS_PAUSE_S
            log.warning("keys_step_not_kept", group=self.lease.group, error=str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a session
            self._rests_until_s[job.meter_id] = self._now_s() + OURS_PAUSE_S
            log.error("keys_fault", cause=type(error).__name__)  # noqa: TRY400 - its text may hold octets
        finally:
            self._tasks.pop(job.meter_id, None)

    async def _tried(self, job: Rekey, *, may_send: bool) -> Tried | None:
        """Return what a try gave; None where the fault is ours and says nothing of the meter."""
        port = self.way.port_of(job.title)
        if port is None:
            return None
        engines, gone = self.engines, 0

        async def note_sent(generation: int) -> None:
            nonlocal gone
            gone = generation
            await engines.store.keep(self.lease, sent(job, generation, now_s=self._now_s()))

        way = KeyWay(self.way.sessions, engines.keys, engines.refresh)
        try:
            if job.step is RekeyStep.UNCERTAIN:
                await engines.refresh()
                if in_use(self.table, job.title) >= job.generation > 0:
                    return Tried(RekeyReport.CHANGED, "its new keys are in use", job.generation)
            return await change_keys(way, job.title, port=port, note_sent=note_sent, may_send=may_send)
        except SealingRefusedError as error:
            if error.refusal is Refusal.NEEDS_APPROVAL:
                self._refused_until_s = self._now_s() + REFUSED_PAUSE_S
            self.words = f"waits: {error}"
            log.warning("keys_refused", group=self.lease.group, error=str(error))
        except DownlinkUnavailableError as error:
            # Mostly that no collector hears this meter: it must not take others' turns every few seconds.
            return Tried(RekeyReport.UNCERTAIN if gone else RekeyReport.NO_ANSWER, str(error), gone)
        except (SealingUnavailableError, VaultUnavailableError) as error:
            log.warning("keys_unavailable", group=self.lease.group, error=str(error))
        return None

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = self._now_s()
        if now_s < self._due_s.get(what, 0.0):
            return False
        self._due_s[what] = now_s + every_s
        return True

    def _now_s(self) -> float:
        return self.way.real_now().timestamp()
