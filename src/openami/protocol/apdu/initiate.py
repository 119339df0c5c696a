"""What the user information of an association carries: initiate request and response, confirmed service error.

``01 | dedicated key? | response allowed? | quality of service? | version | conformance | max PDU u16`` and
``08 | quality of service? | version | conformance | max PDU u16 | VAA name u16``, where ``?`` is an octet 0, or 1 and
the part. Conformance is ``5F 1F 04 00`` and 24 bits; some HDLC stacks leave the ``1F`` out.
Source: IEC 62056-5-3, 8 (``InitiateRequest``, ``Conformance``, ``ConfirmedServiceError``).
"""

from __future__ import annotations

from openami.protocol.apdu.acse import ConfirmedServiceError, Conformance, InitiateRequest, InitiateResponse
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Reader
from openami.protocol.envelope.length import encode_length
from openami.protocol.errors import PeerError, UsageError

_CONFORMANCE_HEAD = bytes.fromhex("5f1f0400")
_CONFORMANCE_SHORT_TAG = 0x5F
_CONFORMANCE_TAG_REST = 0x1F


def encode_initiate_request(request: InitiateRequest) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a number that does not fit.
    """
    key = request.dedicated_key
    try:
        return b"".join(
            (
                bytes((ApduTag.INITIATE_REQUEST,)),
                b"\x00" if key is None else b"\x01" + encode_length(len(key)) + key,
                b"\x00" if request.response_allowed else b"\x01\x00",
                _optional_octet(request.quality_of_service),
                bytes((request.version,)),
                _conformance_octets(request.conformance),
                request.max_pdu_octets.to_bytes(2),
            )
        )
    except (ValueError, OverflowError) as error:
        raise UsageError("an initiate request has a version of 8 and a PDU size of 16 bits") from error


def decode_initiate_request(octets: bytes) -> InitiateRequest:
    """Read an initiate request that fills the octets.

    Raises:
        PeerError: another APDU, cut, octets left over, or a conformance block that is none.
    """
    reader = _reader(octets, ApduTag.INITIATE_REQUEST)
    key = reader.string("a dedicated key") if reader.flag("a dedicated key") else None
    allowed = reader.boolean("response-allowed") if reader.flag("response-allowed") else True
    quality = _read_optional_octet(reader)
    version = reader.unsigned(1, "a version")
    conformance = _read_conformance(reader)
    request = InitiateRequest(conformance, reader.unsigned(2, "a PDU size"), key, allowed, quality, version)
    reader.finish("an initiate request")
    return request


def encode_initiate_response(response: InitiateResponse) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a number that does not fit.
    """
    try:
        return b"".join(
            (
                bytes((ApduTag.INITIATE_RESPONSE,)),
                _optional_octet(response.quality_of_service),
                bytes((response.version,)),
                _conformance_octets(response.conformance),
                response.max_pdu_octets.to_bytes(2),
                response.vaa_name.to_bytes(2),
            )
        )
    except (ValueError, OverflowError) as error:
        raise UsageError("an initiate response has a version of 8 and sizes of 16 bits") from error


def decode_initiate_response(octets: bytes) -> InitiateResponse:
    """Read an initiate response that fills the octets.

    Raises:
        PeerError: another APDU, cut, octets left over, or a conformance block that is none.
    """
    reader = _reader(octets, ApduTag.INITIATE_RESPONSE)
    quality = _read_optional_octet(reader)
    version = reader.unsigned(1, "a version")
    conformance = _read_conformance(reader)
    max_pdu_octets, vaa_name = reader.unsigned(2, "a PDU size"), reader.unsigned(2, "a VAA name")
    reader.finish("an initiate response")
    return InitiateResponse(conformance, max_pdu_octets, vaa_name, quality, version)


def encode_service_error(error: ConfirmedServiceError) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a number over 8 bits.
    """
    try:
        return bytes((ApduTag.CONFIRMED_SERVICE_ERROR, error.service, error.error_class, error.value))
    except ValueError as bad:
        raise UsageError("service, class and value of an error have 8 bits each") from bad


def decode_service_error(octets: bytes) -> ConfirmedServiceError:
    """Read a confirmed service error that fills the octets.

    Raises:
        PeerError: another APDU, cut or octets left over.
    """
    reader = _reader(octets, ApduTag.CONFIRMED_SERVICE_ERROR)
    service, error_class, value = reader.take(3, "a confirmed service error")
    reader.finish("a confirmed service error")
    return ConfirmedServiceError(service, error_class, value)


def _reader(octets: bytes, tag: ApduTag) -> Reader:
    if not octets or octets[0] != tag:
        raise PeerError("unexpected_apdu", f"no {tag.name.lower().replace('_', ' ')}", 0)
    return Reader(octets, 1)


def _optional_octet(octet: int | None) -> bytes:
    return b"\x00" if octet is None else bytes((1, octet))


def _read_optional_octet(reader: Reader) -> int | None:
    return reader.unsigned(1, "a quality of service") if reader.flag("a quality of service") else None


def _conformance_octets(conformance: Conformance) -> bytes:
    return _CONFORMANCE_HEAD + int(conformance).to_bytes(3)


def _read_conformance(reader: Reader) -> Conformance:
    at = reader.offset
    tag = reader.unsigned(1, "a conformance block")
    following = reader.octets[reader.offset : reader.offset + 1]
    if following == bytes((_CONFORMANCE_TAG_REST,)):
        reader.take(1, "a conformance block")
    size_and_spare = reader.take(2, "a conformance block")
    if tag != _CONFORMANCE_SHORT_TAG or size_and_spare != _CONFORMANCE_HEAD[2:]:
        raise PeerError("bad_conformance", "the conformance block is not 5f 1f 04 00 and 24 bits", at)
    return Conformance(reader.unsigned(3, "a conformance block"))
