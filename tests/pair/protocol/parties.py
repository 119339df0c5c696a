"""A small device, a client and a server that know each other, and a link between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from openami.kernel.obis import Obis
from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.association.client import ALL_SERVICES, ClientAssociation, ClientSettings
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.drive import drive
from openami.protocol.association.form import Form
from openami.protocol.association.general import GeneralStyle
from openami.protocol.association.keys import Keys
from openami.protocol.association.ports import (
    AccessRefusedError,
    ActionRefusedError,
    ClientProfile,
    SecurityIncident,
)
from openami.protocol.association.protection import Protection
from openami.protocol.association.server import ServerAssociation, ServerSecurity
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, array, octet_string, structure, u8, u32
from openami.protocol.cosem.reference import (
    ActionResult,
    AttributeRef,
    DataAccessResult,
    EntrySelection,
    MethodRef,
    Selection,
)
from openami.security.suites.curve import public_key_of

T = TypeVar("T")

CLIENT_TITLE, SERVER_TITLE = b"OAMHEAD1", b"OAM\x00\x00\x00\x00\x07"
MANAGEMENT, PUBLIC, READER = 1, 16, 2
PASSWORD = b"made-up password"

CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
SCRATCH = AttributeRef(1, Obis.from_text("0.0.96.1.9.255"), 2)
SECRET = AttributeRef(1, Obis.from_text("0.0.96.1.8.255"), 2)
COUNTER = Obis.from_text("0.0.43.1.0.255")
ECHO = MethodRef(9, Obis.from_text("0.0.10.0.1.255"), 1)
DENIED = MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 1)

ROWS = array(*(structure(octet_string(bytes(12)), u8(0), u32(n), u32(2 * n)) for n in range(96)))


class FakeDevice:
    """A handful of attributes, a method that returns its parameter, and a log."""

    def __init__(self, profiles: dict[int, ClientProfile]) -> None:
        self.profiles = profiles
        self.values: dict[AttributeRef, Data] = {
            CLOCK: octet_string(bytes(12)),
            ENERGY: u32(123_456),
            PROFILE: ROWS,
            SCRATCH: u32(0),
            AttributeRef(1, COUNTER, 2): u32(41),
        }
        self.incidents: list[SecurityIncident] = []
        self.calls: list[tuple[MethodRef, Data | None]] = []

    def client_profile(self, client: int) -> ClientProfile | None:
        return self.profiles.get(client)

    def read(self, client: int, attribute: AttributeRef, selection: Selection | None) -> Data:
        if attribute == SECRET:
            raise AccessRefusedError(DataAccessResult.READ_WRITE_DENIED)
        value = self.values.get(attribute)
        if value is None:
            raise AccessRefusedError(DataAccessResult.OBJECT_UNDEFINED)
        if isinstance(selection, EntrySelection) and attribute == PROFILE:
            return array(*value.elements[selection.first_row - 1 : selection.last_row])
        return value

    def write(self, client: int, attribute: AttributeRef, selection: Selection | None, value: Data) -> None:
        if attribute != SCRATCH:
            raise AccessRefusedError(DataAccessResult.READ_WRITE_DENIED)
        self.values[attribute] = value

    def invoke(self, client: int, method: MethodRef, parameter: Data | None) -> Data | None:
        if method != ECHO:
            raise ActionRefusedError(ActionResult.READ_WRITE_DENIED)
        self.calls.append((method, parameter))
        return parameter

    def report(self, client: int, incident: SecurityIncident) -> None:
        self.incidents.append(incident)


class Dice:
    """Octets that never come twice: a counter, spread over as many octets as asked for."""

    def __init__(self, seed: int = 1) -> None:
        self._next = seed

    def __call__(self, count: int) -> bytes:
        self._next += 1
        return (self._next * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8).rjust(count, b"\x5a")


def key_octets(suite: int) -> int:
    return 32 if suite == 2 else 16


def keys_for(suite: int, *, is_client: bool, salt: int = 0) -> Keys:
    """Key material of one end; the other end's fits."""
    size = key_octets(suite)
    encryption, authentication = bytes((1 + salt,)) * size, bytes((2 + salt,)) * size
    if suite == 0:
        return Keys(encryption, authentication)
    scalar = 32 if suite == 1 else 48
    own, peer = (3, 4) if is_client else (4, 3)
    signing, peer_signing = bytes((own + salt,)) * scalar, bytes((peer + salt,)) * scalar
    agreement, peer_agreement = bytes((own + 10 + salt,)) * scalar, bytes((peer + 10 + salt,)) * scalar
    return Keys(
        encryption,
        authentication,
        signing=signing,
        peer_signing=public_key_of(peer_signing, suite=suite),
        agreement=agreement,
        peer_agreement=public_key_of(peer_agreement, suite=suite),
    )


