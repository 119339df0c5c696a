"""Frames from JetStream and outcomes to it.

Reading is an ordered pull consumer: no acknowledgements, because the position that counts is in the snapshot; each
delivery carries the consumer's own sequence, so a lost one is noticed and the reader begins anew behind the last that
came. Writing returns when every message is acknowledged, which with ``sync_interval: always`` means on disk.

Source: NATS JetStream wire API, ``$JS.API.CONSUMER.MSG.NEXT`` and ``Nats-Batch-*`` headers (NATS ADR-50).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js import api
from nats.js.errors import Error as JetStreamError

from openami.contracts.event import encode_events
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.contracts.stream import DEADLETTER_SUBJECT, DMZ_FRAME, event_subject, frame_subject, reading_subject
from openami.headend.keeping.answer import Answer
from openami.headend.listening.intake import Outcome, StreamMessage
from openami.headend.ports import BusUnavailableError

PULL_MESSAGES = 64
PULL_OCTETS = 8 * 1024 * 1024
"""Most that the server may send ahead; twice the largest message."""
READ_OCTETS = 1024 * 1024
"""One input batch stops growing here: some 5,000 frames."""
PULL_EXPIRES_S = 20.0
HEARTBEAT_S = 1.0
SILENCE_S = 4.0
"""Without a message or heartbeat for this long the consumer is gone."""
CONSUMER_FORGOTTEN_S = 60.0
PUBLISH_TIMEOUT_S = 5.0
ROWS_PER_MESSAGE = 40_000
"""48 octets a row: under half of the largest payload."""
EVENTS_PER_MESSAGE = 5_000
LETTERS_PER_BATCH = 200
LETTER_OCTETS_PER_BATCH = 8 * 1024 * 1024
KIND_HEADER = "Openami-Kind"
_NANOSECONDS = 1_000_000_000


@asynccontextmanager
async def _bus() -> AsyncIterator[None]:
    try:
        yield
    except (NatsError, JetStreamError, TimeoutError, OSError) as error:
        raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error


class JetStreamFrames:
    """A :class:`~openami.headend.ports.FrameSource` on the DMZ's stream.

    Args:
        client: connected as ``headend_dmz``.
        monotonic: real time that never jumps [s].
    """

    def __init__(self, client: Client, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._monotonic = monotonic

    async def open(self, partitions: Sequence[int], *, after_seq: int) -> _OrderedReader:
        """Return a reader of these partitions."""
        reader = _OrderedReader(self._client, [frame_subject(p) for p in partitions], after_seq, self._monotonic)
        await reader.begin()
        return reader


class _OrderedReader:
    def __init__(self, client: Client, subjects: list[str], after_seq: int, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._subjects = subjects
        self._last_seq = after_seq
        self._monotonic = monotonic
        self._consumer = ""
        self._delivered = 0
        self._outstanding = 0
        self._heard = 0.0
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._broken = True

    async def begin(self) -> None:
        """Make a consumer behind the last message that came."""
        await self.close()
        self._consumer, self._delivered, self._outstanding = f"headend-{uuid4().hex}", 0, 0
        config = api.ConsumerConfig(
            name=self._consumer,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._last_seq + 1,
            ack_policy=api.AckPolicy.NONE,
            filter_subjects=self._subjects,
            inactive_threshold=CONSUMER_FORGOTTEN_S,
            mem_storage=True,
            num_replicas=1,
        )
        async with _bus():
            self._inbox = self._client.new_inbox()
            self._subscription = await self._client.subscribe(self._inbox, pending_bytes_limit=4 * PULL_OCTETS)
            await self._client.jetstream().add_consumer(DMZ_FRAME.name, config=config)
        self._heard, self._broken = self._monotonic(), False

    async def read(self, *, wait_s: float) -> list[StreamMessage]:
        """Return the next messages."""
        async with _bus():
            if self._broken or self._is_silent():
                await self.begin()
            if not self._outstanding:
                await self._pull()
        messages: list[StreamMessage] = []
        octets = 0
        while octets < READ_OCTETS and not self._broken:
            try:
                message = await self._next(0.0 if messages else wait_s)
            except NatsError as error:
                # What was taken already is handed over; the next read begins anew behind it.
                self._broken = True
                if not messages:
                    raise BusUnavailableError(f"the bus does not answer: {type(error).__name__}") from error
                break
            if message is None:
                break
            taken = self._take(message)
            if taken is not None:
                messages.append(taken)
                octets += len(taken.octets)
        return messages

    def _is_silent(self) -> bool:
        waiting = self._subscription.pending_msgs if self._subscription else 0
        return not waiting and self._monotonic() - self._heard > SILENCE_S

    async def close(self) -> None:
        """Stop reading."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
            await self._client.jetstream().delete_consumer(DMZ_FRAME.name, self._consumer)
        except (NatsError, JetStreamError, TimeoutError, OSError):
            # The server forgets an unused consumer by itself.
            return

    async def _pull(self) -> None:
        request = {
            "batch": PULL_MESSAGES,
            "max_bytes": PULL_OCTETS,
            "expires": int(PULL_EXPIRES_S * _NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_S * _NANOSECONDS),
        }
        self._outstanding = PULL_MESSAGES
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{DMZ_FRAME.name}.{self._consumer}"
        await self._client.publish(subject, json.dumps(request).encode(), reply=self._inbox)

    async def _next(self, wait_s: float) -> Msg | None:
        if self._subscription is None or (wait_s == 0.0 and not self._subscription.pending_msgs):
            return None
        try:
            return await self._subscription.next_msg(timeout=wait_s or 0.01)
        except TimeoutError:
            return None

    def _take(self, message: Msg) -> StreamMessage | None:
        """Return the message, or None where it is the server's word about the pull or shows a gap."""
        self._heard = self._monotonic()
        status = (message.headers or {}).get("Status") if not message.data else None
        if status is not None:
            if status != "100":
                self._outstanding = 0
            return None
        sequence = message.metadata.sequence
        if sequence.consumer != self._delivered + 1:
            # A delivery was lost on the way; begin anew behind the last one that came.
            self._broken = True
            return None
        self._delivered, self._last_seq = sequence.consumer, sequence.stream
        self._outstanding -= 1
        return StreamMessage(sequence.stream, message.data)


