"""The frame stream in NATS JetStream: one durable atomic batch per commit, fenced by the marks.

An atomic batch is N - 1 publishes and one request that commits. ``Nats-Expected-Last-Subject-Sequence`` on each mark
makes a batch that was delayed on its way, or that another gateway sends, fail as a whole.

Source: NATS ADR-50 (atomic batch publish); tested against nats-server 2.15.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import nats.errors
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError
from nats.js.errors import NotFoundError

from openami.contracts.stream import DMZ_FRAME, mark_subject
from openami.network.ports import NO_MARK, FrameStreamConflictError, FrameStreamError, Mark, StreamMessage

COMMIT_TIMEOUT_S = 10.0
MARK_TIMEOUT_S = 5.0
_WRONG_LAST_SEQUENCE = 10071
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class JetStreamFrames:
    """:class:`openami.network.ports.FrameStream` on a connected client of the DMZ account's user ``gateway``."""

    def __init__(self, client: Client, *, commit_timeout_s: float = COMMIT_TIMEOUT_S) -> None:
        self._client = client
        self._stream = client.jetstream(timeout=MARK_TIMEOUT_S)
        self._commit_timeout_s = commit_timeout_s

    async def read_mark(self, collector_id: int) -> Mark:
        """Return a collector's newest mark. Raises FrameStreamError."""
        self._require_connection()
        try:
            message = await self._stream.get_last_msg(DMZ_FRAME.name, mark_subject(collector_id), direct=True)
            row = json.loads(message.data or b"")
            return Mark(int(row["seq"]), int(message.seq or 0))
        except NotFoundError:
            return NO_MARK
        except (nats.errors.Error, JetStreamError, OSError, TimeoutError) as error:
            raise FrameStreamError(f"the bus did not say the mark: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise FrameStreamError(f"the mark of collector {collector_id} is not one") from error

    async def commit(self, messages: Sequence[StreamMessage], *, batch_id: str) -> int:
        """Commit a batch. Raises FrameStreamConflictError and FrameStreamError."""
        # Nothing may wait in the client's buffer for a connection that is not there: the collector sends it again.
        self._require_connection()
        try:
            for place, message in enumerate(messages[:-1], 1):
                await self._client.publish(message.subject, message.payload, headers=_headers(message, batch_id, place))
            last = messages[-1]
            headers = _headers(last, batch_id, len(messages)) | {"Nats-Batch-Commit": "1"}
            answer = await self._client.request(
                last.subject, last.payload, timeout=self._commit_timeout_s, headers=headers
            )
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise FrameStreamError(f"the bus did not answer a commit: {type(error).__name__}") from error
        return _sequence(answer.data, len(messages))

    def _require_connection(self) -> None:
        if not self._client.is_connected:
            raise FrameStreamError("the bus is not connected")


def _headers(message: StreamMessage, batch_id: str, place: int) -> dict[str, str]:
    headers = {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(place)}
    if message.expected_sequence is not None:
        headers[_EXPECTED] = str(message.expected_sequence)
    return headers


def _sequence(answer: bytes, count: int) -> int:
    try:
        row = json.loads(answer)
        if "error" not in row:
            # A single message is a batch of one and has no count in its answer.
            if count > 1 and row.get("count") != count:
                raise FrameStreamError(f"the bus kept {row.get('count')} of {count} messages")
            return int(row["seq"])
        code, text = row["error"].get("err_code"), str(row["error"].get("description"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FrameStreamError("the bus answered a commit with something else") from error
    if code == _WRONG_LAST_SEQUENCE:
        raise FrameStreamConflictError(f"the bus refused a batch: {text}")
    raise FrameStreamError(f"the bus refused a batch: {text}")
