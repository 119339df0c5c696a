"""What a server's association asks of the device behind it, and what may refuse it.

The device decides who may do what; the association decides who is who and that nobody listens or alters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from openami.kernel.errors import OpenAmiError
from openami.protocol.apdu.acse import Conformance, Mechanism
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection


class AccessRefusedError(OpenAmiError):
    """An attribute is not given or not taken.

    Args:
        result: why, as it is answered.
    """

    def __init__(self, result: DataAccessResult) -> None:
        super().__init__(f"access refused: {result.name.lower()}")
        self.result = result


class ActionRefusedError(OpenAmiError):
    """A method is not carried out.

    Args:
        result: why, as it is answered.
    """

    def __init__(self, result: ActionResult) -> None:
        super().__init__(f"action refused: {result.name.lower()}")
        self.result = result


class SecurityIncident(Enum):
    """What an association reports to the device's own log."""

    FAILED_AUTHENTICATION = "failed_authentication"
    BAD_TAG = "bad_tag"
    REPLAY = "replay"
    DOWNGRADE = "downgrade"
    PLAINTEXT = "plaintext"


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """What a client (by its address) must show and may use.

    Args:
        mechanism: the authentication mechanism it must use.
        secret: password of the low mechanism; not shown. The high ones take the keys of the protection.
        control: security control octet below which nothing passes after the association is made: 0 nothing asked,
            0x10, 0x20 or 0x30, each with the suite in the low four bits.
        conformance: services the device grants it.
        max_pdu_octets: largest APDU the device takes.
    """

    mechanism: Mechanism
    conformance: Conformance
    max_pdu_octets: int
    control: int = 0
    secret: bytes | None = field(default=None, repr=False)


class Device(Protocol):
    """The objects behind an association. Calls are answered at once; time is the device's own affair."""

    def client_profile(self, client: int) -> ClientProfile | None:
        """Return what a client address must show; None where no such client is known."""
        ...

    def read(self, client: int, attribute: AttributeRef, selection: Selection | None) -> Data:
        """Return the value of an attribute.

        Raises:
            AccessRefusedError: no such object, no right, or a selection that means nothing here.
        """
        ...

    def write(self, client: int, attribute: AttributeRef, selection: Selection | None, value: Data) -> None:
        """Set an attribute.

        Raises:
            AccessRefusedError: no such object, no right, or a value that does not fit.
        """
        ...

    def invoke(self, client: int, method: MethodRef, parameter: Data | None) -> Data | None:
        """Call a method and return its value, if it has one.

        Raises:
            ActionRefusedError: no such method, no right, or a parameter that does not fit.
        """
        ...

    def report(self, client: int, incident: SecurityIncident) -> None:
        """Take note of what somebody tried."""
        ...
