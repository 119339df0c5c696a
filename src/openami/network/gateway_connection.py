"""One TCP connection of a collector to the gateway: octets in both directions and how much is under way."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from openami.kernel.errors import OpenAmiError
from openami.network.link import CollectorLink, LinkMessage, MessageType, encode_message
from openami.network.sending_window import SendingWindow
from openami.security.pki import ALPN, PeerRefusedError, Role, peer_identity

HEARTBEAT_S = 30.0
SILENCE_S = 90.0
"""Three heartbeats without a word: the connection is dead."""


class ConnectionLostError(OpenAmiError):
    """The gateway cannot be reached or ended the connection. The collector tries again."""


class GatewayConnection(asyncio.Protocol):
    """One connection.

    Args:
        wake: set whenever something happened.
        take: takes each message.
        report: gives the health report that goes into each heartbeat; None for a collector that makes none.
    """

    def __init__(
        self,
        wake: asyncio.Event,
        take: Callable[[GatewayConnection, LinkMessage], None],
        report: Callable[[], bytes] | None = None,
    ) -> None:
        self.link = CollectorLink()
        self.has_resumed = False
        self.lost: Exception | None = None
        self._wake = wake
        self._take = take
        self._report = report
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._in_flight: deque[tuple[int, int]] = deque()
        self._window = SendingWindow()
        self._heard_at = asyncio.get_running_loop().time()
        self._asked_at = self._heard_at

    @property
    def is_open(self) -> bool:
        """Whether frames can flow."""
        return self.has_resumed and self.lost is None

    @property
    def is_full(self) -> bool:
        """Whether the window or the socket takes no more now."""
        return self._is_paused or self._window.is_full

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look at the certificate."""
        self._transport = cast("asyncio.Transport", transport)
        try:
            _check_gateway(transport.get_extra_info("ssl_object"))
        except PeerRefusedError as error:
            self._end(error)

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        if self.lost is not None:
            return
        self._heard_at = asyncio.get_running_loop().time()
        try:
            for message in self.link.receive(data):
                self._take(self, message)
        except OpenAmiError as error:
            self._end(error)
        self._wake.set()

    def pause_writing(self) -> None:
        """Take no more frames: the socket is full."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Take frames again."""
        self._is_paused = False
        self._wake.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        if self.lost is None:
            self.lost = ConnectionLostError(f"the gateway ended the connection ({type(exc).__name__})")
        self._wake.set()

    def send(self, octets: bytes) -> None:
        """Hand octets to the socket."""
        if self._transport is not None and self.lost is None:
            self._transport.write(octets)

    def send_frames(self, messages: bytearray, *, last_seq: int) -> None:
        """Send frames and count them as under way."""
        self.link.sent(last_seq)
        self._in_flight.append((last_seq, len(messages)))
        self._window.sent(len(messages), now_s=asyncio.get_running_loop().time())
        self.send(bytes(messages))

    def acknowledged(self, seq: int) -> None:
        """Count what the stream has as no longer under way."""
        octets = 0
        while self._in_flight and self._in_flight[0][0] <= seq:
            octets += self._in_flight.popleft()[1]
        if octets:
            self._window.acknowledged(octets, now_s=asyncio.get_running_loop().time())

    def keep_alive(self, now: float, *, has_news: bool = False) -> None:
        """Send a heartbeat when it is due; end a connection that has been silent for too long.

        One that carries health is due whatever else flows; a bare one only where nothing does.

        Args:
            now: the loop's time [s].
            has_news: whether the health report holds something that must not wait.
        """
        if now - self._heard_at >= SILENCE_S:
            self._end(ConnectionLostError(f"the gateway was silent for {SILENCE_S:.0f} s"))
            return
        since = self._asked_at if self._report is not None else max(self._asked_at, self._heard_at)
        if has_news or now - since >= HEARTBEAT_S:
            self._asked_at = now
            self.send(encode_message(MessageType.HEARTBEAT, body=self._report() if self._report is not None else b""))

    def close(self) -> None:
        """End the connection."""
        if self.lost is None:
            self.lost = ConnectionLostError("this side ended the connection")
        if self._transport is not None:
            self._transport.abort()

    def _end(self, cause: Exception) -> None:
        self.lost = cause
        self.close()
        self._wake.set()


def _check_gateway(tls: ssl.SSLObject) -> None:
    if tls.selected_alpn_protocol() != ALPN:
        raise PeerRefusedError("the peer does not speak link v1")
    if peer_identity(tls.getpeercert()).role is not Role.GATEWAY:
        raise PeerRefusedError("the peer's certificate is not a gateway's")
