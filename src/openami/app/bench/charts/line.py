"""Connections to the portal that stay open, as a browser keeps them: HTTP/1.1, one request on the way at a time.

Our own few lines instead of a client library: the client runs on the processors that are measured, so what it spends
counts, and the product needs no HTTP client for anything else.

Source: RFC 9112, sections 3 (request line), 5 (field lines) and 6.2 (Content-Length).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openami.kernel.errors import OpenAmiError

HOST = "127.0.0.1"
WAIT_S = 60.0
MOST_OCTETS = 64 * 1024 * 1024
"""Of one answer: a year of quarter-hours has about one."""


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
        self._free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lines]:
        """Hold the connections open for the length of the block; all requests must have ended by its end."""
        writers = []
        try:
            for _ in range(self._count):
                line = await asyncio.open_connection(HOST, self._port)
                writers.append(line[1])
                self._free.put_nowait(line)
            yield self
        finally:
            for writer in writers:
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

    async def _ask(self, what: str, fields: str, body: bytes) -> Answer:
        reader, writer = await self._free.get()
        head = f"{what} HTTP/1.1\r\nHost: {HOST}:{self._port}\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        try:
            async with asyncio.timeout(WAIT_S):
                answer = await _answer(reader)
        except (OSError, EOFError, TimeoutError) as error:
            raise LineError(f"the portal did not answer: {type(error).__name__}") from error
        # Only a connection whose answer was read to its end can carry the next request.
        self._free.put_nowait((reader, writer))
        return answer


async def _answer(reader: asyncio.StreamReader) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(fields.get("content-length", "-1"))
    if not 0 <= length <= MOST_OCTETS:
        raise LineError("the portal's answer has no length that can be believed")
    cookie = fields.get("set-cookie", "").partition(";")[0]
    return Answer(int(status.split(" ")[1]), cookie, await reader.readexactly(length))
