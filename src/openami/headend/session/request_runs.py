"""Requests of one lease group that run: their sessions, their answers on the bus, and what the table says of them.

A request is running in the table before its session begins, and its answer is durable on the bus before it is done.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from openami.headend.keeping.answer import Answer, Figure
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.request import Lane, Request
from openami.headend.ports import (
    BusUnavailableError,
    DownlinkUnavailableError,
    SealingRefusedError,
    SealingUnavailableError,
    StateUnavailableError,
)
from openami.headend.profiles import UnknownProfileError
from openami.headend.session.group_work import AskingEngines
from openami.headend.session.operations import Circumstance
from openami.headend.session.session import SessionFailedError
from openami.headend.session.titles import GroupTitles
from openami.headend.state_ports import Lease
from openami.kernel.clock import Clock
from openami.kernel.time import epoch_s

MAX_SESSIONS = 50
"""Sessions of one group at once."""
PUBLISH_TRIES = 5
RETRY_S = 1.0
log = structlog.get_logger("openami.headend")


class RequestRuns:
    """Runs requests and keeps what became of them.

    Args:
        lease: the group in hand.
        titles: its meters.
        zone: the installation's.
        keeper: gives the pure part, once there is one.
        engines: what it talks to.
        clock: domain time.
        real_s: the host's clock, seconds since the epoch.
    """

    def __init__(
        self,
        lease: Lease,
        titles: GroupTitles,
        zone: ZoneInfo,
        *,
        keeper: Callable[[], Keeper],
        engines: AskingEngines,
        clock: Clock,
        real_s: Callable[[], float],
    ) -> None:
        self._lease, self._titles, self._zone = lease, titles, zone
        self._keeper, self._engines, self._clock, self._real_s = keeper, engines, clock, real_s
        self._figures: dict[UUID, tuple[Figure, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, *, now_s: float) -> None:
        """Take what is due from the agenda, as much as may run at once, and begin its sessions.

        Args:
            now_s: the host's clock, seconds since the epoch.

        Raises:
            StateUnavailableError: the table does not answer; nothing was begun.
            LostLeaseError: the group belongs to another owner now.
        """
        agenda = self._keeper().agenda
        taken = agenda.take(now_s=now_s, limit=max(0, MAX_SESSIONS - len(self._tasks)))
        try:
            await self.save()
        except StateUnavailableError:
            # What runs is in the table before its session begins; nothing may run for ever without one.
            agenda.put_back(taken)
            raise
        for one in taken:
            task = asyncio.create_task(self._ask(one))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let go of what runs; the next owner takes it up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def save(self) -> None:
        """Write what changed of the agenda.

        Raises:
            StateUnavailableError: the table does not answer; what changed is kept for the next time.
            LostLeaseError: the group belongs to another owner now.
        """
        changed = self._keeper().agenda.drain()
        try:
            await self._engines.requests.save(self._lease, changed, self._figures)
        except StateUnavailableError:
            for one in changed:
                self._keeper().agenda.changed.setdefault(one.request_id, one)
            raise
        for one in changed:
            if not one.is_open:
                self._figures.pop(one.request_id, None)

    async def _ask(self, request: Request) -> None:
        """Run one session and take what it brings."""
        keeper = self._keeper()
        try:
            answer = await self._engines.sessions.perform(request, self._around(request))
            await self._publish(request, answer)
            if answer.columns and self._engines.columns is not None:
                await self._engines.columns.keep(answer.columns)
            if request.lane is Lane.PERSON:
                self._figures[request.request_id] = answer.figures
            keeper.answered(request, answer, now_s=epoch_s(self._clock.now()), real_s=self._real_s())
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
        self._keeper().failed(
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

    def _around(self, request: Request) -> Circumstance:
        profile = self._titles.profile_of(request.title)
        if profile is None:
            raise SealingRefusedError("there are no keys for this meter")
        hung = self._keeper().roster.of(request.title)
        zone = ZoneInfo(hung.zone) if hung is not None else self._zone
        clock = self._clock
        return Circumstance(
            profile,
            zone,
            lambda: clock.now().timestamp(),
            self._engines.policy.clock,
            lambda exchanges: self._keeper().spent(request, exchanges, real_s=self._real_s()),
        )


def _place_of(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
