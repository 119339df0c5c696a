"""A small fleet behind a lossy radio, for weeks of simulated time: meters, cells, and what the air does both ways.

No socket and no clock: everything happens at an instant that is given. What is thrown is keyed by seed, meter and time,
so that a week is the same each time it is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.frame import FrameClass, SealedFrame
from openami.headend.ports import ForgedAnswerError, NoAnswerError
from openami.kernel.ids import SystemTitle
from openami.kernel.time import instant_from_epoch_s
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.meter import VirtualMeter
from openami.meter.registers import RegisterBank
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.keys import Keys
from openami.protocol.association.server import ServerAssociation, ServerSecurity
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.protocol.errors import PeerError
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import gmac_answer, open_sealed, seal, verify_gmac_answer
from openami.sim.factory import FactoryMeter, make_meters

HEADEND_TITLE = SystemTitle(b"HES\x00\x00\x00\x00\x01")
QUARTER_S = 900


@dataclass(frozen=True, slots=True)
class Silence:
    """A cell whose collector is away."""

    cell: int
    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class Blackout:
    """Meters without supply."""

    meters: Sequence[int]
    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class Air:
    """What the radio does.

    Args:
        push_loss: share of pushes that never arrive.
        exchange_loss: share of questions, and of answers, that are lost on the way.
        spread_s: pushes are spread over this long [s].
        way_s: longest time of a question or an answer on the way [s].
    """

    push_loss: float = 0.03
    exchange_loss: float = 0.03
    spread_s: int = 150
    way_s: float = 2.0


@dataclass(slots=True, eq=False)
class FieldMeter:
    """One meter where it hangs.

    Args:
        made: as the factory made it.
        meter: the device.
        cell: its radio cell.
        power_w: what the home takes on average [W].
    """

    made: FactoryMeter
    meter: VirtualMeter
    cell: int
    power_w: int
    received: RisingCounter = field(default_factory=RisingCounter)
    associations: dict[int, ServerAssociation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _MeterCounter:
    """The meter's own invocation counter, shared by its pushes and its answers."""

    counters: InvocationCounters

    def take(self) -> int:
        return self.counters.count(0)


class WeekWorld:
    """Meters and air.

    Args:
        meters: how many.
        cells: how many radio cells they are spread over.
        seed: of all dice.
        start_s: first instant, seconds since the epoch.
        zone: of every meter.
        air: what the radio does.
        silences, blackouts: what is away, and when.
    """

    def __init__(
        self,
        *,
        meters: int,
        cells: int,
        seed: int,
        start_s: int,
        zone: ZoneInfo,
        air: Air,
        silences: Sequence[Silence] = (),
        blackouts: Sequence[Blackout] = (),
    ) -> None:
        self.air, self.silences, self.blackouts = air, silences, blackouts
        self._dice = np.random.Generator(np.random.SFC64([seed, 7]))
        self._secret = np.random.Generator(np.random.SFC64([seed, 8]))
        self.seed, self.now_s = seed, float(start_s)
        self.late: list[tuple[float, SealedFrame]] = []
        made = make_meters(meters, secret=self._secret.bytes)
        self.meters = [self._hang(m, n % cells, start_s, zone) for n, m in enumerate(made)]
        self.by_title = {f.made.identity.title: f for f in self.meters}
        self._dark = {id(self.meters[n]): b for b in blackouts for n in b.meters}

    def advance(self, to_s: float) -> Iterator[tuple[float, SealedFrame]]:
        """Let every meter live until an instant and yield (when, frame) of what collectors will hear."""
        for field_meter in self.meters:
            yield from self._bring(field_meter, to_s)
        self.now_s = max(self.now_s, to_s)

    def ask(self, title: SystemTitle, octets: bytes, *, at_s: float, timeout_s: float) -> tuple[bytes | None, float]:
        """Send a wrapper frame to a meter; return its answer, or None, and how long that took [s].

        What the meter pushed in the meantime is left in ``late``.
        """
        target = self.by_title[title]
        to_s, back_s = self._dice.random(2) * self.air.way_s
        lost = self._dice.random(2) < self.air.exchange_loss
        there_s = at_s + to_s
        self.late = list(self._bring(target, there_s))
        if lost[0] or self._is_silent(target.cell, there_s) or not target.meter.is_powered:
            return None, timeout_s
        answer = self._answer(target, octets)
        if answer is None or lost[1] or self._is_silent(target.cell, there_s + back_s):
            return None, timeout_s
        return answer, to_s + back_s

    def _hang(self, made: FactoryMeter, cell: int, start_s: int, zone: ZoneInfo) -> FieldMeter:
        start = instant_from_epoch_s(start_s)
        drift = int(self._dice.normal(0, 6))
        # A few clocks were never right: they are what the clock watch is for.
        off = timedelta(seconds=int(self._dice.integers(70, 300))) if self._dice.random() < 0.02 else timedelta(0)
        registers = RegisterBank(self._dice.integers(10**12, 10**13, 1), self._dice.integers(0, 10**12, 1))
        meter = VirtualMeter(
            made.identity,
            registers,
            InvocationCounters(MemoryCounterStore(1)),
            MeterClock(start, drift_ppm=drift, offset=off),
            zone,
            start,
        )
        return FieldMeter(made, meter, cell, int(self._dice.integers(200, 3000)))

    def _bring(self, target: FieldMeter, to_s: float) -> Iterator[tuple[float, SealedFrame]]:
        """Let one meter live until an instant, through a loss of supply where one lies between."""
        dark = self._dark.get(id(target))
        stops = sorted({to_s, *((dark.from_s, dark.to_s) if dark else ())})
        for stop in stops:
            now_s = target.meter.now.timestamp()
            if stop > to_s or stop <= now_s:
                continue
            is_dark = dark is not None and dark.from_s <= now_s < dark.to_s
            power_mw = 0 if is_dark else target.power_w * int(self._dice.integers(500, 1500))
            to = instant_from_epoch_s(0) + timedelta(seconds=stop)
            frames = target.meter.advance(to, power_mw=power_mw, voltage_dv=None if is_dark else 2400)
            for octets in frames:
                yield from self._sent(target, octets, stop)

    def _sent(self, target: FieldMeter, octets: bytes, at_s: float) -> Iterator[tuple[float, SealedFrame]]:
        heard_s = at_s + float(self._dice.random()) * self.air.spread_s
        if self._dice.random() < self.air.push_loss or self._is_silent(target.cell, heard_s):
            return
        frame = SealedFrame(
            target.cell + 1, 0, FrameClass.PROFILE, target.made.identity.title, int(heard_s * 1000), octets
        )
        yield heard_s, frame

    def _is_silent(self, cell: int, at_s: float) -> bool:
        return any(s.cell == cell and s.from_s <= at_s < s.to_s for s in self.silences)

    def _answer(self, target: FieldMeter, octets: bytes) -> bytes | None:
        header, apdu = parse_wrapper(octets)
        client = header.source_port
        if client not in target.associations:
            target.associations[client] = self._association(target, client)
        answers = target.associations[client].receive(apdu)
        return wrap(header.destination_port, client, answers[0]) if answers else None

    def _association(self, target: FieldMeter, client: int) -> ServerAssociation:
        identity, meter = target.made.identity, target.meter
        security = ServerSecurity(
            own_title=identity.title.octets,
            keys=lambda: Keys(identity.encryption_key, identity.authentication_key),
            send=_MeterCounter(meter.counters),
            received=target.received,
            client_title=HEADEND_TITLE.octets,
        )
        return ServerAssociation(meter.device, client, security=security, dice=self._secret.bytes)


