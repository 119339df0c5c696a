"""Ciphered APDUs as values: which one, who sent it, and the sealed body. Knows no key.

Service-specific: ``tag | length | SC | IC 4 | ciphertext | tag``; the system titles come from the association.
General: ``DB or DC | title length | system title | length | SC | IC 4 | ciphertext | tag``.
Source: IEC 62056-5-3, 5.7.2.5 (general-glo-ciphering and its kin) and 8.2 (the ``glo-`` and ``ded-`` choices).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.envelope.length import encode_length
from openami.protocol.envelope.sealed import (
    SECURITY_HEADER_OCTETS,
    TITLE_OCTETS,
    SealedHeader,
    build_sealed,
    parse_sealed_header,
)
from openami.protocol.errors import PeerError, UsageError

GLO_OF: Mapping[ApduTag, ApduTag] = MappingProxyType(
    {
        ApduTag.INITIATE_REQUEST: ApduTag.GLO_INITIATE_REQUEST,
        ApduTag.INITIATE_RESPONSE: ApduTag.GLO_INITIATE_RESPONSE,
        ApduTag.CONFIRMED_SERVICE_ERROR: ApduTag.GLO_CONFIRMED_SERVICE_ERROR,
        ApduTag.GET_REQUEST: ApduTag.GLO_GET_REQUEST,
        ApduTag.SET_REQUEST: ApduTag.GLO_SET_REQUEST,
        ApduTag.EVENT_NOTIFICATION_REQUEST: ApduTag.GLO_EVENT_NOTIFICATION_REQUEST,
        ApduTag.ACTION_REQUEST: ApduTag.GLO_ACTION_REQUEST,
        ApduTag.GET_RESPONSE: ApduTag.GLO_GET_RESPONSE,
        ApduTag.SET_RESPONSE: ApduTag.GLO_SET_RESPONSE,
        ApduTag.ACTION_RESPONSE: ApduTag.GLO_ACTION_RESPONSE,
    }
)
"""Tag of a clear APDU to the tag of the same under a global key. Other APDUs have only the general forms."""
DED_OF: Mapping[ApduTag, ApduTag] = MappingProxyType(
    {
        ApduTag.CONFIRMED_SERVICE_ERROR: ApduTag.DED_CONFIRMED_SERVICE_ERROR,
        ApduTag.GET_REQUEST: ApduTag.DED_GET_REQUEST,
        ApduTag.SET_REQUEST: ApduTag.DED_SET_REQUEST,
        ApduTag.EVENT_NOTIFICATION_REQUEST: ApduTag.DED_EVENT_NOTIFICATION_REQUEST,
        ApduTag.ACTION_REQUEST: ApduTag.DED_ACTION_REQUEST,
        ApduTag.GET_RESPONSE: ApduTag.DED_GET_RESPONSE,
        ApduTag.SET_RESPONSE: ApduTag.DED_SET_RESPONSE,
        ApduTag.ACTION_RESPONSE: ApduTag.DED_ACTION_RESPONSE,
    }
)
"""Tag of a clear APDU to the tag of the same under the dedicated key."""
CLEAR_OF: Mapping[ApduTag, ApduTag] = MappingProxyType({sealed: t for m in (GLO_OF, DED_OF) for t, sealed in m.items()})
"""Tag of a service-specific ciphered APDU to the tag that its plaintext must have."""


@dataclass(frozen=True, slots=True)
class GeneralGloCiphering:
    """A sealed APDU: the clear header and the body from the security control on."""

    header: SealedHeader
    sealed_body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GeneralDedCiphering:
    """An APDU under the dedicated key.

    Args:
        system_title: the sender; eight octets, or none where the association has told it.
        sealed_body: from the security control on; not shown, it is readable where only authenticated.
    """

    system_title: bytes
    sealed_body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServiceCiphering:
    """An APDU under the global or dedicated key, in the form of its own service.

    Args:
        tag: one of the keys of :data:`CLEAR_OF`.
        sealed_body: from the security control on; not shown, it is readable where only authenticated.
    """

    tag: ApduTag
    sealed_body: bytes = field(repr=False)

    @property
    def is_dedicated(self) -> bool:
        """Whether the dedicated key seals it, not the global one."""
        return self.tag in DED_OF.values()


def general_glo(title: bytes, sealed_body: bytes) -> bytes:
    """Return the general-glo-ciphering APDU around what :func:`openami.security.suites.gcm.seal` gave.

    Raises:
        UsageError: a title that has not eight octets, or a body without control and counter.
    """
    return build_sealed(title, sealed_body)


def decode_general_glo(octets: bytes) -> GeneralGloCiphering:
    """Read a general-glo-ciphering APDU.

    Raises:
        PeerError: as :func:`parse_sealed_header`.
    """
    header = parse_sealed_header(octets)
    return GeneralGloCiphering(header, octets[header.body_offset :])


def encode_general_ded(message: GeneralDedCiphering) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a title that has neither eight octets nor none, or a body without control and counter.
    """
    head = bytes((ApduTag.GENERAL_DED_CIPHERING,)) + title_octets(message.system_title)
    return head + sealed_octets(message.sealed_body)


