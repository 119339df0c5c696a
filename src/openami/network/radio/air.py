"""Carries frames over a mesh, one event after another: waiting for the air, loss, repetition, other ways, duplicates.

A node sends one frame at a time, most urgent first, and cannot hear while it sends. It listens before it sends and
mostly hears a neighbor that is busy; what it does not hear makes a collision. A fragment is repeated until it is
acknowledged. When the last acknowledgement is lost, or a neighbor stays busy, the node takes its second way; if both
neighbors have the frame, the collector hears it twice. A frame that fails on both ways is tried again by the device it
comes from, and then lost. Everything is drawn from the dice that are given: the same dice, the same air.

Time is microseconds since the epoch. A cell is simulated alone: hopping keeps cells apart.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, Protocol

from openami.network.radio.airtime import AirtimeCounters, AirUse
from openami.network.radio.mesh import NOBODY, Mesh
from openami.network.radio.signal import ACK_OCTETS, air_us, fragments_of

FRAGMENT_TRIES = 4
WAY_TRIES = 3
"""Rounds on one way before the other one is taken."""
SOURCE_TRIES = 3
"""How often the device a frame comes from begins anew."""
SOURCE_WAIT_US = 30_000_000
BACKOFF_US = 40_000
MAX_DOUBLINGS = 5
SENSE_SHARE = 0.8
"""How often a node that listens hears that the one it wants is busy."""
RELAY_US = 5_000
"""From a frame's end to when a relay has it ready."""
MAX_QUEUE = 128
"""Frames a node keeps for the air. A full one drops its least urgent newest: its memory is small."""
MEMORY_US = 5_000_000
"""How long a node knows again what a neighbor sent; from another neighbor, or later, a copy is taken for new."""
MAX_EVENTS_A_FRAME = 5_000
_ACK_US = air_us(ACK_OCTETS)


class Dice(Protocol):
    """What is thrown here: :class:`numpy.random.Generator` and :class:`random.Random` both will do."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        ...


class Parcel(NamedTuple):
    """A frame as the air sees it.

    Args:
        at_us: when the device wants to send it.
        node: the device, 1 to n.
        urgency: order in queues, 0 first: the frame's class.
        octets: how long it is.
        key: whatever names it to the caller.
    """

    at_us: int
    node: int
    urgency: int
    octets: int
    key: int


class Arrival(NamedTuple):
    """A frame that the collector heard: ``hops`` links took it there. The same key may come twice."""

    at_us: int
    key: int
    hops: int


@dataclass(slots=True)
class _Copy:
    """A frame in a node's queue."""

    parcel: Parcel
    hops: int
    way: int = 0
    round: int = 0


@dataclass(slots=True)
class _Node:
    queue: list[tuple[int, int, _Copy]] = field(default_factory=list)
    busy_until_us: int = 0
    is_due: bool = False


