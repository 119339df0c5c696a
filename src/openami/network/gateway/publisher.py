"""Moves batches into the durable stream, one at a time, and says so only when they are there.

A batch is gathered for ``gather_s`` or until it is full; then its refused frames go to the quarantine, its messages
to the segment, all on disk, and then to the stream in one atomic commit that is fenced by the marks. Only after the
commit's answer are the collectors told. If any of that fails, everything gathered so far is dropped and every
collector is sent away: whether the stream has the batch is known only from the marks, which are read on reconnection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import date

import structlog

from openami.contracts.deadletter import RefusalReason
from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.network.gateway.batch import Batch, RefusedFrame, stream_messages
from openami.network.gateway.quarantine import Quarantine
from openami.network.gateway.segment import SegmentWriter
from openami.network.link import LinkMessage
from openami.network.ports import FrameStream, Mark

_log = structlog.get_logger(__name__)


class Publisher:
    """The one writer of the frame stream in this gateway.

    Args:
        gateway_id: number of this gateway.
        stream: the durable stream.
        segments, quarantine: files; touched in a thread, one at a time.
        clock: domain time for stamps.
        real_today: today's date in real time, for the segments' folders.
        batch_prefix: makes batch ids of this run unlike any other's.
        gather_s: how long frames wait for company, real time.
        max_octets: at this much unpublished :attr:`is_full` holds.
        on_committed: told the last sequence of each collector in a committed batch, and what of it was refused.
        on_failed: told that everything gathered was dropped.
    """

    def __init__(
        self,
        *,
        gateway_id: int,
        stream: FrameStream,
        segments: SegmentWriter,
        quarantine: Quarantine,
        clock: Clock,
        real_today: Callable[[], date],
        batch_prefix: str,
        gather_s: float,
        max_octets: int,
        on_committed: Callable[[dict[int, int], Sequence[RefusedFrame]], None],
        on_failed: Callable[[], None],
    ) -> None:
        self._gateway_id = gateway_id
        self._stream = stream
        self._segments = segments
        self._quarantine = quarantine
        self._clock = clock
        self._real_today = real_today
        self._batch_prefix = batch_prefix
        self._gather_s = gather_s
        self._max_octets = max_octets
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._open = Batch()
        self._closed: deque[Batch] = deque()
        self._publishing: Batch | None = None
        self._octets = 0
        self._batches = 0
        self._marks: dict[int, int] = {}
        self._work = asyncio.Event()
        self._full = asyncio.Event()
        self._settled = asyncio.Event()
        self.counts: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether collectors must wait before they send more."""
        return self._octets >= self._max_octets

    @property
    def octets(self) -> int:
        """Octets that are gathered and not yet in the stream."""
        return self._octets

    def add(self, collector_id: int, message: LinkMessage) -> None:
        """Take a frame that passed; in a collector's sequence."""
        before = self._open.octets
        self._open.add(collector_id, message)
        self._grown(self._open.octets - before)

    def refuse(self, collector_id: int, message: LinkMessage, reason: RefusalReason) -> None:
        """Take a frame that may not pass; in a collector's sequence."""
        before = self._open.octets
        self._open.refuse(collector_id, message, reason)
        self._grown(self._open.octets - before)

    def release(self, number: int, release_id: int, frame: RefusedFrame) -> None:
        """Take a frame out of the quarantine; in the sequence of releases."""
        before = self._open.octets
        self._open.release(number, release_id, frame)
        self._grown(self._open.octets - before)

    def discredit(self, collector_id: int, reason: RefusalReason) -> int:
        """Turn what a collector has gathered here into refused frames, but for a batch that is on its way."""
        return sum(batch.discredit(collector_id, reason) for batch in (self._open, *self._closed))

    def _grown(self, octets: int) -> None:
        self._octets += octets
        if self._open.is_full:
            self._closed.append(self._open)
            self._open = Batch()
            self._full.set()
        self._work.set()

    async def read_mark(self, collector_id: int) -> Mark:
        """Return a collector's position once nothing of it is under way, and remember where its mark stands.

        Raises:
            FrameStreamError: the stream does not answer.
        """
        while self._holds(collector_id):
            self._settled.clear()
            self._full.set()
            await self._settled.wait()
        mark = await self._stream.read_mark(collector_id)
        self._marks[collector_id] = mark.stream_sequence
        return mark

    def _holds(self, collector_id: int) -> bool:
        batches = [self._open, *self._closed, *([self._publishing] if self._publishing else [])]
        return any(collector_id in batch.last_seq for batch in batches)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._work.wait()
            if not self._closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self._gather_s)
            self._full.clear()
            batch = self._take()
            if batch.frames == 0:
                continue
            self._publishing = batch
            try:
                sequence = await self._publish(batch)
            except OpenAmiError as error:
                self._drop(error)
            else:
                self._publishing = None
                self._octets -= batch.octets
                self._committed(batch, sequence)
            self._settled.set()

    async def drain(self) -> None:
        """Wait until nothing is gathered; bound the wait yourself."""
        while self._octets:
            self._settled.clear()
            self._full.set()
            await self._settled.wait()

    def _take(self) -> Batch:
        if self._closed:
            batch = self._closed.popleft()
        else:
            batch, self._open = self._open, Batch()
        if not self._closed and self._open.frames == 0:
            self._work.clear()
        return batch

    async def _publish(self, batch: Batch) -> int:
        self._batches += 1
        batch_id = f"{self._batch_prefix}-{self._batches}"
        now_ms = int(self._clock.now().timestamp() * 1000)
        payloads = batch.payloads(gateway_id=self._gateway_id, received_at_ms=now_ms)
        today = self._real_today()

        def keep() -> int:
            thinned = self._quarantine.append(batch.refused, refused_at_ms=now_ms) if batch.refused else 0
            self._segments.append(batch_id, payloads, today=today)
            return thinned

        self.counts["quarantine_thinned"] += await asyncio.get_running_loop().run_in_executor(None, keep)
        messages = stream_messages(payloads, batch.last_seq, self._marks)
        sequence = await self._stream.commit(messages, batch_id=batch_id)
        self._segments.committed(batch_id, sequence)
        return sequence

    def _committed(self, batch: Batch, sequence: int) -> None:
        first = sequence - len(batch.last_seq) + 1
        for place, collector_id in enumerate(batch.last_seq):
            self._marks[collector_id] = first + place
        self.counts["batches"] += 1
        self.counts["published"] += batch.frames - len(batch.refused)
        self.counts["quarantined"] += len(batch.refused)
        self._on_committed(batch.last_seq, batch.refused)

    def _drop(self, error: OpenAmiError) -> None:
        _log.warning("gateway.batch_not_committed", cause=type(error).__name__, problem=str(error))
        self.counts["failed_batches"] += 1
        self._publishing = None
        self._open = Batch()
        self._closed.clear()
        self._octets = 0
        self._work.clear()
        self._on_failed()
