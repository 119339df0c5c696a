"""Segments of one message put together: HDLC segmentation and M-Bus long frames alike.

Source: IEC 62056-46, 6.4.4.2 (segmentation bit).
"""

from __future__ import annotations

from openami.protocol.envelope.hdlc import HdlcFrame, has_llc, strip_llc
from openami.protocol.envelope.limits import MAX_APDU_OCTETS, MAX_SEGMENTS
from openami.protocol.errors import PeerError


class SegmentAssembler:
    """Joins the information of HDLC frames, and drops the LLC octets of each message.

    After damage on the line (:meth:`damage`) continuations without a beginning are dropped without a word: the damage
    has been reported.
    """

    __slots__ = ("_damaged", "_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._damaged = False

    @property
    def is_open(self) -> bool:
        """Whether segments wait for the rest of their message."""
        return bool(self._parts)

    def damage(self) -> None:
        """Forget the open message: a frame of it was lost."""
        self._parts.clear()
        self._size = 0
        self._damaged = True

    def receive(self, frame: HdlcFrame) -> bytes | None:
        """Take a frame; return the message that it completes.

        Raises:
            PeerError: a message over the limits.
        """
        if not frame.information:
            return None
        begins = has_llc(frame.information)
        if begins and self._parts:
            self.damage()
            self._damaged = False
            raise PeerError("segment_lost", "a message begins before the last segment of the one before", 0)
        if self._damaged and not begins:
            return None
        self._damaged = False
        self._size += len(frame.information)
        self._parts.append(frame.information)
        if self._size > MAX_APDU_OCTETS or len(self._parts) > MAX_SEGMENTS:
            self.damage()
            raise PeerError("too_long", f"segments of more than {MAX_APDU_OCTETS} octets", 0)
        if frame.is_segment:
            return None
        message = strip_llc(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        return message
