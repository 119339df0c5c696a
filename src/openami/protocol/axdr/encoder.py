"""Values to octets. A value that its type cannot hold is our misuse."""

from __future__ import annotations

import struct

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
)
from openami.protocol.envelope.length import encode_length
from openami.protocol.errors import UsageError


def encode(data: Data) -> bytes:
    """Return the octets of a value.

    Raises:
        UsageError: a value that does not fit its type, or nesting over the limit.
    """
    parts: list[bytes] = []
    _append(parts, data, 0)
    return b"".join(parts)


def _deeper(depth: int) -> int:
    if depth >= MAX_NESTING:
        raise UsageError(f"more than {MAX_NESTING} arrays and structures in each other")
    return depth + 1


def _append(parts: list[bytes], data: Data, depth: int) -> None:
    parts.append(bytes((data.tag,)))
    if data.tag in (Tag.ARRAY, Tag.STRUCTURE):
        inner = _deeper(depth)
        parts.append(encode_length(len(data.elements)))
        for element in data.elements:
            _append(parts, element, inner)
    elif data.tag is Tag.COMPACT_ARRAY:
        inner = _deeper(depth)
        if not isinstance(data.value, CompactArray):
            raise UsageError("a compact array needs a CompactArray")
        _append_description(parts, data.value.description, inner)
        contents: list[bytes] = []
        for element in data.value.elements:
            _append_described(contents, data.value.description, element, inner)
        joined = b"".join(contents)
        parts.extend((encode_length(len(joined)), joined))
    else:
        parts.append(_simple(data))


def _simple(data: Data) -> bytes:
    value = data.value
    fixed = FIXED.get(data.tag)
    if fixed is not None:
        try:
            return fixed.pack(value)
        except (struct.error, OverflowError) as error:
            raise UsageError(f"a value does not fit {data.tag.name}") from error
    if data.tag in EMPTY and value is None:
        return b""
    if data.tag in STRINGS and isinstance(value, bytes):
        return encode_length(len(value)) + value
    if data.tag is Tag.BOOLEAN and isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    if data.tag is Tag.BIT_STRING and isinstance(value, BitString) and len(value.octets) == (value.count + 7) // 8:
        return encode_length(value.count) + value.octets
    if data.tag in FIXED_OCTETS and isinstance(value, bytes) and len(value) == FIXED_OCTETS[data.tag]:
        return value
    raise UsageError(f"{type(value).__name__} does not fit {data.tag.name}")


def _append_description(parts: list[bytes], description: TypeDescription, depth: int) -> None:
    tag = description.tag
    parts.append(bytes((tag,)))
    if tag is Tag.ARRAY:
        if not 0 <= description.count <= 0xFFFF or len(description.members) != 1:
            raise UsageError("an array type has one element type and a count of 16 bits")
        parts.append(description.count.to_bytes(2))
        _append_description(parts, description.members[0], _deeper(depth))
    elif tag is Tag.STRUCTURE:
        inner = _deeper(depth)
        parts.append(encode_length(len(description.members)))
        for member in description.members:
            _append_description(parts, member, inner)
    elif tag is Tag.COMPACT_ARRAY:
        raise UsageError("a compact array inside a compact array")


def _append_described(parts: list[bytes], description: TypeDescription, data: Data, depth: int) -> None:
    if data.tag is not description.tag:
        raise UsageError(f"{data.tag.name} in a compact array of {description.tag.name}")
    if data.tag is Tag.ARRAY:
        kinds = description.members * description.count
    elif data.tag is Tag.STRUCTURE:
        kinds = description.members
    else:
        parts.append(_simple(data))
        return
    if len(kinds) != len(data.elements):
        raise UsageError(f"{len(data.elements)} elements where the description has {len(kinds)}")
    inner = _deeper(depth)
    for kind, element in zip(kinds, data.elements, strict=True):
        _append_described(parts, kind, element, inner)
