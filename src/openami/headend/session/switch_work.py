"""One lease group's share of the switching orders: whose turn it is, a session with each, and what came of it.

Orders and approvals are read where people wrote them; the command process asks for them again at each APDU, and knows
what came between (paid, held, the weather), which is not known here. It is asked before any air is used: by having the
step sealed, and throwing away what comes.

Everything is in the tables before and after each session. A killed owner leaves a meter *running*; the next one asks
the meter itself how it stands before anything goes out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from openami.contracts.stream import partition_of
from openami.headend.keeping.request import Lane
from openami.headend.ports import LostLeaseError, StateUnavailableError
from openami.headend.session.switch_ports import SwitchEngines, SwitchWay
from openami.headend.session.switch_session import run_session
from openami.headend.state_ports import Lease
from openami.headend.switching.life import (
    ItemCode,
    ItemState,
    SwitchTurn,
    ended,
    spread_s,
    spread_turns,
    stepped,
)
from openami.headend.switching.order import (
    SwitchAction,
    SwitchItem,
    SwitchOrderError,
    SwitchReason,
    SwitchSubject,
    decode_item,
    subject_of,
)
from openami.kernel.ids import SystemTitle
from openami.security.access.order import (
    Order,
    OrderKind,
    OrderRefusedError,
    OrdersUnavailableError,
    digest_of_items,
    good_approvals,
)

LOOK_S = 1.0
"""Real time between two looks at the tables: somebody may sit in the dark."""
SETTLE_S = 2.0
"""From an approval to the first command: the command process reads orders once a second."""
AT_ONCE = 20
"""Sessions of one group at once that switch."""
EXCHANGES = 9
"""Of a session that switches: two to associate, four reads, the command, and some to spare."""
OURS_PAUSE_S = 15.0
_URGENT = frozenset({SwitchReason.SAFETY})
log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class _Standing:
    """An order that may be carried out."""

    order: Order
    subject: SwitchSubject
    since_s: float


@dataclass(slots=True, eq=False)
class GroupSwitching:
    """Works a group's meters of switching orders.

    Args:
        lease: the group in hand.
        partitions: its partitions.
        engines: tables and the command process.
        way: to the meters.
    """

    lease: Lease
    partitions: frozenset[int]
    engines: SwitchEngines
    way: SwitchWay
    _tasks: dict[tuple[UUID, SystemTitle], asyncio.Task[None]] = field(default_factory=dict)
    _looked_at_s: float = float("-inf")
    _known: set[UUID] = field(default_factory=set)
    _rests_until_s: dict[tuple[UUID, SystemTitle], float] = field(default_factory=dict)

    async def turn(self) -> None:
        """Take up new orders and begin sessions with the meters whose turn it is; to be called often.

        Raises:
            StateUnavailableError: the tables do not answer.
            LostLeaseError: the group belongs to another owner now.
        """
        now_s = self._now_s()
        if now_s - self._looked_at_s < LOOK_S:
            return
        self._looked_at_s = now_s
        self._rests_until_s = {key: until for key, until in self._rests_until_s.items() if until > now_s}
        try:
            standing = await self._standing()
            await self._adopt(standing)
            await self._end_strays(standing, now_s)
        except OrdersUnavailableError as error:
            raise StateUnavailableError(str(error)) from error
        await self._begin(standing, now_s)

    async def close(self) -> None:
        """Let go of what runs; the next owner takes it up."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _standing(self) -> dict[UUID, _Standing]:
        """Return the orders that may be carried out now."""
        now, found = self.way.real_now(), {}
        for order in await self.engines.book.standing(OrderKind.SWITCH, now=now):
            try:
                subject = subject_of(order.subject.action, order.subject.reason)
            except SwitchOrderError as error:
                log.warning("switch_order_unreadable", order=str(order.subject.order_id), error=str(error))
                continue
            by_list = subject.people == 1 and bool(order.document)
            if by_list or good_approvals(order, now=now, people=subject.people):
                latest = max([order.made_at, order.subject.window.start, *(a.made_at for a in order.approvals)])
                found[order.subject.order_id] = _Standing(order, subject, latest.timestamp())
        return found

    async def _adopt(self, standing: dict[UUID, _Standing]) -> None:
        """Write down the meters of new orders, each with its turn."""
        new = set(standing) - self._known
        new -= await self.engines.store.adopted(new, self.partitions) if new else set()
        for order_id in new:
            turns = await self._turns(standing[order_id])
            if turns:
                await self.engines.store.adopt(self.lease, turns)
        self._known = set(standing)

    async def _turns(self, one: _Standing) -> list[SwitchTurn]:
        order_id, now_s = one.order.subject.order_id, self._now_s()
        octets = await self.engines.book.items(order_id)
        items = [item for item in _items(octets) if partition_of(item.title) in self.partitions]
        turns = [SwitchTurn(order_id, i.title, i.service_point_id, asked_at_s=one.since_s) for i in items]
        if digest_of_items(octets) != one.order.subject.items_digest:
            # The command process would refuse each of them; here it is said at once, and of all.
            refused = [ended(turn, ItemCode.LIST_CHANGED, now_s=now_s) for turn in turns]
            for turn in refused:
                await self.engines.log.ended(turn, one.subject)
            return refused
        start_s = max(now_s, one.since_s + SETTLE_S)
        # By the size of the whole order, not of this group's share: every group spreads over the same time.
        left_s = one.order.subject.window.end_s - start_s
        over_s = spread_s(one.subject.action, one.order.item_count, window_left_s=left_s)
        spread = spread_turns(turns, over_s, dice=self.way.dice)
        return [replace(turn, due_s=start_s + delay_s) for turn, delay_s in spread]

    async def _end_strays(self, standing: dict[UUID, _Standing], now_s: float) -> None:
        """End meters whose order was withdrawn, or whose time is over."""
        withdrawn: dict[UUID, bool] = {}
        for turn in await self.engines.store.strays(self.partitions, list(standing)):
            if (turn.order_id, turn.title) in self._tasks:
                continue
            if turn.order_id not in withdrawn:
                withdrawn[turn.order_id] = await self._is_withdrawn(turn.order_id)
            code = ItemCode.WITHDRAWN if withdrawn[turn.order_id] else ItemCode.WINDOW_OVER
            if turn.was_sent or turn.state is ItemState.RUNNING:
                code = ItemCode.UNCONFIRMED
            elif turn.tries and not withdrawn[turn.order_id]:
                code = ItemCode.NOT_COMMUNICATING
            await self._end(ended(turn, code, now_s=now_s), None)

    async def _is_withdrawn(self, order_id: UUID) -> bool:
        try:
            return (await self.engines.book.order(order_id)).withdrawn_at is not None
        except OrderRefusedError:
            # Nobody has ordered it: nothing of it is done.
            return True

    async def _begin(self, standing: dict[UUID, _Standing], now_s: float) -> None:
        busy = len(self._tasks) + len(self._rests_until_s)
        due = await self.engines.store.due(self.partitions, now_s=now_s, limit=AT_ONCE + busy)
        # Whoever sits in the dark goes first, then danger, then the rest.
        due.sort(key=lambda turn: _rank(standing.get(turn.order_id)))
        for turn in due:
            one, key = standing.get(turn.order_id), (turn.order_id, turn.title)
            if len(self._tasks) >= AT_ONCE:
                return
            if one is None or key in self._tasks or key in self._rests_until_s or not self._has_air(one, turn, now_s):
                continue
            self._tasks[key] = asyncio.create_task(self._work(one, turn))

    def _has_air(self, one: _Standing, turn: SwitchTurn, now_s: float) -> bool:
        budget, cell = self.way.budget_of(turn.title)
        is_urgent = one.subject.action is SwitchAction.RECONNECT or one.subject.reason in _URGENT
        lane = Lane.PERSON if is_urgent else Lane.BILLING
        return budget.spend_some(cell, lane, least=EXCHANGES, most=EXCHANGES, now_s=now_s) > 0

    async def _work(self, one: _Standing, turn: SwitchTurn) -> None:
        """Run one session and keep what came of it."""
        key = turn.order_id, turn.title
        if turn.state is ItemState.RUNNING:
            # An owner died over it, or could not keep what came: the command may have gone. The meter is asked first.
            turn = replace(turn, was_sent=True)
        try:
            await self.engines.store.keep(self.lease, replace(turn, state=ItemState.RUNNING))
            happened = await run_session(self.engines, self.way, one.subject, turn)
            action, window_end_s = one.subject.action, float(one.order.subject.window.end_s)
            after = stepped(turn, happened, action=action, window_end_s=window_end_s, now_s=self._now_s())
            await self._end(after, one.subject)
        except (StateUnavailableError, LostLeaseError) as error:
            # What the meter did is in the meter; it is asked again.
            self._rests_until_s[key] = self._now_s() + OURS_PAUSE_S
            log.warning("switch_step_not_kept", group=self.lease.group, error=str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a session
            self._rests_until_s[key] = self._now_s() + OURS_PAUSE_S
            log.error("switch_fault", cause=type(error).__name__)  # noqa: TRY400 - its text may hold octets
        finally:
            self._tasks.pop(key, None)

    async def _end(self, turn: SwitchTurn, subject: SwitchSubject | None) -> None:
        """Keep where a meter stands; an end is written down first."""
        if turn.ended_at_s is not None:
            await self.engines.log.ended(turn, subject)
        await self.engines.store.keep(self.lease, turn)

    def _now_s(self) -> float:
        return self.way.real_now().timestamp()


def _items(octets: Sequence[bytes]) -> list[SwitchItem]:
    found = []
    for one in octets:
        try:
            found.append(decode_item(one))
        except SwitchOrderError as error:
            log.warning("switch_item_unreadable", error=str(error))
    return found


def _rank(one: _Standing | None) -> int:
    if one is None:
        return 3
    if one.subject.action is SwitchAction.RECONNECT:
        return 0
    return 1 if one.subject.reason in _URGENT else 2
