"""What a collector does with a meter's octets before it offers them: end the meter's link, name the sender.

HDLC and M-Bus frames, segments and block transfers end here; what goes on is a wrapper frame around the whole sealed
APDU. No key is known and no value is read: the title is the one in the clear header, the class follows the wrapper's
source port.
"""

from __future__ import annotations

from collections.abc import Iterator

from openami.contracts.frame import FrameClass
from openami.kernel.ids import SystemTitle
from openami.protocol.envelope.hdlc import FLAG
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.mbus import START
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort, frame_class
from openami.protocol.envelope.sealed import GENERAL_GLO_CIPHERING, parse_sealed_header
from openami.protocol.envelope.stream import HdlcReader, LinkReader, MBusReader, WrapperReader
from openami.protocol.envelope.wrapper import WrapperSplitter, parse_header, parse_wrapper, wrap
from openami.protocol.errors import PeerError

OfferedFrame = tuple[FrameClass, SystemTitle, int, bytes]
"""Class, system title, collected_at_ms (the collector's clock) and the wrapper frame."""


def offered_frame(octets: bytes, *, collected_at_ms: int) -> OfferedFrame:
    """Return a wrapper frame as :meth:`openami.network.collector.Collector.offer` takes it.

    Args:
        octets: wrapper header and sealed APDU.
        collected_at_ms: when the collector took it, milliseconds since the epoch.

    Raises:
        PeerError: no wrapper frame around a sealed APDU.
    """
    header, apdu = parse_wrapper(octets)
    title = SystemTitle(parse_sealed_header(apdu).system_title)
    return frame_class(header.source_port), title, collected_at_ms, octets


NIL_TITLE = SystemTitle(bytes(8))
"""Stands for a sender that does not name itself; no device has it, so the gateway lets nothing of it pass."""


def unsealed_mark(octets: bytes, *, collected_at_ms: int) -> OfferedFrame:
    """Return what is handed on of an APDU that is not sealed: its tag, so that the gateway refuses and reports it.

    The rest stays behind: it may be a reading in the clear, and nothing of ours keeps one.

    Args:
        octets: the APDU, not empty.
        collected_at_ms: when the collector took it, milliseconds since the epoch.
    """
    return FrameClass.PROFILE, NIL_TITLE, collected_at_ms, wrap(PushPort.LOAD_PROFILE, PUSH_SINK_PORT, octets[:1])


class HdlcIntake:
    """The collector's end of one meter's HDLC line.

    Args:
        source_port: wrapper source port that this line's pushes get; it decides their class.
    """

    __slots__ = ("_reader", "_source_port")

    def __init__(self, *, source_port: int = PushPort.LOAD_PROFILE) -> None:
        self._reader = HdlcReader()
        self._source_port = source_port

    def receive(self, data: bytes, *, collected_at_ms: int) -> list[OfferedFrame | PeerError]:
        """Take octets of the line; return the frames they complete and what was wrong, in order."""
        found: list[OfferedFrame | PeerError] = []
        for item in self._reader.receive(data):
            if isinstance(item, PeerError):
                found.append(item)
                continue
            try:
                frame = wrap(self._source_port, PUSH_SINK_PORT, item)
                found.append(offered_frame(frame, collected_at_ms=collected_at_ms))
            except PeerError as error:
                found.append(error)
        return found


MAX_BLOCK_TRANSFERS = 2
"""Source ports of one connection whose blocks are joined at once: a long push and an alarm between its blocks. The one
that was used least recently is forgotten first, and so it is when all together hold more than one message may."""


