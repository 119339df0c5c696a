"""DataNotification: what a meter pushes.

``0F | long-invoke-id-and-priority u32 | date-time | body``. The date-time is an octet string without a tag (``00``, or
``0C`` and twelve octets); older Kaifa and Kamstrup firmware sends it with the tag (``09 0C`` and twelve octets).
Source: IEC 62056-5-3, 6.15 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol import axdr
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.errors import PeerError, UsageError

MAX_INVOKE_ID = 0xFFFF_FFFF
_BODY_MIN_OFFSET = 6


@dataclass(frozen=True, slots=True)
class DataNotification:
    """One push.

    Args:
        invoke_id: the long invoke id and priority, 32 bits as sent.
        at: when it was sent, by the meter's clock; None where the meter does not say.
        body: the notification body.
    """

    invoke_id: int
    at: CosemDateTime | None
    body: axdr.Data


@dataclass(frozen=True, slots=True)
class DataNotificationConfirm:
    """The client has taken a push; the long invoke id is that of the push."""

    invoke_id: int


def encode_notification(notification: DataNotification) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: an invoke id over 32 bits, or a body that cannot be encoded.
    """
    if not 0 <= notification.invoke_id <= MAX_INVOKE_ID:
        raise UsageError("a long invoke id has 32 bits")
    at = b"\x00" if notification.at is None else bytes((DATE_TIME_OCTETS,)) + notification.at.encode()
    head = bytes((ApduTag.DATA_NOTIFICATION,)) + notification.invoke_id.to_bytes(4)
    return head + at + axdr.encode(notification.body)


def decode_notification(octets: bytes) -> DataNotification:
    """Read a DataNotification that fills the octets.

    Raises:
        PeerError: cut, a date-time of another length, or a body that is no value.
    """
    if len(octets) < _BODY_MIN_OFFSET:
        raise PeerError("cut", "the octets end inside the head of a DataNotification", len(octets))
    invoke_id = int.from_bytes(octets[1:5])
    offset = 5
    if octets[offset] == axdr.Tag.OCTET_STRING and octets[offset + 1 : offset + 2] == bytes((DATE_TIME_OCTETS,)):
        offset += 1
    size = octets[offset]
    offset += 1
    if size not in (0, DATE_TIME_OCTETS):
        raise PeerError("bad_date_time", f"a date-time of {size} octets, expected 0 or {DATE_TIME_OCTETS}", offset - 1)
    stamp = octets[offset : offset + size]
    if len(stamp) != size:
        raise PeerError("cut", "the octets end inside the date-time of a DataNotification", len(octets))
    at = decode_date_time(stamp, offset=offset) if size else None
    return DataNotification(invoke_id, at, axdr.decode(octets, offset + size))


def encode_confirm(confirm: DataNotificationConfirm) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: an invoke id over 32 bits.
    """
    if not 0 <= confirm.invoke_id <= MAX_INVOKE_ID:
        raise UsageError("a long invoke id has 32 bits")
    return bytes((ApduTag.DATA_NOTIFICATION_CONFIRM,)) + confirm.invoke_id.to_bytes(4)


def decode_confirm(octets: bytes) -> DataNotificationConfirm:
    """Read a confirmation that fills the octets.

    Raises:
        PeerError: another length.
    """
    reader = axdr.Reader(octets, 1)
    confirm = DataNotificationConfirm(reader.unsigned(4, "a long invoke id"))
    reader.finish("a confirmation")
    return confirm
