"""The clear part of association messages: where the user information is, which alone may be sealed in them.

AARQ, AARE, RLRQ and RLRE are BER: ``tag | length`` and elements of one tag octet each. User information is the last
element, ``BE | length | 04 | length | octets``. Nothing here reads what is inside it but its first octet, which tells
a sealed initiate message from a plain one.

Source: IEC 62056-5-3, 7.2 and 9.3 (ACSE in BER); ITU-T X.690, 8.1 (identifier and length octets).
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.envelope.length import decode_length
from openami.protocol.envelope.sealed import SECURITY_HEADER_OCTETS, TITLE_OCTETS
from openami.protocol.errors import PeerError

AARQ, AARE, RLRQ, RLRE = 0x60, 0x61, 0x62, 0x63
ACCEPTED = 0
"""Association result; anything else is a refusal."""
REQUESTS = frozenset({AARQ, RLRQ})
ANSWERS = frozenset({AARE, RLRE})
GLO_INITIATE_REQUEST = 0x21
GLO_INITIATE_RESPONSE = 0x28
_SEALED = frozenset({GLO_INITIATE_REQUEST, GLO_INITIATE_RESPONSE})
_USER_INFORMATION = 0xBE
_OCTET_STRING = 0x04
_RESULT = 0xA2
_RESPONDING_TITLE = 0xA4
MAX_ELEMENTS = 16
"""AARE has twelve different elements; each may come once."""


@dataclass(frozen=True, slots=True)
class AssociationEnvelope:
    """The clear part of one association message.

    Args:
        tag: 0x60 to 0x63.
        responding_title: system title that an AARE names; None where it names none.
        result: association result of an AARE; None elsewhere.
        user_information: the octets inside; empty where there are none.
        user_information_at: offset of those octets in the APDU.
        sealed_at: offset of ``SC | IC | ciphertext | tag`` in the APDU, which goes to its end; None where the user
            information is not sealed with a global key.
    """

    tag: int
    responding_title: bytes | None
    result: int | None
    user_information: bytes
    user_information_at: int
    sealed_at: int | None


def parse_association(apdu: bytes) -> AssociationEnvelope:
    """Read the clear part.

    Raises:
        PeerError: no association message, an element that does not fit, twice or after the user information.
    """
    if not apdu or apdu[0] not in REQUESTS | ANSWERS:
        raise PeerError("unexpected_apdu", "no association message", 0)
    length, at = decode_length(apdu, 1)
    if at + length != len(apdu):
        raise PeerError("cut", f"a length of {length} where {len(apdu) - at} octets stand", 1)
    elements = _elements(apdu, at)
    start, end = elements.get(_USER_INFORMATION, (len(apdu), len(apdu)))
    if end != len(apdu):
        raise PeerError("trailing", "elements after the user information", end)
    inside_at = _octet_string_at(apdu, start, end) if start < end else end
    return AssociationEnvelope(
        tag=apdu[0],
        responding_title=_title(apdu, elements) if apdu[0] == AARE else None,
        result=_result(apdu, elements) if apdu[0] == AARE else None,
        user_information=apdu[inside_at:],
        user_information_at=inside_at,
        sealed_at=_sealed_at(apdu, inside_at),
    )


def _elements(apdu: bytes, at: int) -> dict[int, tuple[int, int]]:
    """Return where the content of each element begins and ends, by tag."""
    found: dict[int, tuple[int, int]] = {}
    while at < len(apdu):
        tag = apdu[at]
        if tag & 0x1F == 0x1F or tag in found or len(found) == MAX_ELEMENTS:
            raise PeerError("bad_element", f"element 0x{tag:02x} is none, or there twice", at)
        length, start = decode_length(apdu, at + 1)
        if start + length > len(apdu):
            raise PeerError("cut", f"element 0x{tag:02x} of {length} octets does not fit", at)
        found[tag] = (start, start + length)
        at = start + length
    return found


def _octet_string_at(apdu: bytes, start: int, end: int) -> int:
    if apdu[start] != _OCTET_STRING:
        raise PeerError("bad_element", f"user information begins with 0x{apdu[start]:02x}, not with 0x04", start)
    length, at = decode_length(apdu, start + 1)
    if at + length != end or not length:
        raise PeerError("cut", f"user information of {length} octets does not fit", start)
    return at


def _title(apdu: bytes, elements: dict[int, tuple[int, int]]) -> bytes | None:
    start, end = elements.get(_RESPONDING_TITLE, (0, 0))
    title = apdu[start + 2 : end]
    is_title = end - start == 2 + TITLE_OCTETS and apdu[start : start + 2] == bytes((_OCTET_STRING, TITLE_OCTETS))
    return title if is_title else None


def _result(apdu: bytes, elements: dict[int, tuple[int, int]]) -> int | None:
    start, end = elements.get(_RESULT, (0, 0))
    return apdu[start + 2] if end - start == 3 and apdu[start : start + 2] == b"\x02\x01" else None


def _sealed_at(apdu: bytes, inside_at: int) -> int | None:
    if inside_at >= len(apdu) or apdu[inside_at] not in _SEALED:
        return None
    length, at = decode_length(apdu, inside_at + 1)
    if at + length != len(apdu) or length < SECURITY_HEADER_OCTETS:
        raise PeerError("cut", f"a sealed initiate message of {length} octets does not fit", inside_at)
    return at
