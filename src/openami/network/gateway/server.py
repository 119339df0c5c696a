"""The gateway as a server: connections, the publisher, a look around every second, and a status file.

Real time only, but for the stamp on batches. Memory is bounded by ``GatewayLimits``: connections times what one may
hold, and what is gathered for the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import structlog

from openami.contracts.command import CommandOutcome
from openami.contracts.directive import DirectiveKind
from openami.kernel.clock import Clock
from openami.network.gateway.airtime import AirtimePost
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.command import NoSigningKeys
from openami.network.gateway.connection import CollectorConnection
from openami.network.gateway.crowd import Crowd
from openami.network.gateway.desk import CommandDesk, Commanding
from openami.network.gateway.door import Door
from openami.network.gateway.flow import Flow
from openami.network.gateway.health import HealthBook, HealthTelling, tell_health
from openami.network.gateway.limits import GatewayLimits
from openami.network.gateway.publisher import Publisher
from openami.network.gateway.quarantine import QUARANTINE, Quarantine, QuarantineError
from openami.network.gateway.rate import CommandRates
from openami.network.gateway.reception import Reception, Times
from openami.network.gateway.refused import COUNT_PREFIX, STATUS, refused_counts
from openami.network.gateway.routes import KEEP_EVERY_S, RouteBook
from openami.network.gateway.segment import SegmentWriter
from openami.network.gateway.standing import Standing
from openami.network.gateway.thinning import RELEASABLE
from openami.network.gateway.thresholds import SwitchingGuard
from openami.network.gateway.thresholds.telling import ThresholdTelling
from openami.network.ports import (
    AirtimeBus,
    DirectiveBus,
    FrameStream,
    KnownTitles,
    SigningKeys,
    ThresholdBus,
)
from openami.security.pki import RevocationList

NUMBERS_A_MS = 1_000
"""More commands a millisecond than a gateway hands down."""
_log = structlog.get_logger(__name__)


class Gateway:
    """One gateway process.

    Args:
        gateway_id: its number.
        folder: its files: ``segments/``, ``quarantine/``, ``directives/`` and ``status.json``.
        stream: the durable stream.
        ssl_context: as :func:`openami.security.pki.server_context` makes it.
        clock: domain time, for stamps.
        real_today: today's date in real time.
        run_name: unlike that of any other run; begins batch ids.
        revoked: certificates that are refused, beside those that core tells of.
        titles: devices that may send, until core tells of them.
        commanding: the road down; None: nothing goes down.
        telling: where the health of collectors is said; None: nowhere.
        directive_bus: what core tells as standing facts; None: what is on disk and in files holds.
        airtime_bus: where the counts of radios go; None: nowhere.
        threshold_bus: where it is said that a threshold is near or reached; None: in the log alone.
        limits: named limits.
        flow: how much may come in; None: as much as comes, but for sources that are hasty.

    Raises:
        SegmentError, QuarantineError: the disk refused.
    """

    def __init__(
        self,
        *,
        gateway_id: int,
        folder: Path,
        stream: FrameStream,
        ssl_context: ssl.SSLContext,
        clock: Clock,
        real_today: Callable[[], date],
        run_name: str,
        revoked: RevocationList,
        titles: KnownTitles | None = None,
        commanding: Commanding | None = None,
        telling: HealthTelling | None = None,
        directive_bus: DirectiveBus | None = None,
        airtime_bus: AirtimeBus | None = None,
        threshold_bus: ThresholdBus | None = None,
        limits: GatewayLimits | None = None,
        flow: Flow | None = None,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Staff see what was ever refused, not what was refused since the last restart.
        self.counts: Counter[str] = _refused_before(folder)
        self._folder = folder
        self._ssl_context = ssl_context
        self._real_today = real_today
        self._flow = flow or Flow()
        self._clock = clock
        self._commanding = commanding
        self._telling = telling
        self.health = HealthBook(gateway_id, since_ms=self._health_now_ms())
        self._airtime = AirtimePost(airtime_bus)
        self._keys: SigningKeys = commanding.keys if commanding else NoSigningKeys()
        self._threshold_telling = ThresholdTelling(threshold_bus)
        self._limits = limits or GatewayLimits()
        self._crowd = Crowd(self._limits, self.count)
        # Numbers go on in time, so that a RESULT of an earlier run fits nothing of this one.
        self.desk = CommandDesk(
            keys=self._keys,
            send=self._crowd.send_down,
            tell=self._tell,
            first_number=self._now_ms() * NUMBERS_A_MS + 1,
            book=RouteBook(folder / "routes"),
            rates=CommandRates(file=folder / "command_rates.json"),
            guard=SwitchingGuard(
                gateway_id=gateway_id, folder=folder, tell=self._threshold_telling.say, now_ms=self._now_ms()
            ),
        )
        self._segments = SegmentWriter(folder / "segments")
        self._swept: date | None = None
        self._keep_routes_at_s = 0.0
        self.publisher = Publisher(
            gateway_id=gateway_id,
            stream=stream,
            segments=self._segments,
            quarantine=Quarantine(folder / QUARANTINE),
            clock=clock,
            real_today=real_today,
            batch_prefix=run_name,
            gather_s=self._limits.gather_s,
            max_octets=self._limits.max_gathered_octets,
            on_committed=self._committed,
            on_failed=self._failed,
        )
        self.standing = Standing(
            gateway_id=gateway_id,
            folder=folder,
            keys=self._keys,
            bus=directive_bus,
            titles=titles,
            revoked=revoked,
            publisher=self.publisher,
            end_refused=self._end_refused,
        )
        self.directives = self.standing.book
        self._reception = Reception(
            publisher=self.publisher,
            desk=self.desk,
            standing=self.standing,
            crowd=self._crowd,
            flow=self._flow,
            health=self.health,
            airtime=self._airtime,
            times=Times(self._now_ms, self._health_now_ms, lambda: clock.now().timestamp()),
            count=self.count,
            marks_at_once=self._limits.marks_at_once,
        )
        self.directives.on(DirectiveKind.THRESHOLDS, self.desk.guard.take_thresholds)
        self.directives.on(DirectiveKind.RELEASE, self.desk.guard.take_released)

    async def run(self, stop: asyncio.Event, *, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until ``stop`` is set, then put what is gathered into the stream and return.

        Args:
            stop: ends the service.
            host: address to listen on.
            port: TCP port; 0 takes any.
            ready: called with the port once collectors can connect.

        Raises:
            OSError: the address is taken.
        """
        await self.standing.read()
        publishing = asyncio.create_task(self.publisher.run())
        looking = asyncio.create_task(self._look_around())
        beside = (
            self.standing.hear(),
            self.standing.releases.run(),
            self._threshold_telling.run(),
            self._airtime.run(),
        )
        work = [publishing, looking, *(asyncio.create_task(one) for one in beside)]
        if self._telling is not None:
            work.append(asyncio.create_task(tell_health(self.health, self._telling)))
        stopping = asyncio.create_task(stop.wait())
        door = Door(
            lambda: CollectorConnection(self._reception),
            ssl_context=self._ssl_context,
            handshake_s=self._limits.handshake_s,
            rates=self._flow.sources,
            count=self.count,
        )
        try:
            taken = door.open(host, port)
            if self._commanding is not None:
                await self._commanding.bus.subscribe(lambda octets: self.desk.take(octets, now_ms=self._now_ms()))
            work.append(asyncio.create_task(door.run()))
            ready(taken)
            done, _ = await asyncio.wait({*work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            await door.close()
            await self._finish([*work, stopping])

    async def _finish(self, tasks: list[asyncio.Task[None] | asyncio.Task[bool]]) -> None:
        self._crowd.stop_reading()
        if not tasks[0].done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.publisher.drain(), self._limits.drain_s)
        self._crowd.end_all("shutdown")
        pending: set[asyncio.Task[None] | asyncio.Task[bool]] = {*tasks, *self._reception.tasks}
        while pending:
            for task in pending:
                task.cancel()
            # Again, because a wait whose answer comes at this very moment swallows the cancellation (bpo-37658).
            _, pending = await asyncio.wait(pending, timeout=0.2)
        self._segments.close()
        self.desk.book.keep()
        self.desk.guard.held.keep()
        self.desk.rates.keep()
        self._write_status()

    def count(self, event: str, amount: int = 1) -> None:
        """Count something for the status file."""
        self.counts[event] += amount

    # -- the road down

    def _tell(self, outcome: CommandOutcome) -> None:
        if self._commanding is not None:
            self._commanding.bus.tell(outcome)

    def _now_ms(self) -> int:
        return self._commanding.real_now_ms() if self._commanding else 0

    def _health_now_ms(self) -> int:
        return self._telling.real_now_ms() if self._telling else 0

    # -- what the publisher says

    def _committed(self, last_seq: dict[int, int], refused: Sequence[RefusedFrame]) -> None:
        releases = self.standing.releases
        releases.refused(refused)
        for collector_id, seq in last_seq.items():
            if collector_id == releases.release_id:
                releases.committed(seq)
                continue
            self._reception.acked[collector_id] = seq
            self._crowd.acknowledge(collector_id, seq)
        if refused:
            self._note_refused(refused)
            self.counts += Counter(COUNT_PREFIX + frame.reason for frame in refused)
            self._write_status()
        if not self.publisher.is_full:
            self._crowd.go_on()

    def _note_refused(self, frames: Sequence[RefusedFrame]) -> None:
        """Core hears who brings what nobody takes."""
        now_ms = self._health_now_ms()
        of = Counter((frame.collector_id, frame.reason in RELEASABLE) for frame in frames)
        for collector_id in {number for number, _ in of}:
            refused, set_aside = of[collector_id, False], of[collector_id, True]
            self.health.refused(collector_id, refused=refused, set_aside=set_aside, now_ms=now_ms)

    def _failed(self) -> None:
        self.standing.releases.failed()
        self._crowd.end_all("not_committed")

    def _end_refused(self, refusal_of: Callable[[int, int], str | None]) -> None:
        for collector_id in self._crowd.end_where(refusal_of):
            _log.warning("gateway.session_ended", collector=collector_id)

    # -- every second

    async def _look_around(self) -> None:
        while True:
            await self.standing.refresh()
            self._crowd.end_overdue()
            self.desk.end_overdue(now_ms=self._now_ms())
            self.desk.guard.look_around(now_ms=self._now_ms())
            self.desk.rates.keep()
            if not self.publisher.is_full:
                self._crowd.go_on()
            self._write_status()
            if asyncio.get_running_loop().time() >= self._keep_routes_at_s:
                self._keep_routes_at_s = asyncio.get_running_loop().time() + KEEP_EVERY_S
                self.desk.book.keep()
            today = self._real_today()
            if today != self._swept:
                self._swept = today
                await asyncio.to_thread(self._segments.sweep, today=today)
            await asyncio.sleep(1.0)

    def _all_counts(self) -> Counter[str]:
        beside = (self.publisher, self.desk, self.directives, self._airtime, self.standing.releases)
        return sum((part.counts for part in beside), self.counts.copy())

    def _write_status(self) -> None:
        status = {
            "connections": len(self._crowd),
            "gathered_octets": self.publisher.octets,
            "counts": dict(sorted(self._all_counts().items())),
            "routes": len(self.desk.book.routes),
            "held_commands": len(self.desk.guard.held),
            "thresholds_version": self.desk.guard.thresholds.version,
            "acked_seq": self._reception.acked,
        }
        temporary = self._folder / "status.new"
        try:
            temporary.write_text(json.dumps(status))
            temporary.replace(self._folder / STATUS)
        except OSError as error:
            _log.warning("gateway.status_unwritable", cause=type(error).__name__)


def _refused_before(folder: Path) -> Counter[str]:
    """Return what earlier runs counted as refused; nothing where a power cut spoiled their file."""
    try:
        return Counter({COUNT_PREFIX + reason: n for reason, n in refused_counts(folder).items()})
    except QuarantineError as error:
        _log.warning("gateway.counts_lost", problem=str(error))
        return Counter()
