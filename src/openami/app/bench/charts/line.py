"""Connections to the portal that stay open, as a browser keeps them: HTTP/1.1, one request on the way at a time.

Our own few lines instead of a client library: the client runs on the processors that are measured, so what it spends
counts, and the product needs no HTTP client for anything else.

A server closes what rested for some seconds, so a connection is opened again when its turn comes; what that takes
counts. A GET that met the closing is asked once more, which the protocol allows.

Source: RFC 9112, sections 3 (request line), 5 (field lines), 6.2 (Content-Length) and 9.3.1 (retrying requests).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from openami.kernel.errors import OpenAmiError

HOST = "127.0.0.1"
WAIT_S = 60.0
MOST_OCTETS = 64 * 1024 * 1024
"""Of one answer: a year of quarter-hours has about one."""


Line: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LineError(OpenAmiError):
    """The portal answered otherwise than it should, or not at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Args:
        status: HTTP status.
        cookie: the ``name=value`` that the answer sets, or empty.
        body: its octets.
    """

    status: int
    cookie: str
    body: bytes


class Lines:
    """Connections that requests take turns on.

    Args:
        port: of the portal on this machine.
        count: how many; a request beyond that waits for one that is free, and its waiting counts.
    """

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self._free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lines]:
        """Hold the connections open for the length of the block; all requests must have ended by its end."""
        try:
            for _ in range(self._count):
                self._free.put_nowait(await self._opened())
            yield self
        finally:
            for writer in self._writers:
                writer.close()

    async def get(self, path: str, cookie: str) -> bytes:
        """Return the body of a page.

        Raises:
            LineError: the answer is no 200.
        """
        answer = await self._ask(f"GET {path}", f"Cookie: {cookie}\r\n", b"")
        if answer.status != 200:
            raise LineError(f"the portal answered {answer.status} to {path.partition('?')[0]}")
        return answer.body

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a JSON document and return the answer."""
        return await self._ask(f"POST {path}", "Content-Type: application/json\r\n", body)

    async def _opened(self) -> Line:
        line = await asyncio.open_connection(HOST, self._port)
        self._writers.append(line[1])
        return line

    async def _ask(self, what: str, fields: str, body: bytes) -> Answer:
        head = f"{what} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        line = await self._free.get()
        try:
            async with asyncio.timeout(WAIT_S):
                try:
                    answer = await _told(line, head.encode() + body)
                except ConnectionError:
                    if not what.startswith("GET "):
                        raise
                    line[1].close()
                    line = await self._opened()
                    answer = await _told(line, head.encode() + body)
        except (OSError, EOFError, TimeoutError) as error:
            raise LineError(f"the portal did not answer: {type(error).__name__}") from error
        # Only a connection whose answer was read to its end can carry the next request.
        self._free.put_nowait(line)
        return answer


async def _told(line: Line, request: bytes) -> Answer:
    reader, writer = line
    writer.write(request)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        raise ConnectionResetError("closed before it answered") from error
    return await _answer(head, reader)


async def _answer(head: bytes, reader: asyncio.StreamReader) -> Answer:
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(fields.get("content-length", "-1"))
    if not 0 <= length <= MOST_OCTETS:
        raise LineError("the portal's answer has no length that can be believed")
    cookie = fields.get("set-cookie", "").partition(";")[0]
    return Answer(int(status.split(" ")[1]), cookie, await reader.readexactly(length))
