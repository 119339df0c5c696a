"""How much a collector sends before the stream has said that it has it: two seconds of what the line carries.

Whatever is under way goes before a last gasp that comes now. On a fast line a large window keeps it full; on a cellular
line of a hundred kilobytes a second the same window would let a last gasp wait for half a minute. So the window
follows the rate at which acknowledgements come. Pure: takes octets and time.
"""

from __future__ import annotations

LEAST_OCTETS = 128 * 1024
MOST_OCTETS = 4 * 1024 * 1024
"""Two of the gateway's largest batches."""
SECONDS = 2.0
MEASURE_S = 0.25
"""The rate is measured over at least this long."""


class SendingWindow:
    """The window of one connection.

    >>> window = SendingWindow()
    >>> window.sent(500_000, now_s=0.0)
    >>> window.acknowledged(500_000, now_s=5.0)
    >>> window.limit, window.under_way
    (200000, 0)
    """

    __slots__ = ("_acked", "_since_s", "limit", "under_way")

    def __init__(self) -> None:
        self.limit = MOST_OCTETS // 4
        self.under_way = 0
        self._acked = 0
        self._since_s = 0.0

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be sent now."""
        return self.under_way >= self.limit

    def sent(self, octets: int, *, now_s: float) -> None:
        """Count octets that were handed to the connection."""
        if not self.under_way:
            # Time in which nothing was under way says nothing about the line.
            self._since_s, self._acked = now_s, 0
        self.under_way += octets

    def acknowledged(self, octets: int, *, now_s: float) -> None:
        """Count octets that the stream has."""
        self.under_way -= octets
        self._acked += octets
        passed_s = now_s - self._since_s
        if passed_s >= MEASURE_S:
            self.limit = max(LEAST_OCTETS, min(MOST_OCTETS, int(self._acked / passed_s * SECONDS)))
            self._since_s, self._acked = now_s, 0
