"""What connections ask of the gateway: may they come in, where do they go on, and who hears what they say.

Real time only, but for the rates of meters, which count in domain time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from openami.network.gateway.airtime import AirtimePost
from openami.network.gateway.check import is_association_answer, is_refusal_in_clear
from openami.network.gateway.connection import CollectorConnection
from openami.network.gateway.crowd import Crowd
from openami.network.gateway.desk import CommandDesk
from openami.network.gateway.flow import Flow
from openami.network.gateway.health import HealthBook
from openami.network.gateway.publisher import Publisher
from openami.network.gateway.standing import Standing
from openami.network.link import LinkMessage
from openami.network.ports import FrameStreamError, KnownTitles, RateLimit
from openami.security.pki import PeerIdentity, PeerRefusedError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks of a gateway.

    Args:
        command_ms: real time of the road down [ms]; 0 where nothing goes down.
        health_ms: real time of what is said of collectors [ms]; 0 where nothing is said.
        domain_s: domain time [s].
    """

    command_ms: Callable[[], int]
    health_ms: Callable[[], int]
    domain_s: Callable[[], float]


class Reception:
    """Answers connections; the :class:`~openami.network.gateway.connection.ConnectionHost` of a gateway.

    Args:
        publisher, desk, standing, crowd, flow, health, airtime: parts of the gateway.
        times: its clocks.
        count: counts an event by its name.
        marks_at_once: how many marks are looked up in the stream at once.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        desk: CommandDesk,
        standing: Standing,
        crowd: Crowd,
        flow: Flow,
        health: HealthBook,
        airtime: AirtimePost,
        times: Times,
        count: Callable[[str], None],
        marks_at_once: int,
    ) -> None:
        self.publisher, self.desk, self.count = publisher, desk, count
        self.titles: KnownTitles = standing.titles
        self.acked: dict[int, int] = {}
        """The highest sequence number that each collector was told is in the stream."""
        self._standing, self._crowd, self._flow = standing, crowd, flow
        self._health, self._airtime = health, airtime
        self._command_ms, self._real_ms, self._now_s = times.command_ms, times.health_ms, times.domain_s
        self._mark_turns = asyncio.Semaphore(marks_at_once)
        self._resuming: set[asyncio.Task[None]] = set()

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """Marks that are being looked up."""
        return frozenset(self._resuming)

    def admit(self, connection: CollectorConnection, peer: PeerIdentity) -> RateLimit | None:
        """Take a connection of a collector that may come in. Raises PeerRefusedError."""
        if word := self._standing.revoked.refusal_of(peer.number, peer.serial):
            self.count(f"refused_{word}")
            now_ms = self._real_ms()
            # Core hears that it came, and when.
            self._health.gone(peer.number, heard_at_ms=now_ms, cause=word, now_ms=now_ms)
            raise PeerRefusedError(f"the certificate is {word}")
        self._crowd.take(connection, peer.number)
        self._health.opened(peer.number, now_ms=self._real_ms())
        return self._flow.cells.bucket_of(peer.number, connection.opened_at_s) if self._flow.cells else None

    def introduced(self, connection: CollectorConnection) -> None:
        """Look up the mark beside everything else."""
        task = asyncio.create_task(self._resume(connection))
        self._resuming.add(task)
        task.add_done_callback(self._resuming.discard)

    async def _resume(self, connection: CollectorConnection) -> None:
        async with self._mark_turns:
            if connection.is_closed:
                return
            try:
                mark = await self.publisher.read_mark(connection.collector_id)
            except FrameStreamError:
                connection.end("no_mark")
                return
        hello = connection.link.hello
        if hello is not None and mark.seq and mark.seq < hello.lowest_seq - 1:
            # The stream does not have what the collector was told it has. Nothing can bring that back: say it.
            self.count("sequence_gaps")
            _log.error(
                "gateway.sequence_gap", collector=connection.collector_id, mark=mark.seq, lowest=hello.lowest_seq
            )
        self.acked[connection.collector_id] = mark.seq
        connection.resume_at(mark.seq)

    def received(self, connection: CollectorConnection, message: LinkMessage) -> None:
        """Take what became of a command. Raises LinkError."""
        self.desk.result(connection.collector_id, message, now_ms=self._command_ms())

    def heartbeat(self, connection: CollectorConnection, message: LinkMessage) -> None:
        """Take what a collector says of its health. Raises LinkError."""
        self._health.heard(connection.collector_id, message, now_ms=self._real_ms())

    def airtime(self, connection: CollectorConnection, message: LinkMessage) -> None:
        """Take how long radios were on the air. Raises LinkError."""
        self._airtime.take(connection.collector_id, message, self.titles, now_s=asyncio.get_running_loop().time())

    def awaits_in_clear(self, collector_id: int, message: LinkMessage) -> bool:
        """Tell whether a frame in the clear is the answer to a command that its meter has in hand."""
        is_association = is_association_answer(message.body, message.title)
        return (is_association or is_refusal_in_clear(message.body)) and self.desk.expects_in_clear(
            message.title, collector_id, is_association=is_association, now_ms=self._command_ms()
        )

    def over_rate(self) -> Callable[[bytes], bool] | None:
        """Return what counts a frame for its meter now and tells whether it is beyond what a meter can have."""
        rates, asked, now_s = self._flow.meters, self.desk.is_asked, self._now_s()
        # A meter that is asked answers: as often as it is asked.
        return None if rates is None else lambda title: not (asked(title) or rates.takes(title, now_s=now_s))

    def doubt_of(self, collector_id: int) -> tuple[int, int] | None:
        """Return from when until when, by its own stamps, a collector was in the wrong hands."""
        return self._standing.revoked.doubt_of(collector_id)

    def left(self, connection: CollectorConnection) -> None:
        """Forget a connection, unless a newer one of the same collector took its place."""
        if self._crowd.forget(connection):
            self.desk.collector_left(connection.collector_id, now_ms=self._command_ms())
            now_ms = self._real_ms()
            silent_ms = int((asyncio.get_running_loop().time() - connection.heard_at_s) * 1000)
            self._health.gone(
                connection.collector_id,
                heard_at_ms=max(0, now_ms - silent_ms),
                cause=connection.ended_by or "closed",
                now_ms=now_ms,
            )
