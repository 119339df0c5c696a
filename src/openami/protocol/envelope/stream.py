"""From the octets of a link to whole APDUs: what a collector and a decoder need, in one place.

A damaged frame costs its own message and nothing else; each run of damage is reported once.
"""

from __future__ import annotations

from typing import Protocol

from openami.protocol.envelope.blocks import FIRST_BLOCK, GENERAL_BLOCK_TRANSFER, BlockReceiver, parse_block
from openami.protocol.envelope.hdlc import HdlcSplitter
from openami.protocol.envelope.mbus import (
    MAX_MBUS_FRAME_OCTETS,
    SEQUENCE_MASK,
    START,
    MBusSegment,
    parse_first,
)
from openami.protocol.envelope.segment import SegmentAssembler
from openami.protocol.envelope.wrapper import HEADER_OCTETS, WrapperSplitter
from openami.protocol.errors import PeerError


class LinkReader(Protocol):
    """Takes octets as they come, gives whole APDUs and what was wrong, in order."""

    def receive(self, data: bytes) -> list[bytes | PeerError]:
        """Return what the octets complete."""
        ...

    def finish(self) -> list[bytes | PeerError]:
        """Return what the end of the octets makes wrong."""
        ...


class _BlockJoiner:
    """Passes APDUs on and joins those that come in blocks."""

    __slots__ = ("_damaged", "_receiver")

    def __init__(self) -> None:
        self._receiver = BlockReceiver()
        self._damaged = False

    @property
    def octets(self) -> int:
        """Octets of the open block transfer."""
        return self._receiver.octets

    def damage(self) -> None:
        """Forget the open block transfer; blocks are dropped until a first one comes."""
        self._receiver.reset()
        self._damaged = True

    def receive(self, message: bytes) -> list[bytes | PeerError]:
        """Take one message of the link."""
        if message[:1] != bytes((GENERAL_BLOCK_TRANSFER,)):
            return [*self._lost(), message]
        try:
            block = parse_block(message)
            if block.number == FIRST_BLOCK:
                self._damaged = False
            elif self._damaged:
                return []
            apdu = self._receiver.receive(block)
        except PeerError as error:
            self.damage()
            return [error]
        return [] if apdu is None else [apdu]

    def finish(self, offset: int) -> list[bytes | PeerError]:
        """Say that nothing more comes."""
        return self._lost(offset)

    def _lost(self, offset: int = 0) -> list[bytes | PeerError]:
        if not self._receiver.is_open:
            return []
        missing = self._receiver.missing or (self._receiver.acknowledged + 1,)
        self._receiver.reset()
        return [PeerError("block_lost", f"block {missing[0]} of a block transfer did not come", offset)]


class HdlcReader:
    """HDLC frames, segments and blocks to APDUs. Its buffers are bounded by the limits of each layer."""

    __slots__ = ("_joiner", "_octets", "_segments", "_splitter")

    def __init__(self) -> None:
        self._splitter = HdlcSplitter()
        self._segments = SegmentAssembler()
        self._joiner = _BlockJoiner()
        self._octets = 0

    def receive(self, data: bytes) -> list[bytes | PeerError]:
        """Return the APDUs that the octets complete and what was wrong."""
        self._octets += len(data)
        found: list[bytes | PeerError] = []
        for item in self._splitter.receive(data):
            if isinstance(item, PeerError):
                self._damage()
                found.append(item)
                continue
            try:
                message = self._segments.receive(item)
            except PeerError as error:
                self._joiner.damage()
                found.append(error)
                continue
            if message is not None:
                found.extend(self._joiner.receive(message))
        return found

    def finish(self) -> list[bytes | PeerError]:
        """Return what the end of the octets makes wrong."""
        errors: list[bytes | PeerError] = [*self._splitter.finish()]
        if errors:
            self._damage()
        if self._segments.is_open:
            errors.append(PeerError("cut", "the octets end before the last HDLC segment", self._octets))
            self._segments.damage()
        return errors + self._joiner.finish(self._octets)

    def _damage(self) -> None:
        self._segments.damage()
        self._joiner.damage()


