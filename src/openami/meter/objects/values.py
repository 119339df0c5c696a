"""Short words for the values that objects are made of."""

from __future__ import annotations

from datetime import datetime

from openami.kernel.obis import Obis
from openami.protocol.axdr import Data, Tag, octet_string, structure, u16
from openami.protocol.cosem.datetime import UNSPECIFIED_DEVIATION, CosemDateTime, date_time_from_utc
from openami.protocol.cosem.reference import CaptureObject

WH, WATT, VOLT, AMPERE, SECOND, COUNT = 30, 27, 35, 33, 7, 255
"""Units. Source: IEC 62056-6-2, table of physical units."""


def enum(value: int) -> Data:
    """Return an enum."""
    return Data(Tag.ENUM, value)


def boolean(value: bool) -> Data:  # noqa: FBT001 - the value itself
    """Return a boolean."""
    return Data(Tag.BOOLEAN, value)


def i8(value: int) -> Data:
    """Return an integer of 8 bits."""
    return Data(Tag.INTEGER, value)


def i16(value: int) -> Data:
    """Return a long, 16 bits."""
    return Data(Tag.LONG, value)


def i32(value: int) -> Data:
    """Return a double-long, 32 bits."""
    return Data(Tag.DOUBLE_LONG, value)


def name_of(instance: Obis) -> Data:
    """Return a logical name as a value."""
    return octet_string(instance.octets)


def scaler_unit(scaler: int, unit: int) -> Data:
    """Return what one count is worth: a power of ten and a unit."""
    return structure(i8(scaler), enum(unit))


def clock_value(shown: datetime) -> Data:
    """Return a time as our meter writes it in every row and push: UTC, its deviation stated."""
    return octet_string(date_time_from_utc(shown).encode())


def no_time() -> Data:
    """Return a date-time in which nothing is specified."""
    nothing = CosemDateTime(0xFFFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, UNSPECIFIED_DEVIATION, 0xFF)
    return octet_string(nothing.encode())


def capture_value(column: CaptureObject) -> Data:
    """Return a capture object as a value: class, logical name, attribute, index."""
    return structure(u16(column.class_id), name_of(column.instance), i8(column.attribute), u16(column.index))
