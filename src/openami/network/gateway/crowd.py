"""The open connections of a gateway, at most one of each collector, and when one has lasted long enough.

Memory is bounded by ``GatewayLimits``: connections times what one may hold, and unfinished frames of all together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from openami.network.gateway.connection import CollectorConnection
from openami.network.gateway.limits import GatewayLimits
from openami.network.link import LinkState
from openami.security.pki import PeerRefusedError


class Crowd:
    """Connections by collector.

    Args:
        limits: named limits.
        count: counts what became of a connection.
    """

    def __init__(self, limits: GatewayLimits, count: Callable[[str], None]) -> None:
        self._limits = limits
        self._count = count
        self._of: dict[int, CollectorConnection] = {}

    def __len__(self) -> int:
        return len(self._of)

    def take(self, connection: CollectorConnection, collector_id: int) -> None:
        """Take a connection. The newest of a collector wins: the older one is a line that died unnoticed.

        Raises:
            PeerRefusedError: there is no room for another.
        """
        if len(self._of) >= self._limits.max_connections:
            self._count("refused_full")
            raise PeerRefusedError("no room for another connection")
        older = self._of.get(collector_id)
        self._of[collector_id] = connection
        self._count("accepted")
        if older is not None:
            older.end("replaced")

    def of(self, collector_id: int) -> CollectorConnection | None:
        """Return a collector's connection, None where it has none."""
        return self._of.get(collector_id)

    def forget(self, connection: CollectorConnection) -> bool:
        """Forget a connection; False where a newer one of the same collector took its place, or it was never taken."""
        if self._of.get(connection.collector_id) is not connection:
            return False
        del self._of[connection.collector_id]
        return True

    def send_down(self, collector_id: int, octets: bytes) -> bool:
        """Hand a DOWN to a collector; False where it is not there, or takes nothing now."""
        connection = self._of.get(collector_id)
        return connection is not None and connection.send_down(octets)

    def acknowledge(self, collector_id: int, seq: int) -> None:
        """Tell a collector that everything to ``seq`` is in the stream."""
        connection = self._of.get(collector_id)
        # A newer connection that has not resumed reads its mark for itself.
        if connection is not None and connection.link.state is LinkState.OPEN:
            connection.acknowledge(seq)

    def stop_reading(self) -> None:
        """Take no more octets of anybody."""
        for connection in list(self._of.values()):
            connection.stop_reading()

    def go_on(self) -> None:
        """Read again of everybody whose rate allows it."""
        now_s = asyncio.get_running_loop().time()
        for connection in self._of.values():
            if not connection.is_reading:
                connection.go_on_reading(now_s)

    def end_all(self, cause: str) -> None:
        """End every connection."""
        self.end_where(lambda _collector_id, _serial: cause)

    def end_where(self, cause_of: Callable[[int, int], str | None]) -> list[int]:
        """End connections for which there is a cause, and return whose.

        Args:
            cause_of: given a collector's number and its certificate's serial, returns the cause in one word or None.
        """
        ended = []
        for connection in list(self._of.values()):
            cause = cause_of(connection.collector_id, connection.serial)
            if cause is not None:
                ended.append(connection.collector_id)
                connection.end(cause)
        return ended

    def end_overdue(self) -> None:
        """End who has not said HELLO, dawdles over a frame, or is silent; and the largest of too many unfinished."""
        now_s, limits = asyncio.get_running_loop().time(), self._limits
        partial = []
        for connection in list(self._of.values()):
            if not connection.is_reading:
                continue
            if connection.link.state is LinkState.AWAIT_HELLO and now_s - connection.opened_at_s > limits.hello_s:
                connection.end("no_hello")
            elif connection.partial_since_s is not None and now_s - connection.partial_since_s > limits.frame_s:
                connection.end("slow_frame")
            elif now_s - connection.heard_at_s > limits.silence_s:
                connection.end("silent")
            elif connection.link.partial_octets:
                partial.append((connection.link.partial_octets, connection.collector_id, connection))
        held = sum(octets for octets, _, _ in partial)
        for octets, _, connection in sorted(partial, reverse=True):
            if held <= limits.max_partial_octets:
                break
            connection.end("partial_frames")
            held -= octets