class WeekSealing:
    """A :class:`~openami.headend.ports.Sealing` that holds the fleet's keys; it lives through the head-end's crash."""

    def __init__(self, world: WeekWorld) -> None:
        self._world = world
        self._sent: dict[SystemTitle, CountUp] = {}
        self._received: dict[SystemTitle, RisingCounter] = {}

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:  # noqa: ARG002 - the fleet's keys do not change
        """Return the sealed body."""
        key, auth_key = self._keys(title)
        own = HEADEND_TITLE.octets
        return seal(own, self._counter(title), plaintext, key=key, auth_key=auth_key, control=control)

    async def open(self, title: SystemTitle, sealed: bytes) -> bytes:
        """Return what is inside, if the tag verifies and the counter rises."""
        key, auth_key = self._keys(title)
        received = self._received.setdefault(title, RisingCounter())
        try:
            plaintext = open_sealed(title.octets, sealed, key=key, auth_key=auth_key)
            counter = int.from_bytes(sealed[1:5], "big")
            received.check(counter)
        except (SuiteError, PeerError) as error:
            raise ForgedAnswerError("an answer that does not verify") from error
        received.accept(counter)
        return plaintext

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:  # noqa: ARG002 - as above
        """Return our answer to a challenge."""
        key, auth_key = self._keys(title)
        own = HEADEND_TITLE.octets
        return gmac_answer(own, self._counter(title), challenge, key=key, auth_key=auth_key, suite=0)

    async def verify(self, title: SystemTitle, challenge: bytes, proof: bytes) -> bool:
        """Judge the meter's answer."""
        key, auth_key = self._keys(title)
        return verify_gmac_answer(title.octets, proof, challenge, key=key, auth_key=auth_key, suite=0)

    def _keys(self, title: SystemTitle) -> tuple[bytes, bytes]:
        identity = self._world.by_title[title].made.identity
        return identity.encryption_key, identity.authentication_key

    def _counter(self, title: SystemTitle) -> int:
        return self._sent.setdefault(title, CountUp(1)).take()


@dataclass(slots=True)
class WeekDownlink:
    """A :class:`~openami.headend.ports.Downlink` through the air; ``at_s`` is where its time stands."""

    world: WeekWorld
    at_s: float = 0.0
    heard: list[tuple[float, SealedFrame]] = field(default_factory=list)
    exchanges: int = 0
    octets: int = 0

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        """Ask and wait, in simulated time."""
        answer, took_s = self.world.ask(title, octets, at_s=self.at_s, timeout_s=timeout_s)
        self.heard += self.world.late
        self.at_s += took_s
        self.exchanges += 1
        self.octets += len(octets) + len(answer or b"")
        if answer is None:
            raise NoAnswerError("no answer from the meter")
        return answer
