"""The frame check of HDLC: CRC-16/X-25, sent low octet first.

The library's ``crc_hqx`` shifts the other way, so octets are mirrored on the way in and the result on the way out:
a hundred times faster than a loop over bits.
Source: ISO/IEC 13239, 4.2.5.2; RFC 1662, appendix C.
"""

from __future__ import annotations

from binascii import crc_hqx

_MIRROR = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def frame_check(octets: bytes | bytearray) -> bytes:
    """Return the two octets that follow checked octets.

    >>> frame_check(b"123456789").hex()  # CRC-16/X-25 check value 0x906E
    '6e90'
    """
    mirrored = crc_hqx(octets.translate(_MIRROR), 0xFFFF) ^ 0xFFFF
    return bytes((_MIRROR[mirrored >> 8], _MIRROR[mirrored & 0xFF]))
