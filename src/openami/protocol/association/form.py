"""The forms in which an association's messages are protected, apart from any key.

``enclose`` puts a sealed body (security control to tag) into the message of a form, ``disclose`` takes it out and tells
what the message claims. ``check_control`` is the policy: nothing weaker than agreed, no other suite, no other key set.

Source: IEC 62056-5-3, 5.7.2 (service-specific and general ciphering).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from openami.protocol import apdu as messages
from openami.protocol.apdu.ciphering import (
    CLEAR_OF,
    DED_OF,
    GLO_OF,
    GeneralDedCiphering,
    GeneralGloCiphering,
    ServiceCiphering,
    general_glo,
)
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.errors import PeerError, UsageError

PROTECTION_BITS = 0x30
SUITE_BITS = 0x0F
BROADCAST_BIT = 0x40
COMPRESSION_BIT = 0x80
_TAGS = {int(t): t for t in ApduTag}


class Form(Enum):
    """How a message is protected."""

    PLAIN = "plain"
    GLO = "glo"
    """Service-specific, global key; general-glo where the service has no form of its own (ACCESS, DataNotification)."""
    DED = "ded"
    """Service-specific, dedicated key; general-ded where the service has no form of its own."""
    GENERAL_GLO = "general_glo"
    GENERAL_DED = "general_ded"
    GENERAL = "general"
    """general-ciphering: with the key it is sealed under named, wrapped or agreed on."""
    SIGNED = "signed"
    """general-signing around a general-glo message."""

    @property
    def is_dedicated(self) -> bool:
        """Whether the dedicated key seals it."""
        return self in {Form.DED, Form.GENERAL_DED}


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A message under the global or dedicated key, taken apart; nothing of it is proved.

    Args:
        form: its form.
        title: the sender that it names; None where the association tells.
        body: security control to tag.
        clear_tag: the tag that the plaintext must have; None where any.
    """

    form: Form
    title: bytes | None
    body: bytes = field(repr=False)
    clear_tag: ApduTag | None = None

    @property
    def control(self) -> int:
        """The security control octet."""
        return self.body[0]


def enclose(form: Form, apdu: bytes, body: bytes, *, own_title: bytes) -> bytes:
    """Return the message of a form around a sealed body.

    Args:
        form: GLO, DED, GENERAL_GLO or GENERAL_DED.
        apdu: the plaintext APDU that was sealed; its first octet chooses the tag.
        body: what sealing gave, from the security control on.
        own_title: our system title, 8 octets.

    Raises:
        UsageError: a form that is not made of a body alone.
    """
    tag = _TAGS.get(apdu[0])
    if form is Form.GLO and tag is not None and tag in GLO_OF:
        return messages.encode(ServiceCiphering(GLO_OF[tag], body))
    if form is Form.DED and tag is not None and tag in DED_OF:
        return messages.encode(ServiceCiphering(DED_OF[tag], body))
    if form in {Form.GLO, Form.GENERAL_GLO}:
        return general_glo(own_title, body)
    if form in {Form.DED, Form.GENERAL_DED}:
        return messages.encode(GeneralDedCiphering(own_title, body))
    raise UsageError(f"form {form.value} is not a sealed body in an envelope")


def disclose(message: messages.Apdu) -> Enclosed | None:
    """Take a decoded message apart; None where it is not sealed under the global or dedicated key."""
    if isinstance(message, ServiceCiphering):
        form = Form.DED if message.is_dedicated else Form.GLO
        return Enclosed(form, None, message.sealed_body, CLEAR_OF[message.tag])
    if isinstance(message, GeneralGloCiphering):
        return Enclosed(Form.GENERAL_GLO, message.header.system_title, message.sealed_body)
    if isinstance(message, GeneralDedCiphering):
        return Enclosed(Form.GENERAL_DED, message.system_title or None, message.sealed_body)
    return None


def check_control(control: int, required: int) -> None:
    """Refuse a message that claims less than was agreed, before any key touches it.

    Args:
        control: security control octet of the message.
        required: the octet agreed on: protection bits that must be there, and the suite.

    Raises:
        PeerError: ``compressed``, ``unknown_suite``, ``broadcast`` or ``downgrade``.
    """
    if control & COMPRESSION_BIT:
        raise PeerError("compressed", "a compressed message; compression is not supported", 0)
    if control & SUITE_BITS != required & SUITE_BITS:
        raise PeerError("unknown_suite", f"suite {control & SUITE_BITS} where {required & SUITE_BITS} is agreed", 0)
    if control & BROADCAST_BIT:
        raise PeerError("broadcast", "the broadcast key set in an association of two", 0)
    needed = required & PROTECTION_BITS
    if control & needed != needed or not control & PROTECTION_BITS:
        raise PeerError("downgrade", f"security control 0x{control:02x} where 0x{required:02x} is agreed", 0)
