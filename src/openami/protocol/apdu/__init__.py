"""Application messages (xDLMS APDUs), both ways. Source: IEC 62056-5-3, 8."""

from openami.protocol.apdu.ciphering import GeneralGloCiphering, general_glo
from openami.protocol.apdu.codec import Apdu, OtherApdu, decode, encode
from openami.protocol.apdu.event import EventNotification
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.notification import DataNotification
from openami.protocol.apdu.tags import ApduTag

__all__ = [
    "Apdu",
    "ApduTag",
    "DataNotification",
    "EventNotification",
    "ExceptionResponse",
    "GeneralGloCiphering",
    "OtherApdu",
    "decode",
    "encode",
    "general_glo",
]
