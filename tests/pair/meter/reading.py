"""A client with a meter's keys, and what it says to a meter that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from openami.meter.sealing import MeterIdentity
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.client import ClientAssociation, ClientSettings
from openami.protocol.association.counters import CountUp, RisingCounter
from openami.protocol.association.drive import drive
from openami.protocol.association.form import Form
from openami.protocol.association.keys import Keys
from openami.protocol.association.protection import Protection
from openami.protocol.association.steps import Steps

T = TypeVar("T")
HEADEND = b"OAMHEAD1"
Answer = Callable[[int, bytes], list[bytes]]


class Reader:
    """A client of one meter.

    Args:
        identity: the meter's name and keys.
        answer: hands a message of a client address to the meter and returns what it says.
        client: our address.
        first_counter: where our counter begins.
    """

    def __init__(self, identity: MeterIdentity, answer: Answer, *, client: int = 1, first_counter: int = 1) -> None:
        self._answer = answer
        self._client = client
        self.protection = Protection(
            own_title=HEADEND,
            keys=Keys(identity.encryption_key, identity.authentication_key),
            control=0x30,
            send=CountUp(first_counter),
            received=RisingCounter(),
        )
        settings = ClientSettings(
            Mechanism.HIGH_GMAC, 0x30, Form.GLO, own_title=HEADEND, expected_title=identity.title.octets
        )
        self.association = ClientAssociation(settings)

    def run(self, steps: Steps[T]) -> T:
        return drive(steps, protection=self.protection, exchange=self.exchange)

    def exchange(self, octets: bytes) -> bytes:
        (said,) = self._answer(self._client, octets)
        return said

    def associate(self) -> None:
        self.run(self.association.associate(challenge=b"sixteen octets.." * 2))
