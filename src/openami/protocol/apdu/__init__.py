"""Application messages (xDLMS APDUs), both ways. Source: IEC 62056-5-3, 8."""

from openami.protocol.apdu.ciphering import (
    CLEAR_OF,
    DED_OF,
    GLO_OF,
    GeneralDedCiphering,
    GeneralGloCiphering,
    ServiceCiphering,
    general_glo,
)
from openami.protocol.apdu.codec import Apdu, OtherApdu, decode, encode
from openami.protocol.apdu.event import EventNotification
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.notification import DataNotification, DataNotificationConfirm
from openami.protocol.apdu.protection import (
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    KeyInfo,
    ProtectionHeader,
    WrappedKey,
)
from openami.protocol.apdu.tags import ApduTag

__all__ = [
    "CLEAR_OF",
    "DED_OF",
    "GLO_OF",
    "AgreedKey",
    "Apdu",
    "ApduTag",
    "DataNotification",
    "DataNotificationConfirm",
    "EventNotification",
    "ExceptionResponse",
    "GeneralCiphering",
    "GeneralDedCiphering",
    "GeneralGloCiphering",
    "GeneralSigning",
    "IdentifiedKey",
    "KeyId",
    "KeyInfo",
    "OtherApdu",
    "ProtectionHeader",
    "ServiceCiphering",
    "WrappedKey",
    "decode",
    "encode",
    "general_glo",
]
