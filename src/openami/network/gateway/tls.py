"""TLS of many idle connections in little memory: the same :mod:`ssl`, other buffers.

An event loop's own TLS keeps a buffer of a quarter of a megabyte for each connection, of which a page or two stay in
memory, and lets OpenSSL's input grow to what ever came at once. Here one buffer serves all connections, because what
came is taken at once, and input is handed on in pieces. How long a handshake may take is the door's business.

TLS itself is OpenSSL's: this module moves octets and never looks at a record.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

READ_OCTETS = 64 * 1024
"""Taken from a socket at once, and held of a connection that is told to wait."""
PIECE_OCTETS = 8 * 1024
"""Handed to OpenSSL at once: its input buffer keeps the size that it once had."""
SHAKE_PIECE_OCTETS = 256
"""The same during a handshake, so that an idle connection's input buffer stays small."""
RECORD_OCTETS = 16 * 1024


class TlsServer:
    """What the connections of one server share.

    Args:
        context: a server's.
        make: makes the protocol above TLS.
    """

    __slots__ = ("buffer", "context", "make")

    def __init__(self, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self.context = context
        self.make = make
        self.buffer = memoryview(bytearray(READ_OCTETS))


class TlsEnd(asyncio.BufferedProtocol, asyncio.Transport):
    """The server's end of one TLS connection: a protocol below, a transport above.

    Args:
        server: what it shares with others.
        shaken: told whether the handshake came to its end.
    """

    __slots__ = ("_above", "_incoming", "_is_paused", "_outgoing", "_server", "_shaken", "_socket", "_tls")

    def __init__(self, server: TlsServer, shaken: asyncio.Future[bool]) -> None:
        self._server = server
        self._shaken: asyncio.Future[bool] | None = shaken
        self._socket: asyncio.Transport | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = server.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._above: asyncio.Protocol | None = None
        self._is_paused = False

    # -- below: the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the handshake."""
        self._socket = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the server's buffer: what lands in it is taken before another connection is read."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what landed."""
        buffer = self._server.buffer
        at, came = 0, []
        try:
            while at < nbytes and self._socket is not None:
                end = min(nbytes, at + (PIECE_OCTETS if self._above is not None else SHAKE_PIECE_OCTETS))
                self._incoming.write(buffer[at:end])
                at = end
                if self._above is None:
                    self._shake()
                if self._above is not None and not self._is_paused:
                    came += self._opened()
        except ssl.SSLError:
            if self._above is None:
                # The peer is told why, as far as TLS tells.
                self._flush()
                self.close()
            else:
                self.abort()
            return
        self._hand_up(came)

    def eof_received(self) -> bool:
        """End the connection: half a connection is none."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who is above."""
        above, self._above, self._socket = self._above, None, None
        self._tell(is_shaken=False)
        if above is not None:
            above.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell who is above."""
        if self._above is not None:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        """Tell who is above."""
        if self._above is not None:
            self._above.resume_writing()

    # -- TLS

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        self._flush()
        self._above = self._server.make()
        self._above.connection_made(self)
        self._tell(is_shaken=True)

    def _opened(self) -> list[bytes]:
        """Return what can be opened of what has come. Raises SSLError."""
        opened: list[bytes] = []
        try:
            while octets := self._tls.read(RECORD_OCTETS):
                opened.append(octets)
        except ssl.SSLWantReadError:
            return opened
        # The peer said goodbye.
        self.close()
        return opened

    def _hand_up(self, opened: list[bytes]) -> None:
        if opened and self._above is not None:
            # All at once: who is above works on many frames cheaper than on few.
            self._above.data_received(opened[0] if len(opened) == 1 else b"".join(opened))
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and self._socket is not None:
            self._socket.write(self._outgoing.read())

    def _tell(self, *, is_shaken: bool) -> None:
        shaken, self._shaken = self._shaken, None
        if shaken is not None and not shaken.done():
            shaken.set_result(is_shaken)

    # -- above: the transport of what TLS carries

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the TLS object, or what the socket knows."""
        if name == "ssl_object":
            return self._tls
        return self._socket.get_extra_info(name, default) if self._socket is not None else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets."""
        if self._socket is None:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when :meth:`pause_writing` is called."""
        if self._socket is not None:
            self._socket.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return what is written and not taken by the socket, octets."""
        return self._socket.get_write_buffer_size() if self._socket is not None else 0

    def is_closing(self) -> bool:
        """Tell whether it is over."""
        return self._socket is None or self._socket.is_closing()

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._is_paused = True
        if self._socket is not None:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        """Read on, first what is here already."""
        self._is_paused = False
        try:
            opened = self._opened()
        except ssl.SSLError:
            self.abort()
            return
        self._hand_up(opened)
        if not self._is_paused and self._socket is not None:
            self._socket.resume_reading()

    def close(self) -> None:
        """End the connection when what was written is out."""
        if self._socket is not None:
            self._socket.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._socket is not None:
            self._socket.abort()
