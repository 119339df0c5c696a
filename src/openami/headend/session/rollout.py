"""One lease group's share of the campaigns that run: whose turn it is, a session with each, and what came of it.

Everything is in the tables before and after each session: a killed owner leaves a meter where it was last known to
stand, and the next one asks the meter itself what it lacks. Owners of other groups work the same campaign beside this
one; the waves are counted over all meters, in the transaction that keeps a meter's step.

Without a good approval nothing goes out, not even a question; the command process asks for it again at each APDU.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from openami.headend.keeping.budget import CellBudget
from openami.headend.keeping.campaign import CampaignMeter, Happened, MeterStep, Report, due_wave, stepped
from openami.headend.keeping.request import Lane
from openami.headend.ports import (
    DownlinkUnavailableError,
    LostLeaseError,
    SealingRefusedError,
    SealingUnavailableError,
    StateUnavailableError,
)
from openami.headend.session.firmware import (
    BLOCKS_PER_SESSION,
    Image,
    Progress,
    activate_image,
    confirm_image,
    send_image,
)
from openami.headend.session.rollout_ports import CampaignHead, CampaignStore, Turn
from openami.headend.session.session import SessionFailedError, Sessions
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.security.access.approval import PEOPLE, ApprovalBook, ApprovalsUnavailableError, good_firmware

LOOK_S = 2.0
"""Real time between two looks at the tables."""
OURS_PAUSE_S = 15.0
"""A meter that could not be spoken to for reasons of our own is left alone this long."""
REFUSED_PAUSE_S = 60.0
"""A campaign that the command process refuses, whatever we think of its approval, rests this long."""
OVERHEAD = 9
"""Exchanges of a transfer session beside its blocks: two to associate, four questions, begin, verify, status."""
LEAST_BLOCKS = 4
SHORT_SESSION = 4
"""Exchanges of a session that tells a meter to run its image, or asks which one runs."""
MAX_IMAGES = 4
"""Images held at once."""
log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class RolloutEngines:
    """What a rollout needs beside what asking has.

    Args:
        store: campaigns.
        book: what people approved.
    """

    store: CampaignStore
    book: ApprovalBook


@dataclass(frozen=True, slots=True)
class Way:
    """How a group's owner speaks to its meters.

    Args:
        sessions: shared with everything else that is asked.
        port_of: client address for management of a meter; None where it has no keys.
        budget_of: the air, and the number of a meter's cell.
        dice: spreads next tries.
        real_now: the host's clock.
    """

    sessions: Sessions
    port_of: Callable[[SystemTitle], int | None]
    budget_of: Callable[[SystemTitle], tuple[CellBudget, int]]
    dice: Callable[[], float]
    real_now: Callable[[], datetime]


@dataclass(slots=True, eq=False)
class GroupRollout:
    """Works a group's meters of campaigns.

    Args:
        lease: the group in hand.
        partitions: its partitions.
        engines: tables.
        way: to the meters.
    """

    lease: Lease
    partitions: frozenset[int]
    engines: RolloutEngines
    way: Way
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _looked_at_s: float = float("-inf")
    _rests_until_s: dict[UUID, float] = field(default_factory=dict)
    _images: dict[bytes, Image] = field(default_factory=dict)
    _refused: dict[UUID, tuple[str, float]] = field(default_factory=dict)

    async def turn(self) -> None:
        """Begin sessions with the meters whose turn it is; to be called often.

        Raises:
            StateUnavailableError: the tables do not answer.
        """
        now_s = self._now_s()
        if now_s - self._looked_at_s < LOOK_S:
            return
        self._looked_at_s = now_s
        self._rests_until_s = {m: until for m, until in self._rests_until_s.items() if until > now_s}
        for head in await self.engines.store.running():
            words = await self._hindrance(head)
            if words != head.words:
                await self.engines.store.say(head.plan.campaign_id, words)
            if not words:
                await self._begin(head, now_s)

    async def close(self) -> None:
        """Let go of what runs; the next owner takes it up."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _hindrance(self, head: CampaignHead) -> str:
        """Return why nothing may go out for a campaign now; empty where it may."""
        now = self.way.real_now()
        if now >= head.window.end:
            return "its window has ended: nothing goes out any more"
        if now < head.window.start:
            return f"waits for its window, which begins at {head.window.start.isoformat()}"
        try:
            good = good_firmware(await self.engines.book.firmware(now=now), now=now)
        except ApprovalsUnavailableError as error:
            raise StateUnavailableError(str(error)) from error
        if not any((s.campaign_id, s.image_digest) == (head.plan.campaign_id, head.image_digest) for s in good):
            return f"waits for approval by {PEOPLE} different people"
        words, until_s = self._refused.get(head.plan.campaign_id, ("", 0.0))
        if self._now_s() < until_s:
            return words
        return "" if await self._image(head) is not None else "its image is not kept here"

    async def _begin(self, head: CampaignHead, now_s: float) -> None:
        wave = due_wave(head.plan, head.standings, now_s)
        room = head.plan.at_once - len(self._tasks)
        if wave is None or room <= 0:
            return
        # Those that are busy or rest stand in the way of as many others, which then come a look later.
        limit = room + len(self._tasks) + len(self._rests_until_s)
        found = await self.engines.store.due(
            head.plan.campaign_id, wave=wave, partitions=self.partitions, now_s=now_s, limit=limit
        )
        for one in found:
            meter_id = one.meter.meter_id
            if len(self._tasks) >= head.plan.at_once:
                return
            if meter_id in self._tasks or meter_id in self._rests_until_s:
                continue
            exchanges = self._air(one, self._images[head.image_digest], now_s)
            if exchanges:
                self._tasks[meter_id] = asyncio.create_task(self._work(head, one, exchanges))

    def _air(self, one: Turn, image: Image, now_s: float) -> int:
        """Return how many exchanges the meter's cell has for it now."""
        budget, cell = self.way.budget_of(one.title)
        most = least = SHORT_SESSION
        if one.meter.step in {MeterStep.WAITING, MeterStep.TRANSFERRING}:
            # Of the usual block size; where the meter's is smaller, it takes more sessions.
            left = max(LEAST_BLOCKS, -(-len(image.octets) // 512) - one.meter.next_block)
            most, least = OVERHEAD + min(left, BLOCKS_PER_SESSION), OVERHEAD + LEAST_BLOCKS
        return budget.spend_some(cell, Lane.BACKGROUND, least=least, most=most, now_s=now_s)

    async def _work(self, head: CampaignHead, one: Turn, exchanges: int) -> None:
        """Run one session and keep what came of it."""
        try:
            happened = await self._session(head, one, exchanges)
            if happened is None:
                self._rests_until_s[one.meter.meter_id] = self._now_s() + OURS_PAUSE_S
                return
            after = stepped(head.plan, one.meter, happened, now_s=self._now_s(), dice=self.way.dice)
            await self.engines.store.keep(self.lease, head.plan.campaign_id, after)
        except (StateUnavailableError, LostLeaseError) as error:
            # What the meter has is in the meter; it is asked again.
            self._rests_until_s[one.meter.meter_id] = self._now_s() + OURS_PAUSE_S
            log.warning("firmware_step_not_kept", group=self.lease.group, error=str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a session
            self._rests_until_s[one.meter.meter_id] = self._now_s() + OURS_PAUSE_S
            log.error("firmware_fault", cause=type(error).__name__)  # noqa: TRY400 - its text may hold octets
        finally:
            self._tasks.pop(one.meter.meter_id, None)

    async def _session(self, head: CampaignHead, one: Turn, exchanges: int) -> Happened | None:
        """Return what a session gave; None where the fault is ours and says nothing of the meter."""
        port = self.way.port_of(one.title)
        if port is None:
            return Happened(Report.NO_ANSWER, "the meter has no keys here")
        brought = one.meter.next_block

        def note(next_block: int) -> None:
            nonlocal brought
            brought = max(brought, next_block)

        operation = _operation(one.meter, self._images[head.image_digest], exchanges, note)
        try:
            progress = await self.way.sessions.run(one.title, operation, port=port)
        except SessionFailedError as error:
            return self._broken_off(one, error, brought)
        except SealingRefusedError as error:
            log.warning("firmware_refused", group=self.lease.group, error=str(error))
            words = f"waits for approval: the command process refuses ({error})"
            self._refused[head.plan.campaign_id] = words, self._now_s() + REFUSED_PAUSE_S
            return None
        except (SealingUnavailableError, DownlinkUnavailableError) as error:
            log.warning("firmware_unavailable", group=self.lease.group, error=str(error))
            return None
        return Happened(progress.report, progress.words, progress.next_block)

    def _broken_off(self, one: Turn, error: SessionFailedError, brought: int) -> Happened | None:
        """Return what a session that failed says of its meter, if anything."""
        if error.is_final:
            return Happened(Report.REFUSED, str(error))
        if brought > one.meter.next_block:
            # On a lossy radio few long sessions end well: one that brought blocks is no failure of the meter.
            return Happened(Report.BLOCKS_SENT, f"{brought} blocks are there; {error}", brought)
        budget, cell = self.way.budget_of(one.title)
        # In a cell that nobody hears, silence says nothing of this meter.
        return None if cell in budget.silent else Happened(Report.NO_ANSWER, str(error))

    async def _image(self, head: CampaignHead) -> Image | None:
        found = self._images.get(head.image_digest)
        if found is None:
            octets = await self.engines.store.image(head.image_digest)
            if octets is None:
                return None
            while len(self._images) >= MAX_IMAGES:
                self._images.pop(next(iter(self._images)))
            found = self._images[head.image_digest] = Image(head.image_id, octets)
        return found

    def _now_s(self) -> float:
        return self.way.real_now().timestamp()


def _operation(
    meter: CampaignMeter, image: Image, exchanges: int, note: Callable[[int], None]
) -> Callable[[ClientAssociation], Steps[Progress]]:
    if meter.step is MeterStep.VERIFIED:
        return lambda client: activate_image(client, image)
    if meter.step is MeterStep.ACTIVATED:
        return lambda client: confirm_image(client, image)
    has_begun = meter.step is MeterStep.TRANSFERRING
    most = exchanges - OVERHEAD
    return lambda client: send_image(client, image, most_blocks=most, has_begun=has_begun, note=note)
