"""HDLC addresses: a client's one octet; a server's one, two or four with a logical and a physical part.

Each octet carries seven bits of address; its low bit is 1 in the last octet alone. One octet holds the upper (logical)
part, two hold upper and lower (physical), four hold both with 14 bits each.
Source: IEC 62056-46, 6.4.2 (extended addressing) and 6.4.2.3 (reserved addresses).
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.errors import PeerError, UsageError

ALL_STATION = {7: 0x7F, 14: 0x3FFF}
"""Broadcast, by the bits of the part: everybody takes it, nobody answers."""
CALLING = {7: 0x7E, 14: 0x3FFE}
"""Calling address of a device that does not know its own physical address yet."""
_SIZES = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class HdlcAddress:
    """One address.

    Args:
        upper: logical device of a server, or the client: 7 bits, 14 in an address of four octets.
        lower: physical device; None in an address of one octet.
        size: octets: 1, 2 or 4.

    Raises:
        UsageError: a part that does not fit the size.

    >>> HdlcAddress(0x10).octets.hex(), HdlcAddress(1, 17, 2).octets.hex(), HdlcAddress(0x1234, 0x3FFF, 4).octets.hex()
    ('21', '0223', '4868feff')
    """

    upper: int
    lower: int | None = None
    size: int = 1

    def __post_init__(self) -> None:
        limit = 1 << (14 if self.size == 4 else 7)
        parts = [self.upper] if self.lower is None else [self.upper, self.lower]
        if self.size not in _SIZES or (self.lower is None) != (self.size == 1):
            raise UsageError("an HDLC address has 1 octet, or 2 or 4 with a physical part")
        if not all(0 <= part < limit for part in parts):
            raise UsageError(f"a part of an HDLC address of {self.size} octets is below {limit}")

    @property
    def octets(self) -> bytes:
        """The address as it is sent."""
        if self.lower is None:
            return bytes((self.upper << 1 | 1,))
        if self.size == 2:
            return bytes((self.upper << 1, self.lower << 1 | 1))
        upper = (self.upper >> 7 << 1, (self.upper & 0x7F) << 1)
        return bytes((*upper, self.lower >> 7 << 1, (self.lower & 0x7F) << 1 | 1))

    @property
    def is_broadcast(self) -> bool:
        """Whether everybody is meant: then nobody answers."""
        everybody = ALL_STATION[14 if self.size == 4 else 7]
        return everybody in (self.upper, self.lower)

    def is_meant_by(self, other: HdlcAddress) -> bool:
        """Tell whether a frame to another address is for the station that has this one.

        A client may leave the physical part out, call it by the calling address, or speak to all.
        """
        bits = 14 if other.size == 4 else 7
        upper_fits = other.upper in (self.upper, ALL_STATION[bits])
        if other.lower is None or self.lower is None:
            return upper_fits
        return upper_fits and other.lower in (self.lower, ALL_STATION[bits], CALLING[bits])


def parse_address(octets: bytes) -> HdlcAddress:
    """Read an address that fills the octets, as a frame gives it.

    Raises:
        PeerError: no such size, or an end mark out of place.

    >>> parse_address(bytes.fromhex("0223"))
    HdlcAddress(upper=1, lower=17, size=2)
    """
    size = len(octets)
    if size not in _SIZES or not octets[-1] & 1 or any(octet & 1 for octet in octets[:-1]):
        raise PeerError("bad_address", f"an HDLC address of {size} octets that does not end as one", 0)
    if size == 1:
        return HdlcAddress(octets[0] >> 1)
    if size == 2:
        return HdlcAddress(octets[0] >> 1, octets[1] >> 1, 2)
    upper = octets[0] >> 1 << 7 | octets[1] >> 1
    return HdlcAddress(upper, octets[2] >> 1 << 7 | octets[3] >> 1, 4)
