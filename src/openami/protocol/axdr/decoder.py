"""Octets to values. Any octets give a value or one :class:`PeerError` that names the offset."""

from __future__ import annotations

from openami.protocol.axdr.types import (
    EMPTY,
    FIXED,
    FIXED_OCTETS,
    MAX_ELEMENTS,
    MAX_NESTING,
    STRINGS,
    BitString,
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    Value,
)
from openami.protocol.envelope.length import decode_length
from openami.protocol.errors import PeerError

_TAG_BY_OCTET: dict[int, Tag] = {int(t): t for t in Tag}


class _Reader:
    """A place in the octets, a hard end, and what is left of the element budget."""

    __slots__ = ("end", "octets", "offset", "spare")

    def __init__(self, octets: bytes, offset: int, end: int) -> None:
        self.octets = octets
        self.offset = offset
        self.end = end
        self.spare = MAX_ELEMENTS

    def take(self, count: int, what: str) -> bytes:
        start, after = self.offset, self.offset + count
        if after > self.end:
            raise PeerError("cut", f"the octets end inside {what}", self.end)
        self.offset = after
        return self.octets[start:after]

    def length(self) -> int:
        length, self.offset = decode_length(self.octets, self.offset, end=self.end)
        return length

    def tag(self) -> Tag:
        at = self.offset
        octet = self.take(1, "a type tag")[0]
        tag = _TAG_BY_OCTET.get(octet)
        if tag is None:
            raise PeerError("unknown_type", f"type tag {octet} is not a DLMS type", at)
        return tag

    def spend(self, count: int = 1) -> None:
        self.spare -= count
        if self.spare < 0:
            raise PeerError("too_many", f"more than {MAX_ELEMENTS} values in one message", self.offset)


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
    reader = _Reader(octets, offset, len(octets))
    data = _data(reader, 0)
    return data, reader.offset


def _data(reader: _Reader, depth: int) -> Data:
    tag = reader.tag()
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        return Data(tag, _elements(reader, depth))
    if tag is Tag.COMPACT_ARRAY:
        return Data(tag, _compact_array(reader, depth))
    return Data(tag, _simple(reader, tag))


def _deeper(reader: _Reader, depth: int) -> int:
    if depth >= MAX_NESTING:
        raise PeerError("too_deep", f"more than {MAX_NESTING} arrays and structures in each other", reader.offset)
    return depth + 1


def _elements(reader: _Reader, depth: int) -> tuple[Data, ...]:
    inner = _deeper(reader, depth)
    at = reader.offset
    count = reader.length()
    # Each element has at least its tag, so a count over the octets that are left is refused before it costs memory.
    if count > reader.end - reader.offset:
        raise PeerError("cut", f"{count} elements in {reader.end - reader.offset} octets", at)
    return tuple(_data(reader, inner) for _ in range(count))


def _simple(reader: _Reader, tag: Tag) -> Value:
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


def _description(reader: _Reader, depth: int) -> TypeDescription:
    reader.spend()
    at = reader.offset
    tag = reader.tag()
    if tag is Tag.ARRAY:
        inner = _deeper(reader, depth)
        count = int.from_bytes(reader.take(2, "an element count"))
        return TypeDescription(tag, (_description(reader, inner),), count)
    if tag is Tag.STRUCTURE:
        inner = _deeper(reader, depth)
        members = reader.length()
        if members > reader.end - reader.offset:
            raise PeerError("cut", f"{members} member types in {reader.end - reader.offset} octets", at)
        return TypeDescription(tag, tuple(_description(reader, inner) for _ in range(members)))
    if tag is Tag.COMPACT_ARRAY:
        raise PeerError("unknown_type", "a compact array inside a compact array", at)
    return TypeDescription(tag)


def _compact_array(reader: _Reader, depth: int) -> CompactArray:
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


def _described(reader: _Reader, description: TypeDescription, depth: int) -> Data:
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