class PushIntake:
    """The collector's end of a connection that a meter opens by itself to push: wrapper, HDLC or M-Bus.

    The first octet tells which; a connection does not change from one to another. After :attr:`is_lost` nothing more
    comes of it: close it.
    """

    __slots__ = ("_by_port", "_reader", "_source_port", "_splitter", "is_lost")

    def __init__(self) -> None:
        self._reader: LinkReader | None = None
        self._splitter: WrapperSplitter | None = None
        self._by_port: dict[int, WrapperReader] = {}
        self._source_port: int = PushPort.LOAD_PROFILE
        self.is_lost = False

    def receive(self, data: bytes, *, collected_at_ms: int) -> list[OfferedFrame | PeerError]:
        """Take octets as they come; return the frames they complete and what was wrong, in order.

        Args:
            data: octets of the connection.
            collected_at_ms: when they came, milliseconds since the epoch.
        """
        if self.is_lost or not data:
            return []
        if self._reader is None:
            self._reader = self._reader_for(data[0])
            if self._reader is None:
                self.is_lost = True
                return [
                    PeerError("unknown_framing", f"octet 0x{data[0]:02x} begins no wrapper, HDLC or M-Bus frame", 0)
                ]
        return [f for item in self._read(self._reader, data) for f in self._offered(item, collected_at_ms)]

    def finish(self, *, collected_at_ms: int) -> list[OfferedFrame | PeerError]:
        """Say that nothing more comes; return what the end makes wrong."""
        if self.is_lost or self._reader is None:
            return []
        items: list[bytes | PeerError] = []
        try:
            if self._splitter is not None:
                self._splitter.finish()
        except PeerError as error:
            items.append(error)
        for reader in self._by_port.values() or [self._reader]:
            items += reader.finish()
        return [f for item in items for f in self._offered(item, collected_at_ms)]

    def _reader_for(self, first: int) -> LinkReader | None:
        if first == 0:
            self._splitter = WrapperSplitter()
            return WrapperReader()
        return HdlcReader() if first == FLAG else MBusReader() if first == START else None

    def _read(self, reader: LinkReader, data: bytes) -> Iterator[bytes | PeerError]:
        if self._splitter is None:
            yield from reader.receive(data)
            return
        # Cut here as well, because the class of a push is in the header that the reader takes off.
        try:
            frames = self._splitter.receive(data)
        except PeerError as error:
            self.is_lost = True
            yield error
            return
        for frame in frames:
            self._source_port = parse_header(frame).source_port
            yield from self._reader_of_port().receive(frame)
            self._forget_blocks()

    def _reader_of_port(self) -> WrapperReader:
        """Return the reader of the port in hand: blocks of two push setups may come mixed."""
        found = self._by_port.pop(self._source_port, None) or WrapperReader()
        while len(self._by_port) >= MAX_BLOCK_TRANSFERS:
            del self._by_port[next(iter(self._by_port))]
        self._by_port[self._source_port] = found
        return found

    def _forget_blocks(self) -> None:
        """Keep the blocks of all ports together within one message, so that four ports hold no more than one."""
        while len(self._by_port) > 1 and sum(r.block_octets for r in self._by_port.values()) > MAX_APDU_OCTETS:
            del self._by_port[next(iter(self._by_port))]

    def _offered(self, item: bytes | PeerError, collected_at_ms: int) -> Iterator[OfferedFrame | PeerError]:
        if isinstance(item, PeerError):
            yield item
            return
        try:
            frame = wrap(self._source_port, PUSH_SINK_PORT, item)
            yield offered_frame(frame, collected_at_ms=collected_at_ms)
        except PeerError as error:
            if item and item[0] != GENERAL_GLO_CIPHERING:
                yield unsealed_mark(item, collected_at_ms=collected_at_ms)
            yield error


def datagram_frames(datagram: bytes, *, collected_at_ms: int) -> list[OfferedFrame | PeerError]:
    """Return the frames of one datagram and what was wrong, in order. Each datagram stands by itself.

    Args:
        datagram: one or more whole frames.
        collected_at_ms: when it came, milliseconds since the epoch.
    """
    intake = PushIntake()
    return intake.receive(datagram, collected_at_ms=collected_at_ms) + intake.finish(collected_at_ms=collected_at_ms)
