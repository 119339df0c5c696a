"""From the bus into the store: reading and register batches of ``CORE_READING``, in large inserts.

A message is acknowledged after its rows are on disk and after the change was announced, so a ``kill -9`` at any instant
loses neither: the message comes again, equal keys collapse, and a second announcement does no harm.

Rows wait at most :data:`BATCH_SECONDS` for company: inserts of a few rows cost a hundred times their size in merges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as JetStreamError

from openami.contracts.errors import ContractError
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.contracts.stream import CORE_READING, changed_subject
from openami.mdm.adapters.store_service import StoreService
from openami.mdm.ports import StoreError
from openami.mdm.store.announce import announcement
from openami.mdm.store.queries import picked
from openami.mdm.store.rows import storable

_LOG = structlog.get_logger()
KIND_HEADER = "Openami-Kind"
DURABLE = "store"
BATCH_ROWS = 400_000
"""One insert stops growing here: 20 MB. Half as many inserts are half as many files to sync and to merge."""
BATCH_SECONDS = 0.3
FETCH_MESSAGES = 64
"""A message has at most a few megabytes, so what is fetched at once stays far below the process's memory."""
ACK_WAIT_S = 15
"""How long the bus waits before it gives an unacknowledged message again, so also the delay after a kill."""
REFUSED_AGAIN_S = 60.0
RETRY_SECONDS = 1.0
_BUS_ERRORS = (NatsError, JetStreamError, OSError, TimeoutError)
_KINDS: dict[str, type[ReadingBatch | RegisterBatch]] = {"reading": ReadingBatch, "register": RegisterBatch}


@dataclass(slots=True)
class IngestCounts:
    """What the ingest has done since it started."""

    messages: int = 0
    rows: int = 0
    undecodable: int = 0
    rows_out_of_time: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """One message and what it holds."""

    message: Msg
    seq: int
    kind: str
    batch: ReadingBatch | RegisterBatch


