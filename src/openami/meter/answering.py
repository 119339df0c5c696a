"""Meters that answer: one association for each meter and client, kept while it lasts.

The association knows who is who; the device knows who may do what. A meter without supply says nothing, and what it
held with its clients is gone when the supply is back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from openami.kernel.ids import SystemTitle
from openami.meter.counters import InvocationCounters
from openami.meter.device import CosemDevice
from openami.meter.fleet import MeterFleet
from openami.meter.fleet_device import fleet_device
from openami.meter.fleet_memory import FleetMemory
from openami.meter.sealing import MeterIdentity
from openami.protocol.association.counters import CounterEndedError, ReceiveCounter
from openami.protocol.association.keys import Keys
from openami.protocol.association.server import ServerAssociation, ServerSecurity

MAX_METERS = 2_048
"""Meters of a fleet whose associations are held at once; more than a territory has, and a bound for a larger one."""


@dataclass(frozen=True, slots=True)
class FleetSendCounter:
    """The counter of one meter's messages: pushes and answers share it, for they share the key.

    It counts on through a change of keys; :attr:`openami.protocol.association.keys.Keys.counted_from` says where a key
    began, so that the answer that still goes by the old key goes by its counter, too.
    """

    counters: InvocationCounters
    meter: int

    def take(self) -> int:
        """Return a number that was never used.

        Raises:
            OSError: the reservation could not be kept.
        """
        return self.counters.count(self.meter)


class MeterAssociations:
    """The associations of one meter.

    Args:
        device: its objects.
        identity: gives its name and keys as they are now.
        send: its counter.
        received: what was accepted from clients under its key.
        dice: gives that many fresh random octets, never the same twice.
    """

    __slots__ = ("_associations", "_dice", "_identity", "_received", "_send", "device")

    def __init__(
        self,
        device: CosemDevice,
        *,
        identity: Callable[[], MeterIdentity],
        send: FleetSendCounter,
        received: ReceiveCounter,
        dice: Callable[[int], bytes],
    ) -> None:
        self.device = device
        self._identity = identity
        self._send = send
        self._received = received
        self._dice = dice
        self._associations: dict[int, ServerAssociation] = {}

    def answer(self, client: int, octets: bytes) -> list[bytes]:
        """Return what the meter says to one message from a client; nothing where it cannot seal any more.

        Args:
            client: the client's address.
            octets: one message, any octets.
        """
        association = self._associations.get(client)
        if association is None:
            association = self._association(client)
            # Of addresses that are not known nothing is kept, so that they cannot fill the memory.
            if self.device.client_profile(client) is not None:
                self._associations[client] = association
        try:
            return association.receive(octets)
        except CounterEndedError:
            return []

    def end(self) -> None:
        """End all associations, as a loss of supply does."""
        self._associations.clear()

    def _association(self, client: int) -> ServerAssociation:
        profile = self.device.client_profile(client)
        security = None
        if profile is not None and profile.control:
            title = self._identity().title.octets
            security = ServerSecurity(own_title=title, keys=self._keys, send=self._send, received=self._received)
        return ServerAssociation(self.device, client, security=security, dice=self._dice)

    def _keys(self) -> Keys:
        identity = self._identity()
        return Keys(identity.encryption_key, identity.authentication_key, counted_from=identity.counted_from)


def _always(_meter: int, _now: datetime) -> bool:
    return True


@dataclass(slots=True, eq=False)
class FleetAnswers:
    """A fleet that answers.

    Args:
        fleet: the meters.
        memory: what they remember.
        dice: gives that many fresh random octets, never the same twice.
        has_supply: whether a meter has supply at a true instant.
    """

    fleet: MeterFleet
    memory: FleetMemory
    dice: Callable[[int], bytes]
    has_supply: Callable[[int, datetime], bool] = _always
    _now: datetime | None = None
    _held: OrderedDict[int, MeterAssociations] = field(default_factory=OrderedDict)
    _meter_of: Mapping[SystemTitle, int] = field(init=False)

    def __post_init__(self) -> None:
        self._meter_of = MappingProxyType({i.title: m for m, i in enumerate(self.fleet.identities)})

    def answer(self, title: SystemTitle, client: int, octets: bytes, *, now: datetime) -> list[bytes]:
        """Return what a meter says to one message; nothing where there is no such meter or it has no supply.

        Args:
            title: the meter's system title.
            client: the client's address.
            octets: one message, any octets.
            now: the true instant, UTC.
        """
        meter = self._meter_of.get(title)
        if meter is None:
            return []
        if not self.has_supply(meter, now):
            self._held.pop(meter, None)
            return []
        self._now = now
        held = self._associations(meter)
        before = held.device.changes
        said = held.answer(client, octets)
        if held.device.changes != before:
            self.memory.unsaved.add(meter)
        return said

    def _associations(self, meter: int) -> MeterAssociations:
        held = self._held.pop(meter, None)
        if held is None:
            held = MeterAssociations(
                fleet_device(self.fleet, self.memory, meter, now=self._clock),
                identity=lambda: self.fleet.identities[meter],
                send=FleetSendCounter(self.fleet.counters, meter),
                received=self.memory.state(meter).received,
                dice=self.dice,
            )
        self._held[meter] = held
        if len(self._held) > MAX_METERS:
            self._held.popitem(last=False)
        return held

    def _clock(self) -> datetime:
        assert self._now is not None
        return self._now
