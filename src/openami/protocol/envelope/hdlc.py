"""HDLC frames of DLMS: parse, build, and cut a byte stream into them.

``7E | format 2 | destination 1..4 | source 1..4 | control | HCS 2 | information | FCS 2 | 7E``; without information
there is no HCS. The format field is ``1010 S lllllllllll``: S marks a segment that another follows, l counts all octets
between the flags. There is no octet stuffing, and two frames may share a flag.
Source: IEC 62056-46, 6.2 to 6.4 (frame format type 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.protocol.envelope.crc import frame_check
from openami.protocol.envelope.limits import MAX_HDLC_FRAME_OCTETS
from openami.protocol.errors import PeerError, UsageError

FLAG = 0x7E
FORMAT_TYPE = 0xA000
SEGMENTED = 0x0800
LENGTH_MASK = 0x07FF
CHECK_OCTETS = 2
UNNUMBERED_INFORMATION = 0x03
"""Control octet of UI with the poll bit clear: how pushes are sent."""
LLC_RESPONSE = b"\xe6\xe7\x00"
LLC_COMMAND = b"\xe6\xe6\x00"
MAX_ADDRESS_OCTETS = 4
_ADDRESS_SIZES = (1, 2, 4)
_MIN_FRAME_OCTETS = 2 + 1 + 1 + 1 + CHECK_OCTETS
_MAX_HEAD_OCTETS = 2 + 4 + 4 + 1 + CHECK_OCTETS


@dataclass(frozen=True, slots=True)
class HdlcFrame:
    """One frame between its flags.

    Args:
        destination: address octets as sent, 1, 2 or 4.
        source: address octets as sent.
        control: control octet.
        information: what the frame carries.
        is_segment: another frame goes on where this one ends.
    """

    destination: bytes
    source: bytes
    control: int
    information: bytes = field(repr=False)
    is_segment: bool = False


def strip_llc(information: bytes) -> bytes:
    """Return the information without the three octets of the link layer's upper half, where they are there."""
    return information[3:] if has_llc(information) else information


def has_llc(information: bytes) -> bool:
    """Tell whether the information begins a message (E6 E7 00 or E6 E6 00)."""
    return information[:3] in (LLC_RESPONSE, LLC_COMMAND)


def build_frame(frame: HdlcFrame) -> bytes:
    """Return the frame with both flags.

    Raises:
        UsageError: an address that is none, or more octets than a frame holds.
    """
    for address in (frame.destination, frame.source):
        ends_well = bool(address) and address[-1] & 1 and not any(o & 1 for o in address[:-1])
        if len(address) not in _ADDRESS_SIZES or not ends_well:
            raise UsageError("an HDLC address has 1, 2 or 4 octets, and only the last is odd")
    head_octets = 2 + len(frame.destination) + len(frame.source) + 1
    tail_octets = len(frame.information) + CHECK_OCTETS if frame.information else 0
    length = head_octets + CHECK_OCTETS + tail_octets
    if length > MAX_HDLC_FRAME_OCTETS:
        raise UsageError(f"an HDLC frame of {length} octets; the limit is {MAX_HDLC_FRAME_OCTETS}")
    form = FORMAT_TYPE | (SEGMENTED if frame.is_segment else 0) | length
    octets = form.to_bytes(2) + frame.destination + frame.source + bytes((frame.control,))
    octets += frame_check(octets)
    if frame.information:
        octets += frame.information
        octets += frame_check(octets)
    return bytes((FLAG,)) + octets + bytes((FLAG,))


def _address_end(octets: bytes | bytearray, start: int, end: int, base: int) -> int:
    for size in range(1, MAX_ADDRESS_OCTETS + 1):
        if start + size > end:
            break
        if octets[start + size - 1] & 1:
            if size in _ADDRESS_SIZES:
                return start + size
            break
    raise PeerError("bad_address", "an HDLC address that does not end", base + start)


def _check_head(octets: bytes | bytearray, *, base: int) -> tuple[int, int, int]:
    """Return the ends of destination, source and header once the header check holds.

    Raises:
        PeerError: an address without end, or a check that fails.
    """
    source_at = _address_end(octets, 2, len(octets), base)
    control_at = _address_end(octets, source_at, len(octets), base)
    head_end = control_at + 1 + CHECK_OCTETS
    if head_end > len(octets) or frame_check(octets[: control_at + 1]) != octets[control_at + 1 : head_end]:
        raise PeerError("bad_hcs", "the HDLC header check fails", base + control_at + 1)
    return source_at, control_at, head_end


