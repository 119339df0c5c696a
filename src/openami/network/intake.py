"""What a collector does with a meter's octets before it offers them: end the meter's link, name the sender.

HDLC frames, segments and block transfers end here; what goes on is a wrapper frame around the whole sealed APDU. No
key is known and no value is read: the title is the one in the clear header, the class follows the wrapper's source
port.
"""

from __future__ import annotations

from openami.contracts.frame import FrameClass
from openami.kernel.ids import SystemTitle
from openami.protocol.envelope.ports import PUSH_SINK_PORT, PushPort, frame_class
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.protocol.envelope.stream import HdlcReader
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
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
