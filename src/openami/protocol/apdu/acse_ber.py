"""The association messages of :mod:`openami.protocol.apdu.acse` to octets and back: AARQ, AARE, RLRQ, RLRE.

What we send has the standard's fewest elements. What we read may have any order, long length forms, and elements
that we have no use for (protocol version, ACSE requirements, called titles, invocation ids, implementation
information); each element at most once. Source: IEC 62056-5-3, 7.2 and annexes D and E (examples); ISO/IEC 8650-1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

from openami.protocol.apdu.acse import (
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    Mechanism,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.ber import element, only_element, read_element, read_elements
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.errors import PeerError, UsageError

_CONTEXT_ARCS = bytes.fromhex("608574050801")
"""2.16.756.5.8.1: application contexts."""
_MECHANISM_ARCS = bytes.fromhex("608574050802")
"""2.16.756.5.8.2: authentication mechanisms."""
_AUTHENTICATION_REQUIRED = bytes.fromhex("0780")
"""ACSE requirements: a bit string of one bit, the authentication functional unit."""
_OBJECT_IDENTIFIER, _INTEGER, _OCTET_STRING = 0x06, 0x02, 0x04
_CHARACTER_STRING = 0x80
_CONTEXT, _USER_INFORMATION, _REASON = 0xA1, 0xBE, 0x80
_USER, _PROVIDER = 0xA1, 0xA2
_Named = TypeVar("_Named", bound=IntEnum)


class _Aarq(IntEnum):
    CALLING_TITLE = 0xA6
    CALLING_QUALIFIER = 0xA7
    REQUIREMENTS = 0x8A
    MECHANISM = 0x8B
    AUTHENTICATION = 0xAC


class _Aare(IntEnum):
    RESULT = 0xA2
    DIAGNOSTIC = 0xA3
    TITLE = 0xA4
    QUALIFIER = 0xA5
    REQUIREMENTS = 0x88
    MECHANISM = 0x89
    AUTHENTICATION = 0xAA


def encode_aarq(request: AssociationRequest) -> bytes:
    """Return the AARQ."""
    parts = [_named(_CONTEXT, _CONTEXT_ARCS, request.context)]
    if request.calling_title is not None:
        parts.append(_octets_in(_Aarq.CALLING_TITLE, request.calling_title))
    if request.calling_certificate is not None:
        parts.append(_octets_in(_Aarq.CALLING_QUALIFIER, request.calling_certificate))
    if request.mechanism is not Mechanism.NONE:
        parts.append(element(_Aarq.REQUIREMENTS, _AUTHENTICATION_REQUIRED))
        parts.append(element(_Aarq.MECHANISM, _MECHANISM_ARCS + bytes((request.mechanism,))))
    if request.calling_authentication is not None:
        parts.append(element(_Aarq.AUTHENTICATION, element(_CHARACTER_STRING, request.calling_authentication)))
    parts.append(_octets_in(_USER_INFORMATION, request.user_information))
    return element(ApduTag.AARQ, b"".join(parts))


def decode_aarq(octets: bytes) -> AssociationRequest:
    """Read an AARQ that fills the octets. Without a mechanism it asks for no authentication, whatever else it sends.

    Raises:
        PeerError: not an AARQ; ``unknown_context`` or ``unknown_mechanism`` where a name is none of ours, so that the
            server can answer with that diagnostic.
    """
    message = _Message(octets, ApduTag.AARQ)
    return AssociationRequest(
        context=message.name(_CONTEXT, _CONTEXT_ARCS, ApplicationContext, "unknown_context"),
        mechanism=message.mechanism(_Aarq.MECHANISM) or Mechanism.NONE,
        calling_title=message.inner(_Aarq.CALLING_TITLE, _OCTET_STRING, "a calling title"),
        calling_authentication=message.inner(_Aarq.AUTHENTICATION, _CHARACTER_STRING, "an authentication value"),
        user_information=message.needed(_USER_INFORMATION, _OCTET_STRING, "user information"),
        calling_certificate=message.inner(_Aarq.CALLING_QUALIFIER, _OCTET_STRING, "a calling qualifier"),
    )


def encode_aare(response: AssociationResponse) -> bytes:
    """Return the AARE.

    Raises:
        UsageError: a diagnostic over 7 bits.
    """
    if not 0 <= response.diagnostic < 0x80:
        raise UsageError("a diagnostic is a small number")
    source = _PROVIDER if response.provider_diagnostic else _USER
    diagnostic = element(source, element(_INTEGER, bytes((response.diagnostic,))))
    parts = [
        _named(_CONTEXT, _CONTEXT_ARCS, response.context),
        element(_Aare.RESULT, element(_INTEGER, bytes((response.result,)))),
        element(_Aare.DIAGNOSTIC, diagnostic),
    ]
    if response.responding_title is not None:
        parts.append(_octets_in(_Aare.TITLE, response.responding_title))
    if response.responding_certificate is not None:
        parts.append(_octets_in(_Aare.QUALIFIER, response.responding_certificate))
    if response.mechanism is not None:
        parts.append(element(_Aare.REQUIREMENTS, _AUTHENTICATION_REQUIRED))
        parts.append(element(_Aare.MECHANISM, _MECHANISM_ARCS + bytes((response.mechanism,))))
    if response.responding_authentication is not None:
        parts.append(element(_Aare.AUTHENTICATION, element(_CHARACTER_STRING, response.responding_authentication)))
    if response.user_information is not None:
        parts.append(_octets_in(_USER_INFORMATION, response.user_information))
    return element(ApduTag.AARE, b"".join(parts))


def decode_aare(octets: bytes) -> AssociationResponse:
    """Read an AARE that fills the octets.

    Raises:
        PeerError: not an AARE, or a name or result that the standard does not know.
    """
    message = _Message(octets, ApduTag.AARE)
    source, diagnostic = message.diagnostic()
    return AssociationResponse(
        context=message.name(_CONTEXT, _CONTEXT_ARCS, ApplicationContext, "unknown_context"),
        result=message.result(),
        diagnostic=diagnostic,
        provider_diagnostic=source == _PROVIDER,
        responding_title=message.inner(_Aare.TITLE, _OCTET_STRING, "a responding title"),
        mechanism=message.mechanism(_Aare.MECHANISM),
        responding_authentication=message.inner(_Aare.AUTHENTICATION, _CHARACTER_STRING, "an authentication value"),
        user_information=message.inner(_USER_INFORMATION, _OCTET_STRING, "user information"),
        responding_certificate=message.inner(_Aare.QUALIFIER, _OCTET_STRING, "a responding qualifier"),
    )


def encode_release(message: ReleaseRequest | ReleaseResponse) -> bytes:
    """Return the RLRQ or RLRE.

    Raises:
        UsageError: a reason over 7 bits.
    """
    tag = ApduTag.RLRQ if isinstance(message, ReleaseRequest) else ApduTag.RLRE
    content = b""
    if message.reason is not None:
        if not 0 <= message.reason < 0x80:
            raise UsageError("a reason is a small number")
        content = element(_REASON, bytes((message.reason,)))
    if message.user_information is not None:
        content += _octets_in(_USER_INFORMATION, message.user_information)
    return element(tag, content)


def decode_rlrq(octets: bytes) -> ReleaseRequest:
    """Read an RLRQ that fills the octets.

    Raises:
        PeerError: not an RLRQ.
    """
    return ReleaseRequest(*_release(_Message(octets, ApduTag.RLRQ)))


def decode_rlre(octets: bytes) -> ReleaseResponse:
    """Read an RLRE that fills the octets.

    Raises:
        PeerError: not an RLRE.
    """
    return ReleaseResponse(*_release(_Message(octets, ApduTag.RLRE)))


def _release(message: _Message) -> tuple[int | None, bytes | None]:
    place = message.places.get(_REASON)
    reason = None if place is None else message.small(place, "a reason")
    return reason, message.inner(_USER_INFORMATION, _OCTET_STRING, "user information")


def _octets_in(tag: int, octets: bytes) -> bytes:
    return element(tag, element(_OCTET_STRING, octets))


def _named(tag: int, arcs: bytes, last: int) -> bytes:
    return element(tag, element(_OBJECT_IDENTIFIER, arcs + bytes((last,))))


class _Message:
    """The elements of one association message."""

    __slots__ = ("octets", "places")

    def __init__(self, octets: bytes, tag: ApduTag) -> None:
        found, start, end = read_element(octets, 0, len(octets))
        if found != tag:
            raise PeerError("unexpected_apdu", f"APDU tag 0x{found:02x}, expected {tag.name} 0x{tag:02x}", 0)
        if end != len(octets):
            raise PeerError("trailing", f"{len(octets) - end} octets after the {tag.name}", end)
        self.octets = octets
        self.places = read_elements(octets, start, end)

    def inner(self, tag: int, inner_tag: int, what: str) -> bytes | None:
        """Return what stands in the element in the element, or None where that is not sent."""
        place = self.places.get(tag)
        return None if place is None else only_element(self.octets, place, inner_tag, what)

    def needed(self, tag: int, inner_tag: int, what: str) -> bytes:
        content = self.inner(tag, inner_tag, what)
        if content is None:
            raise PeerError("missing", f"an association message without {what}", len(self.octets))
        return content

    def small(self, place: tuple[int, int], what: str) -> int:
        start, end = place
        if end - start != 1 or self.octets[start] >= 0x80:
            raise PeerError("bad_element", f"{what} that is not a small number", start)
        return self.octets[start]

    def name(self, tag: int, arcs: bytes, kind: type[_Named], code: str) -> _Named:
        return self._last_arc(self.needed(tag, _OBJECT_IDENTIFIER, "an application context"), tag, arcs, kind, code)

    def mechanism(self, tag: int) -> Mechanism | None:
        place = self.places.get(tag)
        if place is None:
            return None
        return self._last_arc(self.octets[slice(*place)], tag, _MECHANISM_ARCS, Mechanism, "unknown_mechanism")

    def _last_arc(self, name: bytes, tag: int, arcs: bytes, kind: type[_Named], code: str) -> _Named:
        known = {int(k): k for k in kind}
        if len(name) != len(arcs) + 1 or not name.startswith(arcs) or name[-1] not in known:
            raise PeerError(code, f"{name[:16].hex()} names no {kind.__name__.lower()}", self.places[tag][0])
        return known[name[-1]]

    def result(self) -> AssociationResult:
        content = self.needed(_Aare.RESULT, _INTEGER, "a result")
        if len(content) != 1 or content[0] not in tuple(AssociationResult):
            at = self.places[_Aare.RESULT][0]
            raise PeerError("bad_element", "an association result that the standard does not know", at)
        return AssociationResult(content[0])

    def diagnostic(self) -> tuple[int, int]:
        """Return its source and number."""
        place = self.places.get(_Aare.DIAGNOSTIC)
        if place is None:
            raise PeerError("missing", "an AARE without a diagnostic", len(self.octets))
        source, start, end = read_element(self.octets, *place)
        if source not in (_USER, _PROVIDER) or end != place[1]:
            raise PeerError("bad_element", f"a diagnostic of source 0x{source:02x}", place[0])
        tag, inner, after = read_element(self.octets, start, end)
        if tag != _INTEGER or after != end:
            raise PeerError("bad_element", "a diagnostic that is no integer", start)
        return source, self.small((inner, after), "a diagnostic")
