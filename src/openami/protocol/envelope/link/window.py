"""Numbered frames in both directions: what was sent and not confirmed, what came and is not whole.

Numbers count modulo 8. A frame that has not the next number is not taken: it came before, or one before it is lost, and
the sender learns from N(R) where to go on. So every message arrives once and in order, or not at all.
Source: IEC 62056-46, 6.4.4.4 (send and receive state variables, windows, segmentation).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.link.control import MODULO
from openami.protocol.errors import PeerError, UsageError

MAX_WAITING_MESSAGES = 8
"""Messages of ours that wait for the peer: requests are answered one by one, so more is our own fault."""
LLC_OCTETS = 3
MAX_MESSAGE_OCTETS = LLC_OCTETS + MAX_APDU_OCTETS


@dataclass(frozen=True, slots=True)
class Piece:
    """One information field and whether another follows it."""

    information: bytes = field(repr=False)
    is_segment: bool


class SendWindow:
    """Messages on their way to the peer.

    Args:
        octets: longest information field.
        size: frames that may be under way.
    """

    __slots__ = ("_first_number", "_octets", "_pieces", "_sent", "size")

    def __init__(self, *, octets: int, size: int) -> None:
        self._octets = octets
        self.size = size
        self._pieces: deque[Piece] = deque()
        self._first_number = 0
        self._sent = 0

    @property
    def is_empty(self) -> bool:
        """Whether the peer has everything."""
        return not self._pieces

    @property
    def sent(self) -> int:
        """How many frames are under way."""
        return self._sent

    @property
    def send_number(self) -> int:
        """V(S): number of the next new frame."""
        return (self._first_number + self._sent) % MODULO

    def push(self, message: bytes) -> None:
        """Put a message behind those that wait.

        Raises:
            UsageError: too many wait, or more octets than an APDU has.
        """
        if len(message) > MAX_MESSAGE_OCTETS:
            raise UsageError(f"an APDU of more than {MAX_APDU_OCTETS} octets")
        if sum(not piece.is_segment for piece in self._pieces) >= MAX_WAITING_MESSAGES:
            raise UsageError(f"{MAX_WAITING_MESSAGES} messages wait on an HDLC link")
        fields = [message[at : at + self._octets] for at in range(0, len(message), self._octets)]
        self._pieces.extend(Piece(field, is_segment=True) for field in fields[:-1])
        self._pieces.append(Piece(fields[-1], is_segment=False))

    def acknowledge(self, receive_number: int) -> bool:
        """Take the peer's N(R); return whether it confirms anything new.

        Raises:
            PeerError: it confirms what was never sent.
        """
        count = (receive_number - self._first_number) % MODULO
        if count > self._sent:
            raise PeerError("bad_number", "a frame number is confirmed that was never sent", 0)
        for _ in range(count):
            self._pieces.popleft()
        self._first_number = receive_number
        self._sent -= count
        return count > 0

    def go_back(self) -> None:
        """Forget that anything unconfirmed was sent: it is sent again."""
        self._sent = 0

    def take(self) -> list[tuple[int, Piece]]:
        """Return the frames that the window lets go now, with their numbers."""
        end = min(self.size, len(self._pieces))
        taken = [((self._first_number + i) % MODULO, self._pieces[i]) for i in range(self._sent, end)]
        self._sent = max(self._sent, end)
        return taken


class ReceiveWindow:
    """Messages on their way from the peer."""

    __slots__ = ("_octets", "receive_number")

    def __init__(self) -> None:
        self._octets = bytearray()
        self.receive_number = 0

    @property
    def is_open(self) -> bool:
        """Whether a message waits for its next segment."""
        return bool(self._octets)

    def receive(self, information: bytes, *, is_segment: bool) -> bytes | None:
        """Take the frame that has the next number; return the message that it completes.

        Raises:
            PeerError: more octets than an APDU has.
        """
        if len(self._octets) + len(information) > MAX_MESSAGE_OCTETS:
            raise PeerError("too_long", f"segments of more than {MAX_APDU_OCTETS} octets", 0)
        self.receive_number = (self.receive_number + 1) % MODULO
        self._octets += information
        if is_segment:
            return None
        message = bytes(self._octets)
        self._octets.clear()
        return message
