"""Counts of time on the air, on their way from collectors to core: checked, held to a pace, and put on the bus.

A count only grows and is said again every hour, so nothing is kept on disk here and a count that is dropped costs
nothing but an hour. The newest of each collector and part is what core needs, and all that the stream keeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from openami.contracts.airtime import decode_airtime, encode_airtime
from openami.contracts.errors import ContractError
from openami.network.link import LinkError, LinkMessage
from openami.network.ports import AirtimeBus, FrameStreamError, KnownTitles

MAX_PARTS = 16
"""Messages that one collector's meters may take: 32,000 meters, more than any collector hears."""
CALM_S = 30.0
"""One message of a collector and part in this time; a faster one is left out."""
MAX_WAITING_OCTETS = 8 * 1024 * 1024
"""With the bus away: what comes beyond is said again in an hour."""
LOOK_EVERY_S = 1.0
_log = structlog.get_logger(__name__)


class AirtimePost:
    """What waits for the bus.

    Args:
        bus: where it goes; None drops it all.
    """

    def __init__(self, bus: AirtimeBus | None) -> None:
        self.counts: Counter[str] = Counter()
        self._bus = bus
        self._taken_at_s: dict[tuple[int, int], float] = {}
        self._waiting: dict[tuple[int, int], bytes] = {}

    @property
    def waiting_octets(self) -> int:
        """Octets that wait for the bus."""
        return sum(len(octets) for octets in self._waiting.values())

    def take(self, collector_id: int, message: LinkMessage, titles: KnownTitles, *, now_s: float) -> None:
        """Take a collector's message; rows of devices that may not send are left out.

        Args:
            collector_id: who sends it.
            message: its ``seq`` is the number of the part.
            titles: devices that may send.
            now_s: monotonic time [s].

        Raises:
            LinkError: it is no such message.
        """
        place = (collector_id, message.seq)
        if message.seq >= MAX_PARTS:
            raise LinkError("airtime", f"part {message.seq} of an airtime message", offset=0)
        try:
            rows = [row for row in decode_airtime(message.body) if row.title.octets in titles]
        except ContractError as error:
            raise LinkError("airtime", str(error), offset=0) from error
        if self._bus is None or now_s - self._taken_at_s.get(place, -CALM_S) < CALM_S:
            self.counts["airtime_left_out"] += 1
            return
        octets = encode_airtime(rows)
        held = self.waiting_octets - len(self._waiting.get(place, b""))
        if not rows or held + len(octets) > MAX_WAITING_OCTETS:
            self.counts["airtime_left_out"] += 1
            return
        self._taken_at_s[place] = now_s
        self._waiting[place] = octets
        self.counts["airtime_taken"] += 1

    async def run(self) -> None:
        """Put what waits on the bus every second, until cancelled; what it did not keep is tried again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.put()

    async def put(self) -> None:
        """Put what waits on the bus now."""
        for place, octets in list(self._waiting.items()):
            if self._bus is None:
                return
            try:
                await self._bus.put(*place, octets)
            except FrameStreamError as error:
                _log.warning("gateway.airtime_not_put", problem=str(error))
                return
            if self._waiting.get(place) is octets:
                del self._waiting[place]