@dataclass(slots=True)
class Ingest:
    """Takes batches from the bus until told to stop.

    Args:
        client: connection to the core bus.
        service: where rows go.
    """

    client: Client
    service: StoreService
    counts: IngestCounts = field(default_factory=IngestCounts)

    async def run(self, stop: asyncio.Event) -> None:
        """Ingest until ``stop``; what was fetched by then is kept and acknowledged first."""
        stream = self.client.jetstream()
        # One batch is being stored while the next is fetched; no more, so memory is bounded.
        ready: asyncio.Queue[list[_Taken] | None] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_all(stream, ready, stop))
            tasks.create_task(self._fetch_all(stream, ready, stop))

    async def _fetch_all(
        self, stream: JetStreamContext, ready: asyncio.Queue[list[_Taken] | None], stop: asyncio.Event
    ) -> None:
        subscription: JetStreamContext.PullSubscription | None = None
        while not stop.is_set():
            try:
                subscription = subscription or await self._subscribe(stream)
                taken = await self._collect(subscription, stop)
            except _BUS_ERRORS as error:
                _LOG.warning("store.bus", problem=type(error).__name__)
                subscription = None
                await _pause(stop, RETRY_SECONDS)
                continue
            if taken:
                await ready.put(taken)
        await ready.put(None)

    async def _subscribe(self, stream: JetStreamContext) -> JetStreamContext.PullSubscription:
        config = ConsumerConfig(
            durable_name=DURABLE,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=20_000,
        )
        return await stream.pull_subscribe(
            CORE_READING.subjects[0].replace("*", ">"), durable=DURABLE, stream=CORE_READING.name, config=config
        )

    async def _collect(self, subscription: JetStreamContext.PullSubscription, stop: asyncio.Event) -> list[_Taken]:
        """Return messages of about a batch: when it is full, or a moment after its first message."""
        loop = asyncio.get_running_loop()
        taken: list[_Taken] = []
        rows, deadline = 0, loop.time() + 1.0
        while rows < BATCH_ROWS and not stop.is_set():
            left = deadline - loop.time()
            if left <= 0:
                break
            try:
                # Asking for one first answers the moment something arrives; the rest is taken in bulk.
                messages = await subscription.fetch(1 if not taken else FETCH_MESSAGES, timeout=max(left, 0.01))
            except (NatsError, TimeoutError) as error:
                if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
                    continue
                raise
            if not taken:
                deadline = loop.time() + BATCH_SECONDS
            for message in messages:
                one = await self._decoded(message)
                if one is not None:
                    taken.append(one)
                    rows += len(one.batch)
        return taken

    async def _decoded(self, message: Msg) -> _Taken | None:
        kind = (message.headers or {}).get(KIND_HEADER, "")
        try:
            batch = _decode(kind, message.data)
        except ContractError as error:
            self.counts.undecodable += 1
            _LOG.error("store.undecodable", seq=_seq(message), problem=str(error), count=self.counts.undecodable)
            await message.term()
            return None
        good = storable(batch)
        if not good.all():
            out = int(len(batch) - good.sum())
            self.counts.rows_out_of_time += out
            _LOG.error("store.rows_out_of_time", seq=_seq(message), rows=out)
            batch = type(batch).from_arrow(picked(batch.to_arrow(), good))
        return _Taken(message, _seq(message), kind, batch)

    async def _keep_all(
        self, stream: JetStreamContext, ready: asyncio.Queue[list[_Taken] | None], stop: asyncio.Event
    ) -> None:
        while True:
            taken = await ready.get()
            if taken is None:
                return
            for kind in _KINDS:
                same = [t for t in taken if t.kind == kind]
                if same:
                    await self._keep(stream, same, stop)

    async def _keep(self, stream: JetStreamContext, taken: Sequence[_Taken], stop: asyncio.Event) -> None:
        """Store, announce and acknowledge; split what the engine refuses down to the message it refuses."""
        kind = taken[0].kind
        batch = _joined(taken)
        token = _token(taken)
        try:
            await asyncio.to_thread(self.service.keep, batch, token=token)
            body = announcement(kind, batch)
            await stream.publish(changed_subject("raw"), body, timeout=5)
        except StoreError as error:
            _LOG.error("store.ingest_refused", problem=str(error), messages=len(taken))
            await _pause(stop, RETRY_SECONDS)
            if len(taken) > 1:
                for part in (taken[: len(taken) // 2], taken[len(taken) // 2 :]):
                    await self._keep(stream, part, stop)
                return
            self.counts.refused += 1
            # It stays in the stream and comes again; everything behind it goes on.
            await self._quietly(taken[0].message.nak(delay=REFUSED_AGAIN_S))
            return
        except _BUS_ERRORS as error:
            # Not announced, so not acknowledged: it comes again, and its rows collapse.
            _LOG.warning("store.bus", problem=type(error).__name__)
            return
        self.counts.messages += len(taken)
        self.counts.rows += len(batch)
        for t in taken:
            await self._quietly(t.message.ack())

    async def _quietly(self, answer: Awaitable[object]) -> None:
        """Send an acknowledgement; if it is lost the message comes again, which does no harm."""
        try:
            await answer
        except _BUS_ERRORS as error:
            _LOG.warning("store.ack_lost", problem=type(error).__name__)


def _decode(kind: str, octets: bytes) -> ReadingBatch | RegisterBatch:
    contract = _KINDS.get(kind)
    if contract is None:
        raise ContractError(f"{KIND_HEADER} {kind[:20]!r} is neither reading nor register")
    return contract.decode(octets)


def _joined(taken: Sequence[_Taken]) -> ReadingBatch | RegisterBatch:
    readings = [t.batch for t in taken if isinstance(t.batch, ReadingBatch)]
    registers = [t.batch for t in taken if isinstance(t.batch, RegisterBatch)]
    return ReadingBatch.concatenate(readings) if readings else RegisterBatch.concatenate(registers)


def _token(taken: Sequence[_Taken]) -> str:
    """Return a name for exactly these messages: their numbers and what they hold.

    Numbers alone would name other rows once a bus begins anew at 1, and the engine would drop them as a repeat.
    """
    # The processor has instructions for this one: half the time of BLAKE2.
    digest = sha256()
    for t in taken:
        digest.update(t.seq.to_bytes(8, "big"))
        digest.update(t.message.data)
    seqs = [t.seq for t in taken]
    return f"{CORE_READING.name}:{taken[0].kind}:{min(seqs)}-{max(seqs)}:{digest.hexdigest()[:32]}"


def _seq(message: Msg) -> int:
    return int(message.metadata.sequence.stream)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
