"""DLMS values as they stand on the wire: a type tag and a Python value.

Source: IEC 62056-5-3, the ``Data`` choice; IEC 62056-6-2, table of data types.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

MAX_NESTING = 16
"""Deepest arrays and structures in each other; real push lists have five."""
MAX_ELEMENTS = 100_000
"""Most values in one message, counted through all levels, so that a compact array of nothing cannot fill the memory."""


class Tag(IntEnum):
    """Type tags of ``Data``."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    COMPACT_ARRAY = 19
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DELTA_INTEGER = 28
    DELTA_LONG = 29
    DELTA_DOUBLE_LONG = 30
    DELTA_UNSIGNED = 31
    DELTA_LONG_UNSIGNED = 32
    DELTA_DOUBLE_LONG_UNSIGNED = 33
    DONT_CARE = 255


FIXED: Mapping[Tag, struct.Struct] = {
    Tag.DOUBLE_LONG: struct.Struct(">i"),
    Tag.DOUBLE_LONG_UNSIGNED: struct.Struct(">I"),
    Tag.BCD: struct.Struct(">b"),
    Tag.INTEGER: struct.Struct(">b"),
    Tag.LONG: struct.Struct(">h"),
    Tag.UNSIGNED: struct.Struct(">B"),
    Tag.LONG_UNSIGNED: struct.Struct(">H"),
    Tag.LONG64: struct.Struct(">q"),
    Tag.LONG64_UNSIGNED: struct.Struct(">Q"),
    Tag.ENUM: struct.Struct(">B"),
    Tag.FLOAT32: struct.Struct(">f"),
    Tag.FLOAT64: struct.Struct(">d"),
    Tag.DELTA_INTEGER: struct.Struct(">b"),
    Tag.DELTA_LONG: struct.Struct(">h"),
    Tag.DELTA_DOUBLE_LONG: struct.Struct(">i"),
    Tag.DELTA_UNSIGNED: struct.Struct(">B"),
    Tag.DELTA_LONG_UNSIGNED: struct.Struct(">H"),
    Tag.DELTA_DOUBLE_LONG_UNSIGNED: struct.Struct(">I"),
}
"""Numbers of fixed size."""
FIXED_OCTETS: Mapping[Tag, int] = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}
"""Octets of fixed size; :mod:`openami.protocol.cosem` gives them meaning."""
STRINGS = frozenset({Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING})
EMPTY = frozenset({Tag.NULL, Tag.DONT_CARE})
INTEGERS = frozenset(FIXED) - {Tag.FLOAT32, Tag.FLOAT64}


@dataclass(frozen=True, slots=True)
class BitString:
    """``count`` bits, the first in the highest bit of the first octet; spare bits are kept as they came."""

    count: int
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """What one element of a compact array is.

    Args:
        tag: its type.
        members: the member types of a structure, or the one element type of an array.
        count: number of elements of an array.
    """

    tag: Tag
    members: tuple[TypeDescription, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class CompactArray:
    """Elements of one type, whose description is sent once."""

    description: TypeDescription
    elements: tuple[Data, ...]


Value: TypeAlias = "bool | int | float | bytes | BitString | CompactArray | tuple[Data, ...] | None"


@dataclass(frozen=True, slots=True)
class Data:
    """One value. Strings of all kinds are octets here, so that any octets survive the way in and out.

    Args:
        tag: type.
        value: None (null, don't care), bool, int, float, bytes, :class:`BitString`, :class:`CompactArray`, or a tuple
            of elements (array, structure). It may be a reading, so its text shows the type alone.
    """

    tag: Tag
    value: Value = field(default=None, repr=False)

    @property
    def elements(self) -> tuple[Data, ...]:
        """The elements of an array, structure or compact array; nothing for any other value."""
        if isinstance(self.value, tuple):
            return self.value
        if isinstance(self.value, CompactArray):
            return self.value.elements
        return ()

    @property
    def octets(self) -> bytes | None:
        """The octets of a string or date; None for any other value."""
        return self.value if isinstance(self.value, bytes) else None

    @property
    def integer(self) -> int | None:
        """The number of an integer or enum; None for any other value."""
        return self.value if self.tag in INTEGERS and isinstance(self.value, int) else None


def null() -> Data:
    """Return null-data."""
    return Data(Tag.NULL)


def u8(value: int) -> Data:
    """Return an unsigned of 8 bits."""
    return Data(Tag.UNSIGNED, value)


def u16(value: int) -> Data:
    """Return a long-unsigned, 16 bits."""
    return Data(Tag.LONG_UNSIGNED, value)


def u32(value: int) -> Data:
    """Return a double-long-unsigned, 32 bits."""
    return Data(Tag.DOUBLE_LONG_UNSIGNED, value)


def octet_string(octets: bytes) -> Data:
    """Return an octet-string."""
    return Data(Tag.OCTET_STRING, octets)


def visible_string(text: str) -> Data:
    """Return a visible-string of ASCII text."""
    return Data(Tag.VISIBLE_STRING, text.encode("ascii"))


def structure(*members: Data) -> Data:
    """Return a structure."""
    return Data(Tag.STRUCTURE, members)


def array(*elements: Data) -> Data:
    """Return an array."""
    return Data(Tag.ARRAY, elements)
