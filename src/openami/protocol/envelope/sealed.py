"""The clear header of a sealed APDU: all that can be known of it without a key.

general-glo-ciphering: ``DB | 08 | system title 8 | length | SC | IC 4 | ciphertext | tag``.
Requests and responses also come service-specific, without the title: whoever carries them says whose they are.
Source: IEC 62056-5-3, 5.7.2 (service-specific and general-glo-ciphering).
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.envelope.length import decode_length, encode_length
from openami.protocol.errors import PeerError, UsageError

GENERAL_GLO_CIPHERING = 0xDB
SERVICE_REQUESTS = frozenset({0xC8, 0xC9, 0xCB})
"""glo-get-request, glo-set-request, glo-action-request."""
SERVICE_RESPONSES = frozenset({0xCC, 0xCD, 0xCF})
"""Their responses."""
TITLE_OCTETS = 8
SECURITY_HEADER_OCTETS = 5
AUTHENTICATED_AND_ENCRYPTED = 0x30


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """The clear part of a sealed APDU. Nothing here is proved until the tag verifies.

    Args:
        tag: APDU tag.
        system_title: eight octets that name the sender.
        security_control: suite, protection and key set bits.
        invocation_counter: 32 bits, per key.
        body_offset: where the sealed body (from the security control on) begins in the APDU.
    """

    tag: int
    system_title: bytes
    security_control: int
    invocation_counter: int
    body_offset: int


def parse_sealed_header(apdu: bytes) -> SealedHeader:
    """Read the clear header of a general-glo-ciphering APDU and check that its length is that of the octets.

    Raises:
        PeerError: another APDU, no title of eight octets, or a length that does not fit.
    """
    if not apdu:
        raise PeerError("empty", "no octets where an APDU should stand", 0)
    if apdu[0] != GENERAL_GLO_CIPHERING:
        raise PeerError("unexpected_apdu", f"APDU tag 0x{apdu[0]:02x}, expected general-glo-ciphering 0xdb", 0)
    if len(apdu) < 2 + TITLE_OCTETS:
        raise PeerError("cut", "the octets end inside the system title", len(apdu))
    if apdu[1] != TITLE_OCTETS:
        raise PeerError("bad_title", f"a system title of {apdu[1]} octets, expected {TITLE_OCTETS}", 1)
    title = apdu[2 : 2 + TITLE_OCTETS]
    return _header(apdu, title, 2 + TITLE_OCTETS)


def parse_service_sealed(apdu: bytes, *, title: bytes) -> SealedHeader:
    """Read the clear header of a service-specific glo APDU, ``tag | length | SC | IC 4 | ciphertext | tag``.

    Args:
        apdu: a request or response sealed with the global key.
        title: the sender's system title, which such an APDU does not name.

    Raises:
        PeerError: another APDU, or a length that does not fit.
    """
    if not apdu or apdu[0] not in SERVICE_REQUESTS | SERVICE_RESPONSES:
        raise PeerError("unexpected_apdu", "no request or response that is sealed with the global key", 0)
    return _header(apdu, title, 1)


def _header(apdu: bytes, title: bytes, length_at: int) -> SealedHeader:
    length, body_offset = decode_length(apdu, length_at)
    present = len(apdu) - body_offset
    if present < length:
        raise PeerError("cut", f"{present} of {length} octets of the sealed body", len(apdu))
    if present > length:
        raise PeerError("trailing", f"{present - length} octets after the sealed body", body_offset + length)
    if length < SECURITY_HEADER_OCTETS:
        raise PeerError("cut", "the sealed body has no room for control and counter", body_offset)
    counter = int.from_bytes(apdu[body_offset + 1 : body_offset + SECURITY_HEADER_OCTETS])
    return SealedHeader(apdu[0], title, apdu[body_offset], counter, body_offset)


def build_sealed(title: bytes, sealed_body: bytes) -> bytes:
    """Return the general-glo-ciphering APDU around a sealed body (from the security control on).

    Raises:
        UsageError: a title that has not eight octets, or a body without control and counter.
    """
    if len(title) != TITLE_OCTETS:
        raise UsageError(f"a system title has {TITLE_OCTETS} octets, not {len(title)}")
    if len(sealed_body) < SECURITY_HEADER_OCTETS:
        raise UsageError("a sealed body begins with control and counter")
    head = bytes((GENERAL_GLO_CIPHERING, TITLE_OCTETS)) + title
    return head + encode_length(len(sealed_body)) + sealed_body
