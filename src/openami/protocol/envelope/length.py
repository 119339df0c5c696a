"""The variable-length integer that stands before octet strings and lists.

Source: IEC 61334-6 (A-XDR), 6.4: one octet below 128, else 0x80 + n and n octets big-endian.
"""

from __future__ import annotations

from openami.protocol.envelope.limits import MAX_LENGTH_OCTETS
from openami.protocol.errors import PeerError, UsageError


def encode_length(length: int) -> bytes:
    """Return the shortest encoding.

    Raises:
        UsageError: negative or over 32 bits.

    >>> encode_length(127).hex(), encode_length(128).hex(), encode_length(259).hex()
    ('7f', '8180', '820103')
    """
    if not 0 <= length < 1 << 8 * MAX_LENGTH_OCTETS:
        raise UsageError(f"a length of {length} cannot be encoded")
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size)


def decode_length(octets: bytes, offset: int, *, end: int | None = None) -> tuple[int, int]:
    """Return the length and the offset after it. Longer encodings than needed are met in the field and accepted.

    Raises:
        PeerError: cut, or a length field of no or more than four octets.
    """
    stop = len(octets) if end is None else end
    if offset >= stop:
        raise PeerError("cut", "the octets end where a length should stand", offset)
    first = octets[offset]
    if first < 0x80:
        return first, offset + 1
    size = first & 0x7F
    if not 1 <= size <= MAX_LENGTH_OCTETS:
        raise PeerError("bad_length", f"a length field of {size} octets", offset)
    after = offset + 1 + size
    if after > stop:
        raise PeerError("cut", "the octets end inside a length", stop)
    return int.from_bytes(octets[offset + 1 : after]), after
