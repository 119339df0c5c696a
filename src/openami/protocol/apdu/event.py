"""EventNotification: one attribute, sent unasked.

``C2 | optional date-time | class u16 | instance 6 | attribute i8 | value``. Source: IEC 62056-5-3, 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.kernel.obis import Obis
from openami.protocol import axdr
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.errors import PeerError, UsageError

_DESCRIPTOR_OCTETS = 9


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One attribute and, where the meter says it, when it took that value."""

    at: CosemDateTime | None
    class_id: int
    instance: Obis
    attribute: int
    value: axdr.Data


def encode_event(event: EventNotification) -> bytes:
    """Return the APDU.

    Raises:
        UsageError: a class or attribute out of range, or a value that cannot be encoded.
    """
    if not 0 <= event.class_id <= 0xFFFF or not -128 <= event.attribute <= 127:
        raise UsageError("a class id has 16 bits, an attribute 8")
    at = b"\x00" if event.at is None else b"\x01" + bytes((DATE_TIME_OCTETS,)) + event.at.encode()
    descriptor = event.class_id.to_bytes(2) + event.instance.octets + event.attribute.to_bytes(1, signed=True)
    return bytes((ApduTag.EVENT_NOTIFICATION_REQUEST,)) + at + descriptor + axdr.encode(event.value)


def decode_event(octets: bytes) -> EventNotification:
    """Read an EventNotification that fills the octets.

    Raises:
        PeerError: cut, a presence flag or date-time that is none, or a value that is none.
    """
    if len(octets) < 2:
        raise PeerError("cut", "the octets end inside an EventNotification", len(octets))
    at: CosemDateTime | None = None
    offset = 2
    if octets[1] > 1:
        raise PeerError("bad_flag", f"presence flag {octets[1]}, expected 0 or 1", 1)
    if octets[1] == 1:
        if octets[offset : offset + 1] != bytes((DATE_TIME_OCTETS,)):
            raise PeerError("bad_date_time", "the date-time of an EventNotification has not twelve octets", offset)
        at = decode_date_time(octets[offset + 1 : offset + 1 + DATE_TIME_OCTETS], offset=offset + 1)
        offset += 1 + DATE_TIME_OCTETS
    descriptor = octets[offset : offset + _DESCRIPTOR_OCTETS]
    if len(descriptor) != _DESCRIPTOR_OCTETS:
        raise PeerError("cut", "the octets end inside an attribute descriptor", len(octets))
    attribute = int.from_bytes(descriptor[8:], signed=True)
    value = axdr.decode(octets, offset + _DESCRIPTOR_OCTETS)
    return EventNotification(at, int.from_bytes(descriptor[:2]), Obis(descriptor[2:8]), attribute, value)