@dataclass
class Case:
    """One way to associate."""

    mechanism: Mechanism = Mechanism.HIGH_GMAC
    control: int = 0x30
    form: Form = Form.GLO
    client: int = MANAGEMENT
    client_max_pdu: int = 1024
    server_max_pdu: int = 1024
    conformance: Conformance = ALL_SERVICES
    style: GeneralStyle = field(default_factory=GeneralStyle)
    expected_title: bytes | None = SERVER_TITLE

    @property
    def suite(self) -> int:
        return self.control & 0x0F


class Pair:
    """A client and a server with keys that fit, and a perfect link, unless another is given."""

    def __init__(self, case: Case | None = None, *, salt: int = 0) -> None:
        self.case = case = case or Case()
        self.dice = Dice()
        profile = ClientProfile(case.mechanism, case.conformance, case.server_max_pdu, case.control, PASSWORD)
        public = ClientProfile(Mechanism.NONE, Conformance.GET, case.server_max_pdu)
        self.device = FakeDevice({case.client: profile, PUBLIC: public})
        self.client_keys = keys_for(case.suite, is_client=True, salt=salt)
        self.server_keys = keys_for(case.suite, is_client=False)
        dedicated = bytes((9,)) * key_octets(case.suite) if case.form.is_dedicated else None
        self.settings = ClientSettings(
            mechanism=case.mechanism,
            control=case.control,
            form=case.form,
            own_title=CLIENT_TITLE,
            expected_title=case.expected_title,
            secret=PASSWORD,
            dedicated_key=dedicated,
            max_pdu_octets=case.client_max_pdu,
        )
        self.client_received, self.server_received = RisingCounter(), RisingCounter()
        self.client_send, self.server_send = CountUp(1), CountUp(0)
        self.security = ServerSecurity(
            own_title=SERVER_TITLE,
            keys=lambda: self.server_keys,
            send=self.server_send,
            received=self.server_received,
            style=case.style,
            ephemeral=self.scalar,
            transaction=lambda: self.dice(8),
            signed=case.form is Form.SIGNED,
        )
        self.protection = Protection(
            own_title=CLIENT_TITLE,
            keys=self.client_keys,
            control=case.control,
            send=self.client_send,
            received=self.client_received,
            style=case.style,
            ephemeral=self.scalar,
            transaction=lambda: self.dice(8),
            signed=case.form is Form.SIGNED,
        )
        if dedicated is not None:
            self.protection.use_dedicated(replace(self.client_keys, dedicated=dedicated))
        self.server = self.new_server()
        self.association = ClientAssociation(self.settings)
        self.sent: list[bytes] = []
        self.answers: list[bytes] = []

    def scalar(self) -> bytes:
        return self.dice(32 if self.case.suite == 1 else 48)

    def new_server(self, client: int | None = None) -> ServerAssociation:
        client = self.case.client if client is None else client
        security = self.security if client != PUBLIC else None
        return ServerAssociation(self.device, client, security=security, dice=self.dice)

    def exchange(self, octets: bytes) -> bytes:
        self.sent.append(octets)
        (answer,) = self.server.receive(octets)
        self.answers.append(answer)
        return answer

    def run(self, steps: Steps[T], exchange: Callable[[bytes], bytes] | None = None) -> T:
        return drive(steps, protection=self.protection, exchange=exchange or self.exchange)

    def associate(self) -> None:
        self.run(self.association.associate(challenge=self.dice(16)))
