"""The store's Unix socket: takes requests from our own processes and answers from the service in worker threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from openami.contracts.errors import ContractError
from openami.mdm.adapters.store_engine import READ_HANDLES, WRITE_HANDLES
from openami.mdm.adapters.store_service import StoreService
from openami.mdm.adapters.store_stream import FrameStream
from openami.mdm.ports import StoreError, StoreUnavailableError
from openami.mdm.store.wire import FrameKind, Refusal, Request, WireError, encode_columns, encode_refusal
from openami.security.access.scope import ScopeError

_LOG = structlog.get_logger()
MAX_CONNECTIONS = 128
MAX_WAITING = 64
"""Requests that may wait for a thread; one more is told to try again, so a queue never hides an overload."""
BODY_SECONDS = 60
SEND_SECONDS = 60
DRAIN_SECONDS = 10
_END = object()


@dataclass(slots=True)
class StoreServer:
    """Serves named queries until closed.

    Args:
        service: what answers.
        place: path of the socket, made with mode 0600; a stale one is replaced.
    """

    service: StoreService
    place: Path
    _listener: socket.socket | None = None
    _accepting: asyncio.Task[None] | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _readers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(READ_HANDLES, "store-read"))
    _writers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WRITE_HANDLES, "store-write"))
    _under_way: int = 0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the path cannot be listened on.
        """
        self._quiet.set()
        self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The mode is set before anyone can connect: bind makes the file, listen opens the door.
        listener.bind(str(self.place))
        self.place.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
        listener.setblocking(False)
        self._listener = listener
        self._accepting = self._start_task(self._accept(listener))

    async def close(self) -> None:
        """Stop listening, let requests under way finish for a moment, and close."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self.place.unlink(missing_ok=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), DRAIN_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in (self._readers, self._writers):
            pool.shutdown(wait=True, cancel_futures=True)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                return
            if len(self._tasks) > MAX_CONNECTIONS or _peer_uid(connection) != os.getuid():
                _LOG.warning("store.connection_refused", connections=len(self._tasks))
                connection.close()
                continue
            self._tasks.add(self._start_task(self._serve(FrameStream(connection))))

    async def _serve(self, stream: FrameStream) -> None:
        try:
            while True:
                await self._one(stream, await _expect(stream, FrameKind.REQUEST))
        except WireError as error:
            _LOG.warning("store.bad_frame", problem=str(error))
            with contextlib.suppress(OSError):
                await stream.send(FrameKind.ERROR, encode_refusal(Refusal.REFUSED, str(error)))
        except (OSError, TimeoutError):
            return  # The client went away; what it was told stays true.
        finally:
            stream.close()

    async def _one(self, stream: FrameStream, octets: memoryview) -> None:
        request = Request.decode(bytes(octets))
        body: memoryview | None = None
        if request.has_body:
            body = await asyncio.wait_for(_expect(stream, FrameKind.BODY), BODY_SECONDS)
        if self._under_way >= MAX_WAITING:
            await stream.send(FrameKind.ERROR, encode_refusal(Refusal.UNAVAILABLE, "the store is busy: try again"))
            return
        self._under_way += 1
        self._quiet.clear()
        try:
            await self._answer(stream, request, body)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._quiet.set()

    async def _answer(self, stream: FrameStream, request: Request, body: memoryview | None) -> None:
        loop = asyncio.get_running_loop()
        pool = self._writers if request.query == "write" else self._readers
        parts = self.service.answer(request, body)
        try:
            while True:
                part = await loop.run_in_executor(pool, _next_part, parts)
                if part is _END:
                    await stream.send(FrameKind.END)
                    return
                await asyncio.wait_for(stream.send(FrameKind.PART, part), SEND_SECONDS)
        except ScopeError as error:
            await stream.send(FrameKind.ERROR, encode_refusal(Refusal.OUT_OF_SCOPE, str(error)))
        except StoreUnavailableError as error:
            _LOG.warning("store.unavailable", query=request.query, problem=str(error))
            await stream.send(FrameKind.ERROR, encode_refusal(Refusal.UNAVAILABLE, str(error)))
        except (StoreError, ContractError) as error:
            _LOG.warning("store.refused", query=request.query[:40], problem=str(error))
            await stream.send(FrameKind.ERROR, encode_refusal(Refusal.REFUSED, str(error)))


async def _expect(stream: FrameStream, wanted: FrameKind) -> memoryview:
    kind, octets = await stream.receive()
    if kind is not wanted:
        raise WireError(f"frame: {kind.name} where {wanted.name} was expected")
    return octets


def _next_part(parts: Iterator[pa.RecordBatch]) -> Any:
    """Compute and encode the next part in a thread; an exhausted answer is told by a value, not an exception."""
    for part in parts:
        return encode_columns(part)
    return _END


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])