class Air:
    """The air of one cell.

    Args:
        mesh: who speaks through whom.
        dice: thrown for every fragment and wait.
        airtime: counts who was on the air; None counts nothing.
    """

    def __init__(self, mesh: Mesh, dice: Dice, airtime: AirtimeCounters | None = None) -> None:
        self._mesh = mesh
        self._dice = dice
        self._airtime = airtime
        self._nodes = [_Node() for _ in range(mesh.size)]
        self._events: list[tuple[int, int, int, _Copy | None]] = []
        self._order = count()
        self._arrivals: list[Arrival] = []
        self._source_tries: dict[int, int] = {}
        self._seen: dict[tuple[int, int, int], int] = {}
        self._home: set[int] = set()
        self.lost: list[int] = []
        """Keys of the last call's frames that did not come through."""

    def carry(self, parcels: Iterable[Parcel]) -> list[Arrival]:
        """Carry frames to the end and return what the collector hears, in order of time.

        Frames of one call compete with each other; those of another call are over by then, whatever their times.
        """
        self._arrivals, self._source_tries, offered = [], {}, []
        self._seen.clear()
        self._home.clear()
        for place in self._nodes:
            place.busy_until_us, place.is_due = 0, False
        for parcel in parcels:
            offered.append(parcel.key)
            if self._mesh.reaches(parcel.node):
                self._at(parcel.at_us, parcel.node, _Copy(parcel, 0))
        budget = MAX_EVENTS_A_FRAME * max(1, len(offered))
        while self._events:
            budget -= 1
            if budget < 0:
                raise AssertionError("the air does not come to rest")
            at_us, _, node, copy = heapq.heappop(self._events)
            if copy is not None:
                self._enqueue(at_us, node, copy)
            else:
                self._nodes[node].is_due = False
                self._turn(at_us, node)
        self.lost = [key for key in offered if key not in self._home]
        return sorted(self._arrivals)

    def _at(self, at_us: int, node: int, copy: _Copy | None) -> None:
        heapq.heappush(self._events, (at_us, next(self._order), node, copy))

    def _enqueue(self, at_us: int, node: int, copy: _Copy) -> None:
        place = self._nodes[node]
        heapq.heappush(place.queue, (copy.parcel.urgency, next(self._order), copy))
        if len(place.queue) > MAX_QUEUE:
            worst = max(place.queue)
            place.queue.remove(worst)
            heapq.heapify(place.queue)
            self._give_up(at_us, worst[2])
        self._call(at_us, node)

    def _call(self, at_us: int, node: int) -> None:
        """Let a node have its turn after a random wait, unless it has one coming."""
        place = self._nodes[node]
        if place.is_due or not place.queue:
            return
        place.is_due = True
        doublings = min(place.queue[0][2].round, MAX_DOUBLINGS)
        wait_us = 1 + int(self._dice.random() * (BACKOFF_US << doublings))
        self._at(max(at_us, place.busy_until_us) + wait_us, node, None)

    def _turn(self, at_us: int, node: int) -> None:
        place = self._nodes[node]
        if not place.queue:
            return
        if place.busy_until_us > at_us:
            self._call(at_us, node)
            return
        urgency, order, copy = heapq.heappop(place.queue)
        towards = int((self._mesh.parent, self._mesh.second)[copy.way][node])
        heard = float((self._mesh.heard, self._mesh.second_heard)[copy.way][node])
        if self._nodes[towards].busy_until_us > at_us:
            passed, acknowledged, end_us = self._collide(at_us, node, copy)
        else:
            passed, acknowledged, end_us = self._send(at_us, node, towards, heard, copy)
        if passed:
            self._pass_on(end_us, node, towards, copy)
        if not acknowledged:
            self._again(end_us, node, urgency, order, copy)
        self._call(end_us, node)

    def _collide(self, at_us: int, node: int, copy: _Copy) -> tuple[bool, bool, int]:
        """Meet a busy neighbor: mostly it is heard and nothing is sent, otherwise the first fragment is lost."""
        if self._dice.random() < SENSE_SHARE:
            return False, False, at_us
        on_air_us = air_us(fragments_of(copy.parcel.octets)[0])
        self._count(node, copy, at_us, on_air_us)
        self._nodes[node].busy_until_us = at_us + on_air_us
        return False, False, at_us + on_air_us

    def _send(self, at_us: int, node: int, towards: int, heard: float, copy: _Copy) -> tuple[bool, bool, int]:
        """Send a frame over one link; return whether the neighbor has it, whether we know, and when that is over."""
        on_air_us = acks_us = 0
        passed = acknowledged = False
        lengths = fragments_of(copy.parcel.octets)
        for place, length in enumerate(lengths, 1):
            tries, heard_times, acknowledged = self._fragment(heard)
            on_air_us += tries * air_us(length)
            acks_us += heard_times * _ACK_US
            passed = heard_times > 0
            if not acknowledged:
                # Only where nothing follows the neighbor has the whole frame without our knowing.
                passed = passed and place == len(lengths)
                break
        end_us = at_us + on_air_us + acks_us
        self._nodes[node].busy_until_us = self._nodes[towards].busy_until_us = end_us
        self._count(node, copy, at_us, on_air_us)
        if acks_us and self._airtime is not None:
            self._airtime.add(towards, AirUse.RELAYED, at_us=at_us, on_air_us=acks_us)
        return passed, acknowledged, end_us

    def _fragment(self, heard: float) -> tuple[int, int, bool]:
        """Return how often a fragment was sent and heard, and whether an acknowledgement of it was."""
        heard_times = 0
        for tries in range(1, FRAGMENT_TRIES + 1):
            if self._dice.random() < heard:
                heard_times += 1
                if self._dice.random() < heard:
                    return tries, heard_times, True
        return FRAGMENT_TRIES, heard_times, False

    def _pass_on(self, at_us: int, sender: int, node: int, copy: _Copy) -> None:
        place = (node, sender, copy.parcel.key)
        before_us = self._seen.get(place)
        self._seen[place] = at_us
        if before_us is not None and at_us - before_us < MEMORY_US:
            return
        if node == 0:
            self._home.add(copy.parcel.key)
            self._arrivals.append(Arrival(at_us, copy.parcel.key, copy.hops + 1))
        else:
            self._at(at_us + RELAY_US, node, _Copy(copy.parcel, copy.hops + 1))

    def _again(self, at_us: int, node: int, urgency: int, order: int, copy: _Copy) -> None:
        copy.round += 1
        if copy.round >= WAY_TRIES:
            copy.round = 0
            copy.way += 1
            if copy.way > 1 or self._mesh.second[node] == NOBODY:
                self._give_up(at_us, copy)
                return
        heapq.heappush(self._nodes[node].queue, (urgency, order, copy))

    def _give_up(self, at_us: int, copy: _Copy) -> None:
        """Begin anew at the device it comes from, unless another copy came through and it has heard so."""
        key = copy.parcel.key
        if key in self._home:
            return
        tries = self._source_tries.get(key, 1)
        self._source_tries[key] = tries + 1
        if tries < SOURCE_TRIES:
            wait_us = int((0.5 + 0.5 * self._dice.random()) * SOURCE_WAIT_US)
            self._at(at_us + wait_us, copy.parcel.node, _Copy(copy.parcel, 0))

    def _count(self, node: int, copy: _Copy, at_us: int, on_air_us: int) -> None:
        if self._airtime is not None:
            use = AirUse.OWN if node == copy.parcel.node else AirUse.RELAYED
            self._airtime.add(node, use, at_us=at_us, on_air_us=on_air_us)
