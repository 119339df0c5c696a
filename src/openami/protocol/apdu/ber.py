"""The little of BER that association messages need: elements of a one-octet tag and a definite length.

Source: ISO/IEC 8825-1, 8.1.
"""

from __future__ import annotations

from openami.protocol.envelope.length import decode_length, encode_length
from openami.protocol.errors import PeerError

MAX_BER_ELEMENTS = 32
"""Most elements of one message; an AARQ of the standard has at most fifteen."""
_MULTI_OCTET_TAG = 0x1F


def element(tag: int, content: bytes) -> bytes:
    """Return tag, length and content.

    >>> element(0x80, bytes(1)).hex()
    '800100'
    """
    return bytes((tag,)) + encode_length(len(content)) + content


def read_element(octets: bytes, offset: int, end: int) -> tuple[int, int, int]:
    """Return the tag of the element at the offset, where its content begins, and the offset after it.

    Raises:
        PeerError: cut, a tag of several octets, or a length that is indefinite or does not fit.
    """
    if offset >= end:
        raise PeerError("cut", "the octets end where an element should stand", end)
    tag = octets[offset]
    if tag & _MULTI_OCTET_TAG == _MULTI_OCTET_TAG:
        raise PeerError("unknown_element", f"an element tag 0x{tag:02x} of several octets", offset)
    length, start = decode_length(octets, offset + 1, end=end)
    if start + length > end:
        raise PeerError("cut", f"{end - start} of {length} octets of element 0x{tag:02x}", end)
    return tag, start, start + length


def read_elements(octets: bytes, offset: int, end: int) -> dict[int, tuple[int, int]]:
    """Return the elements that fill the octets: tag to where the content begins and ends.

    Raises:
        PeerError: cut, too many, or the same tag twice, which would let two readers see two messages.
    """
    found: dict[int, tuple[int, int]] = {}
    while offset < end:
        tag, start, after = read_element(octets, offset, end)
        if tag in found:
            raise PeerError("repeated", f"element 0x{tag:02x} twice in one message", offset)
        if len(found) == MAX_BER_ELEMENTS:
            raise PeerError("too_many", f"more than {MAX_BER_ELEMENTS} elements in one message", offset)
        found[tag] = (start, after)
        offset = after
    return found


def only_element(octets: bytes, place: tuple[int, int], tag: int, what: str) -> bytes:
    """Return the content of the one element that fills the place.

    Raises:
        PeerError: another tag, cut, or octets after it.
    """
    start, end = place
    found, inner, after = read_element(octets, start, end)
    if found != tag:
        raise PeerError("bad_element", f"{what} begins with 0x{found:02x}, expected 0x{tag:02x}", start)
    if after != end:
        raise PeerError("trailing", f"{end - after} octets after {what}", after)
    return octets[inner:after]
