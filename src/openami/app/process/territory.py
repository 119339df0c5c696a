"""The territory process, for demonstrations: a thousand meters, their radio, and the collectors that hear them.

On its first start it sends the newest days of twenty meters; then, every quarter-hour of domain time, each meter
pushes what it captured. After a pause it catches up. Frames reach the platform by the collectors' sockets alone, and
everything here lies in ``<home>/territory``: without it the platform goes on with what it has received.

Its meters answer as well, over their cell's radio: :meth:`Meters.answer` hands a message to one of them. After the
first start their profiles are filled with the sixty days before, newest first.

The registers' standing is kept after a quarter-hour was handed to the collectors' disks; a kill in between sends that
quarter-hour again, with new counters and the same values.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import secrets
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import structlog

from openami.app.devices.collector_health import Housing
from openami.app.process import ready
from openami.app.settings import Settings, real_now
from openami.app.territory.territory_airtime import TELL_EVERY_S, airtime_rows
from openami.app.territory.territory_files import Standing, TerritoryFiles, bank_of
from openami.app.territory.territory_memory import TerritoryMemory
from openami.app.territory.territory_radio import RadioCell, radio_cells, serve_commands
from openami.contracts.frame import FrameClass
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import QUARTER_HOUR_S, epoch_s, instant_from_epoch_s, local_date
from openami.meter.answering import FleetAnswers
from openami.meter.counters import InvocationCounters
from openami.meter.fleet import MeterFleet
from openami.meter.fleet_memory import FleetMemory
from openami.meter.state import DeviceState
from openami.network.collector import Collector, OfferedFrame
from openami.network.delivery import Deliveries
from openami.network.spool import SpoolFullError
from openami.security.pki import Role, client_context, ensure_identity
from openami.sim.live import Heard, LiveMeters, backfill_day
from openami.sim.mesh import TerritoryAir
from openami.sim.past import PastCursor, remember_day
from openami.sim.plan import DemoPlan
from openami.sim.radio import MAX_JITTER_S
from openami.sim.territory import Territory
from openami.sim.world.powerflow import PowerFlow

_LOG = structlog.get_logger(__name__)
LONGEST_CATCH_UP_S = 60 * 86_400
"""What a meter's profile buffer holds. After a longer pause the energy is in the registers, the intervals are lost."""
TICK_S = 0.25
"""How often, in real time, the loop looks at the domain clock."""
FULL_SPOOL_WAIT_S = 5.0
STEPS_AT_ONCE = 8
"""Quarter-hours measured before their frames are handed over: bounds the memory of a long catch-up."""
FIRST_CELL = 4_100
"""The mobile network's cells that carry the collectors, one each."""
SETTLED_S = MAX_JITTER_S + 30


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run the meters until ``stop``.

    Raises:
        TerritoryFilesError: no territory was made in this home.
        PowerFlowMissingError: the extra ``demo`` is not installed.
    """
    files = TerritoryFiles(settings.home.folder("territory"))
    plan = files.plan()
    collectors = _collectors(settings, files, plan.territory())
    ended = asyncio.Event()
    links = [asyncio.create_task(c.run(ended)) for c in collectors]
    try:
        work = Meters(settings.clock(), files, plan, collectors)
        await asyncio.to_thread(work.prepare)
        ready()
        _LOG.info("territory.serves", meters=len(work.fleet.identities), collectors=len(collectors))
        cells, served = work.serve()
        meters = asyncio.create_task(work.run(stop))
        past = asyncio.create_task(work.remember(stop))
        done, _ = await asyncio.wait([meters, *links], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await meters
        await past
        for deliveries in served:
            await deliveries.close()
        _log_calls(cells)
    finally:
        ended.set()
        await asyncio.gather(*links, return_exceptions=True)


def _collectors(settings: Settings, files: TerritoryFiles, territory: Territory) -> list[Collector]:
    pki = settings.home.folder("pki")
    collectors = []
    for number in range(1, territory.feeder.cell_count + 1):
        identity = ensure_identity(pki, role=Role.COLLECTOR, number=number, now=real_now())
        context = client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority)
        housing = Housing(identity.certificate, *_place(number), cell=FIRST_CELL + number)
        collectors.append(
            Collector(
                number,
                spool_folder=files.spool(number),
                host=settings.gateway_address,
                port=settings.gateway_port,
                ssl_context=context,
                health=housing.report,
            )
        )
    return collectors


def _place(number: int) -> tuple[int, int]:
    """Return where a collector stands, 1e-7 degree north and east: a row along a made-up street."""
    return 387_000_000 + 30_000 * (number // 10), -904_000_000 + 30_000 * (number % 10)


def _log_calls(cells: Sequence[RadioCell]) -> None:
    """Say how the collectors' calls went and how long they were on the air."""
    ended: Counter[str] = sum((cell.calls for cell in cells), Counter())
    _LOG.info("territory.calls", airtime_s=round(sum(cell.airtime_s for cell in cells), 1), **ended)


