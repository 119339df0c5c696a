"""Lets frames out of the quarantine into the stream, each once: a device became known, or two people said so.

Releases are numbered on this disk before they go, and a mark of the gateway's own in the same atomic batch says how
far they have come, as a collector's mark does: through any kill each enters the stream once. What is damaged or in the
clear is never released, whoever asks.

A device that becomes known is let in once its frames of before are on their way ahead of it, so that the head-end
meets its counters in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from openami.contracts.deadletter import RefusalReason
from openami.contracts.directive import Directive
from openami.contracts.directive_body import decode_released
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.publisher import Publisher
from openami.network.gateway.quarantine import QuarantineError
from openami.network.gateway.releaselog import ReleaseLog
from openami.network.gateway.stored import MAX_AT_ONCE, frames_of_unknown, frames_with_ids, unknown_titles
from openami.network.gateway.thinning import RELEASABLE
from openami.network.gateway.titles import DirectedTitles
from openami.network.ports import FrameStreamError

LOOK_EVERY_S = 1.0
WAIT_FULL_S = 0.05
MAX_UNKNOWN = 200_000
"""Unknown devices that are remembered; of more, a person releases what they sent."""
_log = structlog.get_logger(__name__)


class Releases:
    """Releases of one gateway.

    Args:
        gateway_id: its number; its mark is its own.
        folder: ``gateway/quarantine`` of the home.
        titles: devices that may send.
        publisher: the way into the stream.

    Raises:
        QuarantineError: the disk refused.
    """

    def __init__(self, *, gateway_id: int, folder: Path, titles: DirectedTitles, publisher: Publisher) -> None:
        self.counts: Counter[str] = Counter()
        # No collector has a number below 1.
        self.release_id = -gateway_id
        self._folder = folder
        self._titles = titles
        self._publisher = publisher
        self._log = ReleaseLog(folder)
        self._unknown: set[bytes] = set()
        self._due: set[bytes] = set()
        self._held: set[bytes] = set()
        self._wanted: frozenset[bytes] = frozenset()
        self._looked_for: frozenset[bytes] = frozenset()
        self._going: deque[tuple[int, RefusedFrame]] = deque()
        self._has_resumed = False
        self._has_read = False

    # -- what the gateway tells

    def take_released(self, directive: Directive) -> None:
        """Release what people have released. Raises ContractError."""
        self._wanted = decode_released(directive.body).frames
        self._looked_for = frozenset()

    def titles_changed(self) -> None:
        """Keep devices that have become known waiting until what they sent before is on its way."""
        self._held = {title for title in self._unknown | self._due if self._titles.is_told(title)}
        self._titles.withhold(self._held)

    def refused(self, frames: Iterable[RefusedFrame]) -> None:
        """Note frames that have come into the quarantine."""
        for frame in frames:
            if frame.reason is RefusalReason.UNKNOWN_TITLE and len(self._unknown) < MAX_UNKNOWN:
                self._unknown.add(frame.title)

    def committed(self, number: int) -> None:
        """Note how far the stream has releases."""
        try:
            self._log.taken(number)
        except QuarantineError as error:
            # The stream says it, too.
            _log.warning("gateway.release_not_noted", problem=str(error))

    def failed(self) -> None:
        """Everything gathered was dropped: ask the stream how far it has come, and go on from there."""
        self._going.clear()
        self._has_resumed = False

    # -- the work

    async def run(self) -> None:
        """Release what is due, every second, until cancelled. What fails is tried again."""
        while True:
            try:
                await self._look()
            except (QuarantineError, FrameStreamError) as error:
                _log.warning("gateway.release_waits", problem=str(error))
                self.failed()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        if not self._has_read:
            known = frozenset(self._log.numbers)
            self._unknown |= await asyncio.to_thread(unknown_titles, self._folder, but=known, most=MAX_UNKNOWN)
            self._has_read = True
            self.titles_changed()
        while True:
            if not self._has_resumed:
                await self._resume()
            await self._hand_over()
            newly = {title for title in self._unknown if self._titles.is_told(title)}
            if newly or self._due:
                await self._of_devices(newly)
            elif not await self._of_people():
                return

    async def _resume(self) -> None:
        """Send again what the stream does not have. A mark ages out after a week; the log knows, too."""
        self._going.clear()
        mark = await self._publisher.read_mark(self.release_id)
        self._log.taken(mark.seq)
        missing = self._log.beyond(self._log.acked)
        while missing:
            found = await asyncio.to_thread(frames_with_ids, self._folder, [i for _, i in missing])
            by_id = {frame.frame_id: frame for frame in found}
            self._going.extend((number, by_id[i]) for number, i in missing if i in by_id)
            rest = [(number, i) for number, i in missing if i not in by_id]
            # What was pushed out of the quarantine meanwhile is gone.
            missing = rest if found and len(rest) < len(missing) else []
        self._has_resumed = True

    async def _of_devices(self, newly: set[bytes]) -> None:
        """Release what devices sent before they were known; let them in when nothing is left."""
        # Out of the unknown before the look: what is refused meanwhile puts a device there again.
        self._unknown -= newly
        self._due |= newly
        due = frozenset(self._due)
        frames = await asyncio.to_thread(frames_of_unknown, self._folder, due, but=frozenset(self._log.numbers))
        if frames:
            await self._start(frames)
            self.counts["released_now_known"] += len(frames)
        else:
            self._due -= due
            self._held -= due
            self._titles.withhold(self._held)

    async def _of_people(self) -> bool:
        """Release what people released; tell whether anything was."""
        wanted = frozenset(i for i in self._wanted if i not in self._log)
        if not wanted or wanted == self._looked_for:
            return False
        found = await asyncio.to_thread(frames_with_ids, self._folder, wanted)
        frames = [frame for frame in found if frame.reason in RELEASABLE]
        if len(frames) < len(found):
            self.counts["releases_refused"] += len(found) - len(frames)
            _log.warning("gateway.release_refused", count=len(found) - len(frames))
        if len(frames) < len(wanted):
            _log.warning("gateway.release_not_here", count=len(wanted) - len(found))
        if len(found) < MAX_AT_ONCE:
            self._looked_for = wanted - {frame.frame_id for frame in frames}
        await self._start(frames)
        self.counts["released_by_people"] += len(frames)
        return bool(frames)

    async def _start(self, frames: Sequence[RefusedFrame]) -> None:
        if not frames:
            return
        first = await asyncio.to_thread(self._log.give_numbers, [frame.frame_id for frame in frames])
        if self._has_resumed:
            self._going.extend((first + place, frame) for place, frame in enumerate(frames))
        _log.info("gateway.releasing", frames=len(frames))
        await self._hand_over()

    async def _hand_over(self) -> None:
        """Give frames to the publisher as it has room; none once it has dropped any, or they would overtake those."""
        while self._going and self._has_resumed:
            if self._publisher.is_full:
                await asyncio.sleep(WAIT_FULL_S)
                continue
            number, frame = self._going.popleft()
            self._publisher.release(number, self.release_id, frame)