class WrapperReader:
    """Wrapper frames and blocks to APDUs. After an error in a header the stream is lost; nothing more comes."""

    __slots__ = ("_joiner", "_lost", "_octets", "_splitter")

    def __init__(self) -> None:
        self._splitter = WrapperSplitter()
        self._joiner = _BlockJoiner()
        self._octets = 0
        self._lost = False

    @property
    def block_octets(self) -> int:
        """Octets of blocks that wait for others."""
        return self._joiner.octets

    def receive(self, data: bytes) -> list[bytes | PeerError]:
        """Return the APDUs that the octets complete and what was wrong."""
        self._octets += len(data)
        if self._lost:
            return []
        found: list[bytes | PeerError] = []
        try:
            frames = self._splitter.receive(data)
        except PeerError as error:
            self._lost = True
            self._joiner.damage()
            return [error]
        # A bad header behind good frames is told by the next call, which needs no more octets.
        for frame in frames:
            found.extend(self._joiner.receive(frame[HEADER_OCTETS:]))
        return found

    def finish(self) -> list[bytes | PeerError]:
        """Return what the end of the octets makes wrong."""
        if self._lost:
            return []
        try:
            self._splitter.finish()
        except PeerError as error:
            return [error]
        return self._joiner.finish(self._octets)


class MBusReader:
    """M-Bus long frames to messages. Its buffer never holds more than it was just given and one frame.

    A damaged frame costs its own message: octets are dropped to the next start octet, and segments to the next first.
    """

    __slots__ = ("_buffer", "_consumed", "_is_damaged", "_joiner", "_parts")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._consumed = 0
        self._is_damaged = False
        self._parts: list[bytes] = []
        self._joiner = _BlockJoiner()

    def receive(self, data: bytes) -> list[bytes | PeerError]:
        """Return the APDUs that the octets complete and what was wrong."""
        self._buffer += data
        found: list[bytes | PeerError] = []
        at = 0
        while at < len(self._buffer):
            try:
                segment, after = parse_first(bytes(self._buffer[at : at + MAX_MBUS_FRAME_OCTETS]))
            except PeerError as error:
                if error.code == "cut" and len(self._buffer) - at < MAX_MBUS_FRAME_OCTETS:
                    break
                found += self._damage(error, at)
                next_start = self._buffer.find(bytes((START,)), at + 1)
                at = len(self._buffer) if next_start < 0 else next_start
                continue
            found += self._take(segment, at)
            at += after
        del self._buffer[:at]
        self._consumed += at
        return found

    def finish(self) -> list[bytes | PeerError]:
        """Return what the end of the octets makes wrong."""
        end = self._consumed + len(self._buffer)
        if self._buffer or self._parts:
            self._parts.clear()
            return [PeerError("cut", "the octets end inside an M-Bus message", end)]
        return self._joiner.finish(end)

    def _take(self, segment: MBusSegment, at: int) -> list[bytes | PeerError]:
        found: list[bytes | PeerError] = []
        if self._is_damaged and segment.sequence:
            return found
        if segment.sequence != len(self._parts):
            text = f"M-Bus segment {segment.sequence} where {len(self._parts)} should stand"
            found += self._damage(PeerError("segment_lost", text, 0), at)
            if segment.sequence:
                return found
        self._is_damaged = False
        self._parts.append(segment.octets)
        if segment.is_final:
            message = b"".join(self._parts)
            self._parts.clear()
            found += self._joiner.receive(message)
        elif len(self._parts) > SEQUENCE_MASK:
            found += self._damage(PeerError("too_long", f"more than {SEQUENCE_MASK + 1} M-Bus segments", 0), at)
        return found

    def _damage(self, error: PeerError, at: int) -> list[bytes | PeerError]:
        """Report a run of damage once."""
        self._parts.clear()
        self._joiner.damage()
        if self._is_damaged:
            return []
        self._is_damaged = True
        return [PeerError(error.code, error.message, self._consumed + at + error.offset)]
