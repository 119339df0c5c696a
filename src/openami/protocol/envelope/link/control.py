"""The control octet of an HDLC frame: what the frame is, its numbers, its poll or final bit.

======== ============ =======================================================================
kind     octet        meaning
======== ============ =======================================================================
I        rrrp sss0    information number s; all below r has come
RR       rrrp 0001    all below r has come, ready for more
RNR      rrrp 0101    all below r has come, not ready
REJ      rrrp 1001    all below r has come, send again from r (not of DLMS; understood)
SNRM     100p 0011    connect (client)
DISC     010p 0011    disconnect (client)
UA       011p 0011    as you asked (server)
DM       000p 1111    not connected (server)
FRMR     100p 0111    your frame cannot be (server)
UI       000p 0011    information outside the numbers
======== ============ =======================================================================

The p bit is *poll* from a client (you may send now) and *final* from a server (I have sent).
Source: IEC 62056-46, 6.4.3 (control field).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

POLL_FINAL = 0x10
MODULO = 8
"""Frames are numbered with three bits."""
FRMR_INVALID_CONTROL = 0x01
FRMR_TOO_LONG = 0x04
FRMR_INVALID_NUMBER = 0x08


class FrameKind(Enum):
    """What a frame is; the value is its control octet without numbers and poll bit."""

    INFORMATION = 0x00
    RECEIVE_READY = 0x01
    RECEIVE_NOT_READY = 0x05
    REJECT = 0x09
    SET_NORMAL_RESPONSE_MODE = 0x83
    DISCONNECT = 0x43
    UNNUMBERED_ACKNOWLEDGE = 0x63
    DISCONNECTED_MODE = 0x0F
    FRAME_REJECT = 0x87
    UNNUMBERED_INFORMATION = 0x03


SUPERVISORY = (FrameKind.RECEIVE_READY, FrameKind.RECEIVE_NOT_READY, FrameKind.REJECT)
_SUPERVISORY_BY_OCTET = {kind.value: kind for kind in SUPERVISORY}
_BY_OCTET = {kind.value: kind for kind in FrameKind}


@dataclass(frozen=True, slots=True)
class Control:
    """One control octet.

    Args:
        kind: what the frame is.
        poll: poll bit of a client, final bit of a server.
        send_number: N(S) of an information frame.
        receive_number: N(R) of information and supervisory frames.
    """

    kind: FrameKind
    poll: bool
    send_number: int = 0
    receive_number: int = 0

    @property
    def octet(self) -> int:
        """The control octet as it is sent."""
        bits = self.kind.value | (POLL_FINAL if self.poll else 0)
        if self.kind is FrameKind.INFORMATION:
            return bits | self.receive_number << 5 | self.send_number << 1
        return bits | self.receive_number << 5 if self.kind in SUPERVISORY else bits


def parse_control(octet: int) -> Control | None:
    """Read a control octet; None where it is none of this link.

    >>> parse_control(0x93).kind.name, parse_control(0x52).send_number, parse_control(0x0D)
    ('SET_NORMAL_RESPONSE_MODE', 1, None)
    """
    poll = bool(octet & POLL_FINAL)
    if not octet & 1:
        return Control(FrameKind.INFORMATION, poll, octet >> 1 & 7, octet >> 5)
    if octet & 0x03 == 0x01:
        kind = _SUPERVISORY_BY_OCTET.get(octet & 0x0F)
        return None if kind is None else Control(kind, poll, 0, octet >> 5)
    kind = _BY_OCTET.get(octet & ~POLL_FINAL)
    return None if kind is None else Control(kind, poll)
