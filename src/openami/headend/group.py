"""One leased group of partitions at work: restore, read, open, judge, publish, and write snapshots.

Everything that was published is durable before the position moves; see :mod:`openami.headend.service` for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from openami.contracts.deadletter import DeadLetter
from openami.contracts.stream import partition_of_octets
from openami.headend.listening.columnfeed import ColumnFeed
from openami.headend.listening.intake import Answer, Intake, Outcome, StreamMessage
from openami.headend.listening.keyfeed import KeyFeed
from openami.headend.listening.progress import Progress, rows_of_partitions
from openami.headend.listening.release import lift
from openami.headend.listening.snapshot import restore_page
from openami.headend.listening.window import CounterWindows
from openami.headend.ports import (
    BusUnavailableError,
    FrameReader,
    FrameSource,
    HeadendError,
    Outbox,
    StateUnavailableError,
)
from openami.headend.session.asking import GroupAsking
from openami.headend.session.group_work import AskingEngines
from openami.headend.state_ports import GroupStore, Lease
from openami.kernel.clock import Clock
from openami.kernel.time import EPOCH
from openami.security.keys.ports import VaultUnavailableError
from openami.security.keys.table import KeyTable

SNAPSHOT_S = 2.0
SNAPSHOT_SHARE = 10
"""Writing snapshots takes at most a tenth of the time: a slow one is followed by a longer pause."""
MAX_UNWRITTEN_FRAMES = 500_000
"""With the database away the head-end goes on for this many frames; then it waits, so memory stays bounded."""
READ_WAIT_S = 0.5
RETRY_S = 0.5
log = structlog.get_logger("openami.headend")


@dataclass(frozen=True, slots=True)
class Engines:
    """Everything outside that the head-end talks to.

    Args:
        source: sealed frames.
        outbox: readings, events, letters.
        store: leases and snapshots.
        keys: keeps ``table`` up to date.
        clock: domain time.
        real_now: the host's clock, for leases.
        monotonic: real time that never jumps [s].
        columns: what meters said of their own columns; None where nobody asks them.
        on_answers: takes what meters answered; what was read again after a crash comes again.
        asking: what it takes to ask meters; None for a head-end that only listens.
        on_letters: takes refused frames once they are kept; what was read again after a crash comes again.
    """

    source: FrameSource
    outbox: Outbox
    store: GroupStore
    keys: KeyFeed
    clock: Clock
    real_now: Callable[[], datetime]
    monotonic: Callable[[], float]
    columns: ColumnFeed | None = None
    on_answers: Callable[[Sequence[Answer]], None] = lambda _: None
    asking: AskingEngines | None = None
    on_letters: Callable[[Sequence[DeadLetter]], None] = lambda _: None


class GroupWorker:
    """Works one group while its lease holds. Any failure ends it; the lease loop begins it anew from the snapshot."""

    def __init__(
        self,
        lease: Lease,
        partitions: frozenset[int],
        intake: Intake,
        windows: CounterWindows,
        table: KeyTable,
        engines: Engines,
        zone: str,
    ) -> None:
        self.lease = lease
        self.stop = asyncio.Event()
        self._partitions = partitions
        self._intake = intake
        self._windows = windows
        self._table = table
        self._engines = engines
        self._progress = Progress(partitions, lease.position, lease.position)
        self._due_at = 0.0
        self._release_no = 0
        self._asking = _asking(lease, partitions, zone, table, engines)

    @property
    def position(self) -> int:
        """Stream sequence up to which every output is durable."""
        return self._progress.position

    async def run(self) -> None:
        """Restore, work until told to stop, write the last snapshot and give the lease back."""
        await self._restore()
        reader = await self._engines.source.open(sorted(self._partitions), after_seq=self.lease.position)
        asking = asyncio.create_task(self._asking.run(self.stop)) if self._asking is not None else None
        try:
            await self._work(reader, asking)
            if asking is not None:
                await asking
            await self._write_snapshot()
            await self._engines.store.release(self.lease)
        finally:
            if asking is not None:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            await reader.close()

    async def _restore(self) -> None:
        await self._engines.keys.refresh()
        pages = await self._engines.store.pages(self.lease.group)
        self._windows.grow(len(self._table))
        self._windows.forget(rows_of_partitions(self._table, self._partitions))
        for page in pages:
            restore_page(self._windows, self._table, page)
        # A snapshot may be older than a release: frames behind it were taken because of it.
        await self._apply_releases()
        if self._asking is not None:
            await self._asking.restore(await self._engines.store.memory(self.lease.group))
        self._progress.base_octets = len(pages[0]) if pages else 0
        self._progress.delta_octets = sum(len(p) for p in pages[1:])

    async def _work(self, reader: FrameReader, asking: asyncio.Task[None] | None) -> None:
        # Asking ends before we are told to stop only when it failed; then the group begins anew.
        while not self.stop.is_set() and (asking is None or not asking.done()):
            try:
                messages = await reader.read(wait_s=READ_WAIT_S)
            except BusUnavailableError as error:
                log.warning("frames_unavailable", group=self.lease.group, error=str(error))
                await pause(self.stop, RETRY_S)
                continue
            if messages:
                await self._pass_on(messages)
            if self._engines.monotonic() >= self._due_at:
                await self._write_snapshot()
                await self._look_for_releases()

    async def _look_for_releases(self) -> None:
        try:
            await self._apply_releases()
        except StateUnavailableError as error:
            log.warning("releases_unavailable", group=self.lease.group, error=str(error))

    async def _apply_releases(self) -> None:
        """Move windows up to counter jumps that people have released; others' groups are their owners' affair."""
        for release in await self._engines.store.releases(after=self._release_no):
            self._release_no = release.number
            is_ours = partition_of_octets(release.title) in self._partitions
            if is_ours and lift(release, self._table, self._windows):
                log.info("counter_released", group=self.lease.group, letter=release.letter_id)

    async def _pass_on(self, messages: list[StreamMessage]) -> None:
        """Turn messages into outcomes that are durable downstream.

        Raises:
            HeadendError: the worker was stopped while the bus was away.
        """
        revision = self._table.revision
        opened = self._intake.open(messages, partitions=self._partitions, now_ms=self._now_ms())
        if opened.wants_keys and await self._table_is_newer_than(revision):
            opened = self._intake.open(messages, partitions=self._partitions, now_ms=self._now_ms())
        outcome = self._intake.judge(opened, now_ms=self._now_ms())
        if outcome.answers:
            self._engines.on_answers(outcome.answers)
        while not await self._published(outcome):
            # The windows have moved and the position has not: only the snapshot before this batch is true now.
            if self.stop.is_set():
                raise HeadendError(f"group {self.lease.group}: stopped while the bus was away")
            await pause(self.stop, RETRY_S)
        if outcome.letters:
            self._engines.on_letters(outcome.letters)
        self._progress.add(outcome)
        if self._asking is not None:
            self._asking.hear(outcome)

    async def _table_is_newer_than(self, revision: int) -> bool:
        """Ask the vault; keys that another group's worker has just fetched count as well."""
        try:
            await self._engines.keys.refresh()
        except VaultUnavailableError as error:
            log.warning("vault_unavailable", error=str(error))
        return self._table.revision != revision

    async def _published(self, outcome: Outcome) -> bool:
        try:
            await self._engines.outbox.publish(outcome, group=self.lease.group, subject_partition=min(self._partitions))
        except BusUnavailableError as error:
            log.warning("outbox_unavailable", group=self.lease.group, error=str(error))
            return False
        return True

    async def _write_snapshot(self) -> None:
        """Write what happened since the last one; with the database away go on while memory allows."""
        while True:
            began = self._engines.monotonic()
            kept = self._asking.page() if self._asking is not None else None
            if self._progress.is_empty and kept is None:
                return
            snapshot = self._progress.snapshot(self._windows, self._table, now_ms=self._now_ms())
            snapshot = replace(snapshot, kept=kept)
            try:
                await self._engines.store.write(self.lease, snapshot)
            except StateUnavailableError as error:
                if self._asking is not None:
                    self._asking.page_failed()
                log.warning("snapshot_unavailable", group=self.lease.group, error=str(error))
                if self.stop.is_set() or self._progress.frames < MAX_UNWRITTEN_FRAMES:
                    self._due_at = self._engines.monotonic() + SNAPSHOT_S
                    return
                await pause(self.stop, RETRY_S)
                continue
            self._progress.written(snapshot)
            if self._asking is not None and kept is not None:
                self._asking.page_written(kept)
            took = self._engines.monotonic() - began
            self._due_at = self._engines.monotonic() + max(SNAPSHOT_S, SNAPSHOT_SHARE * took)
            return

    def _now_ms(self) -> int:
        return (self._engines.clock.now() - EPOCH) // timedelta(milliseconds=1)


def _asking(
    lease: Lease, partitions: frozenset[int], zone: str, table: KeyTable, engines: Engines
) -> GroupAsking | None:
    if engines.asking is None:
        return None
    return GroupAsking(
        lease,
        partitions,
        zone=zone,
        table=table,
        engines=engines.asking,
        clock=engines.clock,
        real_now=engines.real_now,
    )


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until ``stop`` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