@dataclass(slots=True, eq=False)
class Meters:
    """The meters at work, between their clock, their files and the collectors.

    Args:
        clock: the domain clock.
        files: plan, book, counters and standing.
        plan: the territory's plan.
        collectors: one for each radio cell.
    """

    clock: Clock
    files: TerritoryFiles
    plan: DemoPlan
    collectors: Sequence[Collector]
    territory: Territory = field(init=False)
    fleet: MeterFleet = field(init=False)
    flow: PowerFlow = field(init=False)
    air: TerritoryAir = field(init=False)
    live: LiveMeters = field(init=False)
    standing: Standing = field(init=False)
    kept: TerritoryMemory = field(init=False)
    answers: FleetAnswers = field(init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unsettled: deque[tuple[int, Standing]] = field(default_factory=deque)
    _air: list[tuple[int, int, Heard]] = field(default_factory=list)
    _tie: count[int] = field(default_factory=count)
    _tells_airtime_at_s: float = 0.0
    _airtime_told_s: int = 0

    def prepare(self) -> None:
        """Read the files and build the world."""
        self.territory = self.plan.territory()
        self.standing = self.files.standing()
        self.kept = TerritoryMemory(self.files.folder, self.territory.meter_count)
        identities = self.kept.identities([m.identity for m in self.files.book()])
        counters = InvocationCounters(self.files.counters(len(identities)))
        registers = bank_of(self.standing.delivered_mj, self.standing.received_mj)
        self.fleet = MeterFleet(identities, registers, counters)
        self.flow = self.territory.power_flow()
        verify = self.files.maker(secrets.token_bytes).verifier()
        memory = FleetMemory(
            self.kept.rings(),
            self.territory.world.zone,
            keep_keys=self.kept.keep_keys,
            new_state=lambda: DeviceState(verify),
        )
        self.kept.restore(memory, identities)
        self.air = TerritoryAir(self.plan.seed, self.territory.feeder.cell_of)
        self.live = LiveMeters(self.territory, self.fleet, self.flow, self.standing.at_s, memory, self.air)
        self.answers = FleetAnswers(
            self.fleet, memory, secrets.token_bytes, lambda meter, now: self.live.has_supply(meter, epoch_s(now))
        )

    def serve(self) -> tuple[list[RadioCell], list[Deliveries]]:
        """Let the collectors call the meters, from now on."""
        titles = [identity.title for identity in self.fleet.identities]
        cells = radio_cells(self.air, titles, self.territory.home_of.tolist(), self.answer, self._now_s)
        return cells, serve_commands(self.collectors, cells, lambda: self._now_s() * 1000)

    async def answer(self, title: SystemTitle, client: int, octets: bytes) -> list[bytes]:
        """Return what a meter says to one message; nothing where there is no such meter or it has no supply.

        What it pushes because of it goes the way of all pushes.

        Args:
            title: the meter's system title.
            client: the client's address.
            octets: one message without a wrapper, any octets.
        """
        now = self.clock.now()
        async with self._turn:
            said = await asyncio.to_thread(self._answer, title, client, octets, now)
            self._take_up(self.live.said(epoch_s(now)))
        return said

    def _answer(self, title: SystemTitle, client: int, octets: bytes, now: datetime) -> list[bytes]:
        said = self.answers.answer(title, client, octets, now=now)
        # An order is on the disk before it is acknowledged.
        self.kept.keep_unsaved(self.live.memory)
        return said

    async def remember(self, stop: asyncio.Event) -> None:
        """Fill the profiles with what the meters measured before they came to life, the newest day first."""
        cursor = self.kept.past() or PastCursor(
            self.standing.at_s, self.standing.delivered_mj, self.standing.received_mj
        )
        # What is older would be overwritten before sixty days are over.
        oldest_s = max(self.territory.genesis_s, self.plan.history_end_s - LONGEST_CATCH_UP_S)
        capacity_wh = self.fleet.registers.capacity_wh
        while cursor.at_s > oldest_s and not stop.is_set():
            async with self._turn:
                cursor = await asyncio.to_thread(
                    remember_day, self.territory, self.flow, self.live.memory, cursor, capacity_wh
                )
                await asyncio.to_thread(self.kept.keep_past, cursor)

    async def run(self, stop: asyncio.Event) -> None:
        """Send the past that was held back, then live until ``stop``."""
        await self._backfill(stop)
        self._skip_what_no_profile_holds()
        while not stop.is_set():
            now_s = self._now_s()
            steps = 0
            while self.live.at_s + QUARTER_HOUR_S <= now_s and steps < STEPS_AT_ONCE and not stop.is_set():
                async with self._turn:
                    self._take_up(await asyncio.to_thread(self.live.step))
                steps += 1
                self._unsettled.append((self.live.at_s + SETTLED_S, self._standing_now()))
            await self._deliver(until_s=now_s)
            self._keep_settled(now_s)
            await self._tell_airtime(now_s)
            if steps < STEPS_AT_ONCE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), TICK_S)
        # What is on the air is heard now, so that an orderly stop sends nothing twice.
        await self._deliver(until_s=None)
        if self._unsettled:
            self._keep(self._unsettled[-1][1])

    def _take_up(self, heard: Iterable[Heard]) -> None:
        for one in heard:
            heapq.heappush(self._air, (one.due_s, next(self._tie), one))

    async def _backfill(self, stop: asyncio.Event) -> None:
        end_s = self.plan.history_end_s
        zone = self.territory.world.zone
        while self.standing.back_at_s < end_s and not stop.is_set():
            day = local_date(instant_from_epoch_s(self.standing.back_at_s), zone)
            registers = bank_of(self.standing.back_delivered_mj, self.standing.back_received_mj)
            past = replace(self.fleet, registers=registers)
            heard = await asyncio.to_thread(
                backfill_day, self.territory, past, self.flow, meters=self.plan.held_back, day=day, until_s=end_s
            )
            await self._offer(heard)
            self.standing = replace(
                self.standing,
                back_at_s=min(self.territory.world.slots(day).end_s, end_s),
                back_delivered_mj=registers.delivered_mj,
                back_received_mj=registers.received_mj,
            )
            self.files.write_standing(self.standing)
            _LOG.info("territory.caught_up_a_day", frames=len(heard))

    def _skip_what_no_profile_holds(self) -> None:
        oldest_s = self._now_s() - LONGEST_CATCH_UP_S
        while self.live.at_s < oldest_s:
            self.live.pass_by()

    async def _deliver(self, *, until_s: int | None) -> None:
        """Offer what is heard by an instant; None is everything on the air."""
        heard = []
        while self._air and (until_s is None or self._air[0][0] <= until_s):
            heard.append(heapq.heappop(self._air)[2])
        if heard:
            await self._offer(heard)

    async def _offer(self, heard: Sequence[Heard]) -> None:
        cells: dict[int, list[OfferedFrame]] = defaultdict(list)
        for h in heard:
            cell = int(self.territory.feeder.cell_of[h.home])
            cells[cell].append((FrameClass(h.frame_class), h.title, h.due_s * 1000, h.octets))
        await asyncio.gather(*(self._offer_to(self.collectors[cell], frames) for cell, frames in cells.items()))

    async def _offer_to(self, collector: Collector, frames: Sequence[OfferedFrame]) -> None:
        while True:
            try:
                await collector.offer(frames)
            except SpoolFullError:
                # The gateway has been away for long: the meters wait, their profiles hold what they measured.
                _LOG.warning("territory.spool_full", collector=collector.collector_id)
                await asyncio.sleep(FULL_SPOOL_WAIT_S)
            else:
                return

    async def _tell_airtime(self, now_s: int) -> None:
        """Let the collectors tell what their meters' radios counted, after quarter-hours that were measured."""
        real_s = asyncio.get_running_loop().time()
        if real_s < self._tells_airtime_at_s or self.live.at_s == self._airtime_told_s:
            return
        # Exchanges lie before the territory came to life, so the last meter of a home is the one that hangs there.
        homes = zip(self.territory.home_of.tolist(), self.fleet.identities, strict=True)
        title_at = {home: identity.title for home, identity in homes}
        async with self._turn:
            rows = airtime_rows(self.air, title_at, now_s=now_s)
        for collector, counted in zip(self.collectors, rows, strict=True):
            if counted:
                collector.report_airtime(counted)
        self._tells_airtime_at_s, self._airtime_told_s = real_s + TELL_EVERY_S, self.live.at_s

    def _standing_now(self) -> Standing:
        registers = self.fleet.registers
        return replace(
            self.standing,
            at_s=self.live.at_s,
            delivered_mj=registers.delivered_mj,
            received_mj=registers.received_mj,
        )

    def _keep_settled(self, now_s: int) -> None:
        """Keep the newest standing whose pushes are all on the collectors' disks, but for the few that come late."""
        settled = None
        while self._unsettled and self._unsettled[0][0] <= now_s:
            settled = self._unsettled.popleft()[1]
        if settled is not None:
            self._keep(settled)

    def _keep(self, standing: Standing) -> None:
        self.standing = standing
        self.files.write_standing(standing)
        self.kept.keep_unsaved(self.live.memory)

    def _now_s(self) -> int:
        return epoch_s(self.clock.now())
