"""Octets to values. Any octets give a value or one :class:`PeerError` that names the offset."""

from __future__ import annotations

from openami.protocol.axdr.reader import Reader
from openami.protocol.axdr.types import (
    EMPTY,
    FIXED,
    FIXED_OCTETS,
    MAX_NESTING,
    STRINGS,
    BitString,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    Value,
)
from openami.protocol.errors import PeerError


def decode(octets: bytes, offset: int = 0) -> Data:
    """Read exactly one value that fills the octets from the offset on.

    Raises:
        PeerError: cut, an unknown type, nesting or elements over the limits, or octets left over.
    """
    data, after = decode_first(octets, offset)
    if after != len(octets):
        raise PeerError("trailing", f"{len(octets) - after} octets after the value", after)
    return data


def decode_first(octets: bytes, offset: int = 0) -> tuple[Data, int]:
    """Read the value at the offset and return it with the offset after it.

    Raises:
        PeerError: cut, an unknown type, or nesting or elements over the limits.
    """
    reader = Reader(octets, offset)
    return _data(reader, 0), reader.offset


def read(reader: Reader) -> Data:
    """Read the value at the reader's place, on the reader's budget.

    Raises:
        PeerError: cut, an unknown type, or nesting or elements over the limits.
    """
    return _data(reader, 0)


def _data(reader: Reader, depth: int) -> Data:
    tag = reader.tag()
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        return Data(tag, _elements(reader, depth))
    if tag is Tag.COMPACT_ARRAY:
        return Data(tag, _compact_array(reader, depth))
    return Data(tag, _simple(reader, tag))


def _deeper(reader: Reader, depth: int) -> int:
    if depth >= MAX_NESTING:
        raise PeerError("too_deep", f"more than {MAX_NESTING} arrays and structures in each other", reader.offset)
    return depth + 1


def _elements(reader: Reader, depth: int) -> tuple[Data, ...]:
    inner = _deeper(reader, depth)
    count = reader.count("elements")
    return tuple(_data(reader, inner) for _ in range(count))


def _simple(reader: Reader, tag: Tag) -> Value:
    """Read the content of anything but array, structure and compact array."""
    reader.spend()
    fixed = FIXED.get(tag)
    if fixed is not None:
        number: int | float = fixed.unpack(reader.take(fixed.size, "a number"))[0]
        return number
    if tag in STRINGS:
        return reader.take(reader.length(), "a string")
    if tag in EMPTY:
        return None
    if tag is Tag.BOOLEAN:
        return reader.take(1, "a boolean")[0] != 0
    if tag is Tag.BIT_STRING:
        count = reader.length()
        return BitString(count, reader.take((count + 7) // 8, "a bit string"))
    return reader.take(FIXED_OCTETS[tag], "a date or time")


def _description(reader: Reader, depth: int) -> TypeDescription:
    reader.spend()
    at = reader.offset
    tag = reader.tag()
    if tag is Tag.ARRAY:
        inner = _deeper(reader, depth)
        count = int.from_bytes(reader.take(2, "an element count"))
        return TypeDescription(tag, (_description(reader, inner),), count)
    if tag is Tag.STRUCTURE:
        inner = _deeper(reader, depth)
        members = reader.count("member types")
        return TypeDescription(tag, tuple(_description(reader, inner) for _ in range(members)))
    if tag is Tag.COMPACT_ARRAY:
        raise PeerError("unknown_type", "a compact array inside a compact array", at)
    return TypeDescription(tag)


def _compact_array(reader: Reader, depth: int) -> CompactArray:
    inner = _deeper(reader, depth)
    description = _description(reader, inner)
    at = reader.offset
    size = reader.length()
    if size > reader.end - reader.offset:
        raise PeerError("cut", f"{reader.end - reader.offset} of {size} octets of a compact array", at)
    outer_end, reader.end = reader.end, reader.offset + size
    elements: list[Data] = []
    while reader.offset < reader.end:
        before = reader.offset
        elements.append(_described(reader, description, inner))
        if reader.offset == before:
            raise PeerError("bad_compact_array", "elements of no octets in a compact array that holds octets", before)
    reader.end = outer_end
    return CompactArray(description, tuple(elements))


def _described(reader: Reader, description: TypeDescription, depth: int) -> Data:
    """Read one value whose tags were sent before."""
    tag = description.tag
    if tag is Tag.ARRAY:
        inner = _deeper(reader, depth)
        reader.spend()
        kind = description.members[0]
        return Data(tag, tuple(_described(reader, kind, inner) for _ in range(description.count)))
    if tag is Tag.STRUCTURE:
        inner = _deeper(reader, depth)
        reader.spend()
        return Data(tag, tuple(_described(reader, member, inner) for member in description.members))
    return Data(tag, _simple(reader, tag))
