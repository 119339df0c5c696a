"""One door in and one out for all APDUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from openami.protocol.apdu.ciphering import GeneralGloCiphering, decode_general_glo, general_glo
from openami.protocol.apdu.event import EventNotification, decode_event, encode_event
from openami.protocol.apdu.exception import ExceptionResponse, decode_exception, encode_exception
from openami.protocol.apdu.notification import DataNotification, decode_notification, encode_notification
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.errors import PeerError

_NAMES = {int(t): t for t in ApduTag}


@dataclass(frozen=True, slots=True)
class OtherApdu:
    """An APDU that we recognize by its tag and pass on as octets."""

    tag: ApduTag
    octets: bytes


Apdu: TypeAlias = DataNotification | GeneralGloCiphering | EventNotification | ExceptionResponse | OtherApdu


def encode(apdu: Apdu) -> bytes:
    """Return the octets of an APDU.

    Raises:
        UsageError: a value that cannot be encoded.
    """
    if isinstance(apdu, DataNotification):
        return encode_notification(apdu)
    if isinstance(apdu, GeneralGloCiphering):
        return general_glo(apdu.header.system_title, apdu.sealed_body)
    if isinstance(apdu, EventNotification):
        return encode_event(apdu)
    if isinstance(apdu, ExceptionResponse):
        return encode_exception(apdu)
    return apdu.octets


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
    if tag is ApduTag.DATA_NOTIFICATION:
        return decode_notification(octets)
    if tag is ApduTag.GENERAL_GLO_CIPHERING:
        return decode_general_glo(octets)
    if tag is ApduTag.EVENT_NOTIFICATION_REQUEST:
        return decode_event(octets)
    if tag is ApduTag.EXCEPTION_RESPONSE:
        return decode_exception(octets)
    return OtherApdu(tag, octets)
