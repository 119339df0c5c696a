"""Our meter's objects behind a server of suite 1: HLS with ECDSA, SC 0x31. Our own meters are of suite 0."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from openami.meter.device import CosemDevice
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.keys import Keys
from openami.protocol.association.ports import ClientProfile, SecurityIncident
from openami.protocol.association.server import ServerAssociation, ServerSecurity
from openami.security.suites.curve import public_key_of

if TYPE_CHECKING:
    from openami.protocol.axdr import Data
    from openami.protocol.cosem.reference import AttributeRef, MethodRef, Selection

CONTROL = 0x31
METER_SCALAR, CLIENT_SCALAR = bytes((21,)) * 32, bytes((22,)) * 32


@dataclass(frozen=True, slots=True)
class SuiteOneDevice:
    """A device whose clients sign: the port :class:`openami.protocol.association.ports.Device`."""

    device: CosemDevice

    def client_profile(self, client: int) -> ClientProfile | None:
        """Return what a client must show."""
        profile = self.device.client_profile(client)
        if profile is None or not profile.control:
            return profile
        return replace(profile, mechanism=Mechanism.HIGH_ECDSA, control=CONTROL)

    def read(self, client: int, attribute: AttributeRef, selection: Selection | None) -> Data:
        """Return a value."""
        return self.device.read(client, attribute, selection)

    def write(self, client: int, attribute: AttributeRef, selection: Selection | None, value: Data) -> None:
        """Set a value."""
        self.device.write(client, attribute, selection, value)

    def invoke(self, client: int, method: MethodRef, parameter: Data | None) -> Data | None:
        """Call a method."""
        return self.device.invoke(client, method, parameter)

    def report(self, client: int, incident: SecurityIncident) -> None:
        """Take note of an attack."""
        self.device.report(client, incident)


@dataclass(slots=True)
class SuiteOneServer:
    """Keys and counters of suite 1.

    Args:
        device: the objects.
        title: the meter's system title.
        encryption, authentication: its symmetric keys.
    """

    device: CosemDevice
    title: bytes
    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    _send: CountUp = field(default_factory=CountUp)
    _received: RisingCounter = field(default_factory=RisingCounter)

    def open_session(self, client: int, _server: int) -> SuiteOneSession | None:
        """Begin a conversation; see :data:`openami.network.exchange.OpenSession`."""
        keys = Keys(
            self.encryption,
            self.authentication,
            signing=METER_SCALAR,
            peer_signing=public_key_of(CLIENT_SCALAR, suite=1),
        )
        security = ServerSecurity(own_title=self.title, keys=lambda: keys, send=self._send, received=self._received)
        device = SuiteOneDevice(self.device)
        return SuiteOneSession(ServerAssociation(device, client, security=security, dice=secrets.token_bytes))


@dataclass(frozen=True, slots=True)
class SuiteOneSession:
    """One client's conversation."""

    association: ServerAssociation

    def receive(self, apdu: bytes) -> Sequence[bytes]:
        """Answer an APDU."""
        return self.association.receive(apdu)

    def close(self) -> None:
        """End the association."""
        self.association.abort()