class JetStreamOutbox:
    """A :class:`~openami.headend.ports.Outbox` on core's streams.

    Args:
        client: connected as ``core``.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def publish(self, outcome: Outcome, *, group: int, subject_partition: int) -> None:
        """Return when everything in the outcome is on disk."""
        name = f"g{group}-{outcome.first_seq}-{outcome.last_seq}"
        subject = reading_subject(subject_partition)
        sends = [
            self._send(subject, part.encode(), kind, f"{name}-{kind}-{i}")
            for kind, batch in (("reading", outcome.readings), ("register", outcome.registers))
            for i, part in enumerate(_parts(batch))
        ]
        for i in range(0, len(outcome.events), EVENTS_PER_MESSAGE):
            octets = encode_events(outcome.events[i : i + EVENTS_PER_MESSAGE])
            sends.append(self._send(event_subject(subject_partition), octets, "event", f"{name}-event-{i}"))
        async with _bus():
            # Every send is waited for, so that none goes on behind a failed one.
            failures = [r for r in await asyncio.gather(*sends, return_exceptions=True) if r is not None]
            if failures:
                raise failures[0]
            await self._publish_letters([letter.encode() for letter in outcome.letters])

    async def publish_answer(self, answer: Answer, *, name: str, subject_partition: int) -> None:
        """Return when every row that a meter answered with is on disk."""
        subject = reading_subject(subject_partition)
        sends = [
            self._send(subject, part.encode(), kind, f"{name}-{kind}-{i}")
            for kind, batch in (("reading", answer.readings), ("register", answer.registers))
            for i, part in enumerate(_parts(batch))
        ]
        if answer.events:
            octets = encode_events(answer.events)
            sends.append(self._send(event_subject(subject_partition), octets, "event", f"{name}-event"))
        async with _bus():
            failures = [r for r in await asyncio.gather(*sends, return_exceptions=True) if r is not None]
            if failures:
                raise failures[0]

    async def _send(self, subject: str, octets: bytes, kind: str, message_id: str) -> None:
        headers = {"Nats-Msg-Id": message_id, KIND_HEADER: kind}
        await self._client.jetstream().publish(subject, octets, timeout=PUBLISH_TIMEOUT_S, headers=headers)

    async def _publish_letters(self, letters: Sequence[bytes]) -> None:
        start = 0
        while start < len(letters):
            stop, octets = start, 0
            while stop < len(letters) and stop - start < LETTERS_PER_BATCH and octets < LETTER_OCTETS_PER_BATCH:
                octets += len(letters[stop])
                stop += 1
            await self._publish_atomically(letters[start:stop])
            start = stop

    async def _publish_atomically(self, letters: Sequence[bytes]) -> None:
        batch = uuid4().hex
        for number, letter in enumerate(letters[:-1], 1):
            headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
            await self._client.publish(DEADLETTER_SUBJECT, letter, headers=headers)
        headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(len(letters)), "Nats-Batch-Commit": "1"}
        answer = await self._client.request(DEADLETTER_SUBJECT, letters[-1], timeout=PUBLISH_TIMEOUT_S, headers=headers)
        word = json.loads(answer.data)
        if "error" in word:
            raise BusUnavailableError(f"the bus refused a batch of letters: {word['error'].get('code')}")


def _parts(batch: ReadingBatch | RegisterBatch) -> list[ReadingBatch | RegisterBatch]:
    """Split a batch so that each part fits a message; no rows, no part."""
    arrow = batch.to_arrow()
    return [
        type(batch).from_arrow(arrow.slice(start, ROWS_PER_MESSAGE)) for start in range(0, len(batch), ROWS_PER_MESSAGE)
    ]