def parse_frame(octets: bytes | bytearray, *, base: int = 0) -> HdlcFrame:
    """Read what stands between two flags.

    Args:
        octets: the frame without flags; its length field must be theirs.
        base: offset of the first octet, for errors.

    Raises:
        PeerError: another format, a length that is not theirs, an address without end, or a check that fails.
    """
    if len(octets) < _MIN_FRAME_OCTETS:
        raise PeerError("cut", f"an HDLC frame of {len(octets)} octets", base + len(octets))
    form = int.from_bytes(octets[:2])
    if form & 0xF000 != FORMAT_TYPE:
        raise PeerError("bad_format", f"HDLC frame format 0x{form:04x}, expected type 3", base)
    if form & LENGTH_MASK != len(octets):
        raise PeerError("bad_length", f"HDLC length {form & LENGTH_MASK} for {len(octets)} octets", base)
    end = len(octets)
    if frame_check(octets[: end - CHECK_OCTETS]) != octets[end - CHECK_OCTETS :]:
        raise PeerError("bad_fcs", "the HDLC frame check fails", base + end - CHECK_OCTETS)
    source_at, control_at, head_end = _check_head(octets, base=base)
    information = b""
    if head_end != end:
        if end - head_end <= CHECK_OCTETS:
            raise PeerError("bad_length", "an HDLC frame with a check of nothing", base + head_end)
        information = bytes(octets[head_end : end - CHECK_OCTETS])
    return HdlcFrame(
        bytes(octets[2:source_at]),
        bytes(octets[source_at:control_at]),
        octets[control_at],
        information,
        bool(form & SEGMENTED),
    )


class HdlcSplitter:
    """Cuts a byte stream into frames; what is not one is reported once and skipped to the next flag.

    The buffer never holds more than it was just given and one frame.
    """

    __slots__ = ("_buffer", "_consumed", "_lost")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._consumed = 0
        self._lost = False

    def receive(self, data: bytes) -> list[HdlcFrame | PeerError]:
        """Take octets as they come; return the frames that are now whole and what was wrong between them."""
        self._buffer += data
        found: list[HdlcFrame | PeerError] = []
        at = 0
        while True:
            after, item = self._next(at)
            if item is not None:
                found.append(item)
            if after == at:
                break
            at = after
        del self._buffer[:at]
        self._consumed += at
        return found

    def finish(self) -> list[PeerError]:
        """Say that the stream has ended; return what was wrong with its end."""
        left = bytes(self._buffer)
        end = self._consumed + len(left)
        self._buffer.clear()
        self._consumed = end
        if not left.strip(bytes((FLAG,))):
            return []
        return [PeerError("cut", "the octets end inside an HDLC frame", end)]

    def _next(self, at: int) -> tuple[int, HdlcFrame | PeerError | None]:
        """Look for one frame at an offset of the buffer; return the offset to go on from and what was found."""
        buffer = self._buffer
        start = at + 1
        if at < len(buffer) and buffer[at] != FLAG:
            flag = buffer.find(FLAG, at)
            error = PeerError("no_flag", "octets outside any HDLC frame", self._consumed + at)
            return (len(buffer) if flag < 0 else flag), self._report(error)
        if start < len(buffer) and buffer[start] == FLAG:
            return start, None
        try:
            frame = self._frame(start)
        except PeerError as error:
            return start, self._report(error)
        if frame is None:
            return at, None
        self._lost = False
        # The closing flag stays in the buffer: it may open the next frame.
        return start + (int.from_bytes(buffer[start : start + 2]) & LENGTH_MASK), frame

    def _report(self, error: PeerError) -> PeerError | None:
        """Return the first error of a run: what follows it is its consequence."""
        report = None if self._lost else error
        self._lost = True
        return report

    def _frame(self, start: int) -> HdlcFrame | None:
        """Read the frame behind an opening flag; None where more octets must come first.

        Raises:
            PeerError: what stands there is no frame. The header is checked before its length is believed.
        """
        buffer, base = self._buffer, self._consumed
        if len(buffer) - start < 2:
            return None
        form = int.from_bytes(buffer[start : start + 2])
        if form & 0xF000 != FORMAT_TYPE:
            raise PeerError("bad_format", f"HDLC frame format 0x{form:04x}, expected type 3", base + start)
        end = start + (form & LENGTH_MASK)
        head = bytes(buffer[start : start + _MAX_HEAD_OCTETS])
        if len(head) == _MAX_HEAD_OCTETS and end - start > _MAX_HEAD_OCTETS:
            _check_head(head, base=base + start)
        if end >= len(buffer):
            return None
        frame = parse_frame(buffer[start:end], base=base + start)
        if buffer[end] != FLAG:
            raise PeerError("no_flag", "an HDLC frame without its closing flag", base + end)
        return frame
