"""The wrapper: eight octets before an APDU on TCP or UDP.

Layout, big-endian u16 each: version (1), source port, destination port, length of the APDU.
Source: IEC 62056-47, 5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.errors import PeerError, UsageError

WRAPPER_VERSION = 1
HEADER_OCTETS = 8
MAX_FRAME_OCTETS = HEADER_OCTETS + MAX_APDU_OCTETS
_HEADER = struct.Struct(">HHHH")


@dataclass(frozen=True, slots=True)
class WrapperHeader:
    """What stands before the APDU; ``length`` counts the APDU's octets."""

    source_port: int
    destination_port: int
    length: int


def wrap(source_port: int, destination_port: int, apdu: bytes) -> bytes:
    r"""Return the wrapper frame of one APDU.

    Raises:
        UsageError: a port or an APDU over 16 bits.

    >>> wrap(1, 0x67, b"\x0f").hex()
    '00010001006700010f'
    """
    if not (0 <= source_port <= 0xFFFF and 0 <= destination_port <= 0xFFFF):
        raise UsageError("a wrapper port has 16 bits")
    if len(apdu) > MAX_APDU_OCTETS:
        raise UsageError(f"an APDU of {len(apdu)} octets does not fit a wrapper; the limit is {MAX_APDU_OCTETS}")
    return _HEADER.pack(WRAPPER_VERSION, source_port, destination_port, len(apdu)) + apdu


def parse_header(octets: bytes | bytearray, offset: int = 0) -> WrapperHeader:
    """Read the eight octets of a header.

    Raises:
        PeerError: cut, another version, or a length of nothing.
    """
    if len(octets) < offset + HEADER_OCTETS:
        raise PeerError("cut", "the octets end inside the wrapper header", len(octets))
    version, source, destination, length = _HEADER.unpack_from(octets, offset)
    if version != WRAPPER_VERSION:
        raise PeerError("bad_version", f"wrapper version {version}, expected {WRAPPER_VERSION}", offset)
    if length == 0:
        raise PeerError("empty", "a wrapper frame of no APDU", offset + 6)
    return WrapperHeader(source, destination, length)


def parse_wrapper(octets: bytes) -> tuple[WrapperHeader, bytes]:
    """Read exactly one frame and return header and APDU.

    Raises:
        PeerError: no header, or a length that is not that of the octets.
    """
    header = parse_header(octets)
    present = len(octets) - HEADER_OCTETS
    if present < header.length:
        raise PeerError("cut", f"{present} of {header.length} octets of the APDU", len(octets))
    if present > header.length:
        raise PeerError("trailing", f"{present - header.length} octets after the APDU", HEADER_OCTETS + header.length)
    return header, octets[HEADER_OCTETS:]


class WrapperSplitter:
    """Cuts a byte stream into whole wrapper frames. Its buffer never holds more than it was just given and one frame.

    After a :class:`PeerError` the stream has no frame boundary left: close the connection.
    """

    __slots__ = ("_buffer", "_consumed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._consumed = 0

    def receive(self, data: bytes) -> list[bytes]:
        """Take octets as they come and return the frames, header and APDU, that are now whole.

        Frames before a bad header are returned; the next call, or :meth:`finish`, then raises.

        Raises:
            PeerError: a header that is none; the offset counts from the start of the stream.
        """
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= HEADER_OCTETS:
            try:
                header = parse_header(self._buffer, start)
            except PeerError as error:
                if frames:
                    break
                raise PeerError(error.code, error.message, self._consumed + error.offset) from None
            end = start + HEADER_OCTETS + header.length
            if end > len(self._buffer):
                break
            frames.append(bytes(self._buffer[start:end]))
            start = end
        del self._buffer[:start]
        self._consumed += start
        return frames

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises:
            PeerError: it ended inside a frame, or holds what is none.
        """
        self.receive(b"")
        if self._buffer:
            raise PeerError("cut", "the stream ends inside a wrapper frame", self._consumed + len(self._buffer))
