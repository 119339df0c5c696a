"""The collector's part of the road down: one command at a time to each meter, its answer to the spool, a RESULT.

A command is tried once and only while its time lasts; nothing is kept on disk, so a collector that dies forgets what
it had in hand and the gateway says "no answer" when the time is over. What an answer holds is not known here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import structlog

from openami.contracts.command import OutcomeKind, Refusal
from openami.contracts.frame import MAX_FRAME_OCTETS, FrameClass
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.network.downlink import Result, decode_down
from openami.network.intake import OfferedFrame
from openami.network.link import LinkError
from openami.network.ports import DeliveryError, UnknownMeterError

MAX_DELIVERIES = 1_000
"""Commands in hand and waiting, all meters together: a collector hears some thousand meters, one radio serves them."""
MAX_WAITING_A_METER = 1
MAX_ANSWERS = 4
"""Frames taken as the answer to one command; a meter sends one."""

Deliver = Callable[[SystemTitle, bytes], Awaitable[list[bytes]]]
"""Hands a wrapper frame to a meter over the radio and returns the wrapper frames that it answers with, none where it
carries out without a word. Raises :class:`DeliveryError`. Cancelled when the command's time is over."""
Offer = Callable[[Sequence[OfferedFrame]], Awaitable[int]]
Tell = Callable[[int, bytes, Result], None]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    number: int
    title: SystemTitle
    frame: bytes
    until_s: float


class Deliveries:
    """Commands of one collector on their way to meters.

    Args:
        deliver: the radio hop.
        offer: puts frames on disk, as :meth:`openami.network.collector.Collector.offer`.
        tell: sends a RESULT (number, title, result); may lose it.
        stamp_ms: the collector's clock for answers, milliseconds since the epoch.
    """

    def __init__(self, *, deliver: Deliver, offer: Offer, tell: Tell, stamp_ms: Callable[[], int]) -> None:
        self._deliver = deliver
        self._offer = offer
        self._tell = tell
        self._stamp_ms = stamp_ms
        self._waiting: dict[SystemTitle, list[_Order]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self.counts: Counter[str] = Counter()

    def take(self, number: int, title: bytes, body: bytes) -> None:
        """Take a DOWN.

        Raises:
            LinkError: its body is none.
        """
        try:
            time_left_ms, frame = decode_down(body)
        except LinkError:
            self.counts["bad"] += 1
            raise
        order = _Order(number, SystemTitle(title), frame, asyncio.get_running_loop().time() + time_left_ms / 1000)
        queue = self._waiting.get(order.title)
        if self._count >= MAX_DELIVERIES or (queue is not None and len(queue) >= MAX_WAITING_A_METER):
            self._say(order, Result(OutcomeKind.REFUSED, Refusal.BUSY))
            return
        self._count += 1
        if queue is not None:
            queue.append(order)
            return
        self._waiting[order.title] = []
        task = asyncio.create_task(self._serve(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is in hand."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, order: _Order) -> None:
        """Carry out one meter's orders one after another."""
        queue, title = self._waiting[order.title], order.title
        following: _Order | None = order
        try:
            while following is not None:
                self._say(following, await self._carry_out(following))
                self._count -= 1
                following = queue.pop(0) if queue else None
        finally:
            self._count -= len(queue) + (following is not None)
            del self._waiting[title]

    async def _carry_out(self, order: _Order) -> Result:
        left_s = order.until_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return Result(OutcomeKind.EXPIRED)
        try:
            async with asyncio.timeout(left_s):
                answers = await self._deliver(order.title, order.frame)
        except UnknownMeterError:
            return Result(OutcomeKind.REFUSED, Refusal.NO_ROUTE)
        except (DeliveryError, TimeoutError):
            return Result(OutcomeKind.NO_ANSWER)
        return await self._hand_up(order.title, answers)

    async def _hand_up(self, title: SystemTitle, answers: list[bytes]) -> Result:
        if not answers:
            return Result(OutcomeKind.DELIVERED)
        stamp_ms = self._stamp_ms()
        fitting = [a for a in answers[:MAX_ANSWERS] if 0 < len(a) <= MAX_FRAME_OCTETS]
        if not fitting:
            self.counts["unfit_answers"] += 1
            return Result(OutcomeKind.NO_ANSWER)
        try:
            await self._offer([(FrameClass.RESPONSE, title, stamp_ms, a) for a in fitting])
        except OpenAmiError as error:
            _log.warning("collector.answer_not_kept", cause=type(error).__name__)
            return Result(OutcomeKind.NO_ANSWER)
        return Result(OutcomeKind.ANSWERED, answer=sha256(fitting[0]).digest())

    def _say(self, order: _Order, result: Result) -> None:
        self.counts[result.kind.name.lower()] += 1
        self._tell(order.number, order.title.octets, result)
