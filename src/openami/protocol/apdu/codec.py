"""One door in and one out for all APDUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from openami.protocol.apdu import (
    access,
    acse_ber,
    action,
    ciphering,
    event,
    exception,
    get,
    initiate,
    notification,
    protection,
)
from openami.protocol.apdu import (
    set as set_,
)
from openami.protocol.apdu.acse import (
    AssociationRequest,
    AssociationResponse,
    ConfirmedServiceError,
    InitiateRequest,
    InitiateResponse,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.ciphering import CLEAR_OF, GeneralDedCiphering, GeneralGloCiphering, ServiceCiphering
from openami.protocol.apdu.event import EventNotification
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from openami.protocol.apdu.protection import GeneralCiphering, GeneralSigning
from openami.protocol.apdu.services import AccessApdu, ActionApdu, GetApdu, ServiceApdu, SetApdu
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.errors import PeerError

_NAMES = {int(t): t for t in ApduTag}


@dataclass(frozen=True, slots=True)
class OtherApdu:
    """An APDU that we recognize by its tag and pass on as octets."""

    tag: ApduTag
    octets: bytes = field(repr=False)


AcseApdu: TypeAlias = AssociationRequest | AssociationResponse | ReleaseRequest | ReleaseResponse
InitiateApdu: TypeAlias = InitiateRequest | InitiateResponse | ConfirmedServiceError
CipheredApdu: TypeAlias = (
    ServiceCiphering | GeneralGloCiphering | GeneralDedCiphering | GeneralCiphering | GeneralSigning
)
UnsolicitedApdu: TypeAlias = DataNotification | DataNotificationConfirm | EventNotification
Apdu: TypeAlias = ServiceApdu | UnsolicitedApdu | AcseApdu | InitiateApdu | CipheredApdu | ExceptionResponse | OtherApdu

_DECODERS: dict[ApduTag, Callable[[bytes], Apdu]] = {
    ApduTag.INITIATE_REQUEST: initiate.decode_initiate_request,
    ApduTag.INITIATE_RESPONSE: initiate.decode_initiate_response,
    ApduTag.CONFIRMED_SERVICE_ERROR: initiate.decode_service_error,
    ApduTag.DATA_NOTIFICATION: notification.decode_notification,
    ApduTag.DATA_NOTIFICATION_CONFIRM: notification.decode_confirm,
    ApduTag.AARQ: acse_ber.decode_aarq,
    ApduTag.AARE: acse_ber.decode_aare,
    ApduTag.RLRQ: acse_ber.decode_rlrq,
    ApduTag.RLRE: acse_ber.decode_rlre,
    ApduTag.GET_REQUEST: get.decode_get_request,
    ApduTag.SET_REQUEST: set_.decode_set_request,
    ApduTag.EVENT_NOTIFICATION_REQUEST: event.decode_event,
    ApduTag.ACTION_REQUEST: action.decode_action_request,
    ApduTag.GET_RESPONSE: get.decode_get_response,
    ApduTag.SET_RESPONSE: set_.decode_set_response,
    ApduTag.ACTION_RESPONSE: action.decode_action_response,
    ApduTag.EXCEPTION_RESPONSE: exception.decode_exception,
    ApduTag.ACCESS_REQUEST: access.decode_access_request,
    ApduTag.ACCESS_RESPONSE: access.decode_access_response,
    ApduTag.GENERAL_GLO_CIPHERING: ciphering.decode_general_glo,
    ApduTag.GENERAL_DED_CIPHERING: ciphering.decode_general_ded,
    ApduTag.GENERAL_CIPHERING: protection.decode_general_ciphering,
    ApduTag.GENERAL_SIGNING: protection.decode_general_signing,
    **dict.fromkeys(CLEAR_OF, ciphering.decode_service_ciphering),
}


def _encode_glo(message: GeneralGloCiphering) -> bytes:
    return ciphering.general_glo(message.header.system_title, message.sealed_body)


# Each encoder takes the one class that it stands beside; a type for that cannot be written.
_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    InitiateRequest: initiate.encode_initiate_request,
    InitiateResponse: initiate.encode_initiate_response,
    ConfirmedServiceError: initiate.encode_service_error,
    DataNotification: notification.encode_notification,
    DataNotificationConfirm: notification.encode_confirm,
    AssociationRequest: acse_ber.encode_aarq,
    AssociationResponse: acse_ber.encode_aare,
    ReleaseRequest: acse_ber.encode_release,
    ReleaseResponse: acse_ber.encode_release,
    EventNotification: event.encode_event,
    ExceptionResponse: exception.encode_exception,
    ServiceCiphering: ciphering.encode_service_ciphering,
    GeneralGloCiphering: _encode_glo,
    GeneralDedCiphering: ciphering.encode_general_ded,
    GeneralCiphering: protection.encode_general_ciphering,
    GeneralSigning: protection.encode_general_signing,
    **dict.fromkeys(get_args(GetApdu), get.encode_get),
    **dict.fromkeys(get_args(SetApdu), set_.encode_set),
    **dict.fromkeys(get_args(ActionApdu), action.encode_action),
    **dict.fromkeys(get_args(AccessApdu), access.encode_access),
}


def encode(apdu: Apdu) -> bytes:
    """Return the octets of an APDU.

    Raises:
        UsageError: a value that cannot be encoded.
    """
    if isinstance(apdu, OtherApdu):
        return apdu.octets
    return _ENCODERS[type(apdu)](apdu)


def decode(octets: bytes) -> Apdu:
    """Read one APDU that fills the octets.

    Raises:
        PeerError: none, too long, an unknown tag, or an APDU that is not what its tag says.
    """
    if not octets:
        raise PeerError("empty", "no octets where an APDU should stand", 0)
    if len(octets) > MAX_APDU_OCTETS:
        raise PeerError("too_long", f"an APDU of {len(octets)} octets, the limit is {MAX_APDU_OCTETS}", MAX_APDU_OCTETS)
    tag = _NAMES.get(octets[0])
    if tag is None:
        raise PeerError("unknown_apdu", f"APDU tag 0x{octets[0]:02x} is not a DLMS message", 0)
    decoder = _DECODERS.get(tag)
    return OtherApdu(tag, octets) if decoder is None else decoder(octets)