def decode_general_ded(octets: bytes) -> GeneralDedCiphering:
    """Read a general-ded-ciphering APDU that fills the octets.

    Raises:
        PeerError: cut, octets left over, or a title of another length.
    """
    reader = Reader(octets, 1)
    message = GeneralDedCiphering(read_title(reader), read_sealed(reader))
    reader.finish("a general-ded-ciphering")
    return message


def encode_service_ciphering(message: ServiceCiphering) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a tag of another message, or a body without control and counter.
    """
    if message.tag not in CLEAR_OF:
        raise UsageError(f"{message.tag.name} is not a service-specific ciphered APDU")
    return bytes((message.tag,)) + sealed_octets(message.sealed_body)


def decode_service_ciphering(octets: bytes) -> ServiceCiphering:
    """Read a service-specific ciphered APDU that fills the octets.

    Raises:
        PeerError: cut, octets left over, or another tag.
    """
    reader = Reader(octets)
    tag = reader.unsigned(1, "an APDU tag")
    if tag not in _SERVICE_TAGS:
        raise PeerError("unexpected_apdu", f"APDU tag 0x{tag:02x} is not a service-specific ciphered one", 0)
    message = ServiceCiphering(_SERVICE_TAGS[tag], read_sealed(reader))
    reader.finish("a ciphered APDU")
    return message


_SERVICE_TAGS = {int(t): t for t in CLEAR_OF}


def title_octets(title: bytes) -> bytes:
    """Return a system title as an octet string.

    Raises:
        UsageError: neither eight octets nor none.
    """
    if len(title) not in (0, TITLE_OCTETS):
        raise UsageError(f"a system title has {TITLE_OCTETS} octets or none, not {len(title)}")
    return bytes((len(title),)) + title


def read_title(reader: Reader) -> bytes:
    """Read a system title.

    Raises:
        PeerError: cut, or neither eight octets nor none.
    """
    at = reader.offset
    title = reader.string("a system title")
    if len(title) not in (0, TITLE_OCTETS):
        raise PeerError("bad_title", f"a system title of {len(title)} octets, expected {TITLE_OCTETS}", at)
    return title


def sealed_octets(sealed_body: bytes) -> bytes:
    """Return a sealed body as an octet string.

    Raises:
        UsageError: a body without control and counter.
    """
    if len(sealed_body) < SECURITY_HEADER_OCTETS:
        raise UsageError("a sealed body begins with control and counter")
    return encode_length(len(sealed_body)) + sealed_body


def read_sealed(reader: Reader) -> bytes:
    """Read a sealed body.

    Raises:
        PeerError: cut, or without control and counter.
    """
    at = reader.offset
    body = reader.string("a sealed body")
    if len(body) < SECURITY_HEADER_OCTETS:
        raise PeerError("cut", "the sealed body has no room for control and counter", at)
    return body
