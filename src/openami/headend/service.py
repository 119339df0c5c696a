"""The imperative shell of the head-end: leases, one task a group, snapshots.

A group's life: take the lease, restore the windows, read behind the position; then read, open, judge, publish, wait
until everything published is durable, and every few seconds write windows, counts and position in one transaction.
Killed at any instant, the next owner restores the snapshot, reads again what came after it, and emits the same rows
under the same message ids. An owner that has lost its lease without knowing can only repeat what the new owner says:
its snapshots are fenced off.

Source: docs/adr/0004-head-end-is-a-function-of-its-snapshot.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from openami.contracts.stream import PARTITIONS
from openami.headend.group import RETRY_S, Engines, GroupWorker, pause
from openami.headend.listening.intake import Intake
from openami.headend.listening.window import CounterWindows
from openami.headend.ports import (
    StateUnavailableError,
)
from openami.kernel.errors import OpenAmiError
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import VaultUnavailableError
from openami.security.keys.table import KeyTable

LEASE_S = 6.0
RENEW_S = 1.5
KEY_POLL_S = 2.0
log = structlog.get_logger("openami.headend")


def group_partitions(group: int, groups: int) -> frozenset[int]:
    """Return the partitions of a group: every ``groups``-th.

    >>> sorted(group_partitions(1, 8))
    [1, 9, 17, 25, 33, 41, 49, 57]
    """
    return frozenset(range(group, PARTITIONS, groups))


class Headend:
    """One head-end: takes its share of the groups and works them until it is stopped.

    Args:
        owner: its name; the same after a restart, different from every other living head-end's.
        groups: how many groups the partitions are shared in.
        zone: IANA zone of clocks without deviation.
        table: key pairs, kept up to date by ``engines.keys``.
        engines: what it talks to.
    """

    def __init__(self, *, owner: str, groups: int, zone: str, table: KeyTable, engines: Engines) -> None:
        self._owner = owner
        self._groups = groups
        self._zone = zone
        self._table = table
        self._engines = engines
        self._windows = CounterWindows()
        said = engines.columns.said if engines.columns is not None else None
        self._intake = Intake(table, self._windows, zone=zone, said=said)
        self._workers: dict[int, GroupWorker] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @property
    def groups_owned(self) -> frozenset[int]:
        """The groups in hand now."""
        return frozenset(self._workers)

    async def run(self, stop: asyncio.Event, *, on_ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set, then drain: write every group's snapshot and give it back."""
        await _retried(lambda: self._engines.store.prepare(self._groups), stop)
        await _retried(self._engines.keys.refresh, stop)
        if self._engines.columns is not None:
            await _retried(self._engines.columns.refresh, stop)
        poller = asyncio.create_task(self._poll_keys(stop))
        try:
            await self._share_groups()
            on_ready()
            while not stop.is_set():
                await pause(stop, RENEW_S)
                if not stop.is_set():
                    await self._share_groups()
        finally:
            poller.cancel()
            await self._stop_workers(list(self._workers))
            await asyncio.gather(poller, return_exceptions=True)
            await self._resign()

    async def _share_groups(self) -> None:
        """Renew what is in hand, give back what is too much, take what is missing."""
        store, now = self._engines.store, self._engines.real_now()
        until = now + timedelta(seconds=LEASE_S)
        for group in [g for g, t in self._tasks.items() if t.done()]:
            await self._stop_workers([group])
        try:
            owners = await store.enlist(self._owner, now=now, until=until)
            kept = await store.renew([w.lease for w in self._workers.values()], until=until)
            await self._stop_workers([g for g in self._workers if g not in kept])
            share = -(-self._groups // owners)
            await self._stop_workers(sorted(self._workers)[share:])
            # The limit counts groups that an earlier life of this owner holds, but never those it works now.
            free = share - len(self._workers)
            leases = await store.acquire(self._owner, limit=free, working=sorted(self._workers), now=now, until=until)
        except StateUnavailableError as error:
            log.warning("leases_unavailable", error=str(error))
            return
        for lease in leases:
            partitions = group_partitions(lease.group, self._groups)
            worker = GroupWorker(lease, partitions, self._intake, self._windows, self._table, self._engines, self._zone)
            self._workers[lease.group] = worker
            self._tasks[lease.group] = asyncio.create_task(worker.run())
            log.info("group_taken", group=lease.group, fence=lease.fence, position=lease.position)

    async def _stop_workers(self, groups: list[int]) -> None:
        for group in groups:
            self._workers[group].stop.set()
        for group in groups:
            worker, task = self._workers.pop(group), self._tasks.pop(group)
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(result, Exception) and not isinstance(result, OpenAmiError):
                raise result
            log.info("group_left", group=group, position=worker.position, reason=str(result or "drained"))

    async def _resign(self) -> None:
        try:
            await self._engines.store.resign(self._owner)
        except StateUnavailableError as error:
            log.warning("leases_unavailable", error=str(error))

    async def _poll_keys(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await pause(stop, KEY_POLL_S)
            if stop.is_set():
                return
            try:
                await self._engines.keys.refresh()
                if self._engines.columns is not None:
                    await self._engines.columns.refresh()
            except VaultUnavailableError as error:
                log.warning("vault_unavailable", error=str(error))
            except KeyBindingError as error:
                log.error("vault_row_spoiled", error=str(error))  # noqa: TRY400 - the text names the row
            except StateUnavailableError as error:
                log.warning("columns_unavailable", error=str(error))


async def _retried(act: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    """Do it until the engines answer or ``stop`` is set: engines and head-end start side by side."""
    while not stop.is_set():
        try:
            await act()
        except (StateUnavailableError, VaultUnavailableError) as error:
            log.warning("engine_unavailable", error=str(error))
            await pause(stop, RETRY_S)
        else:
            return
