"""What both ends of an HDLC link do alike: frames in and out, numbers, events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from openami.protocol.envelope.hdlc import UNNUMBERED_INFORMATION, HdlcFrame, HdlcSplitter, build_frame, strip_llc
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.link.address import HdlcAddress, parse_address
from openami.protocol.envelope.link.control import Control, FrameKind, parse_control
from openami.protocol.envelope.link.events import (
    ApduReceived,
    Disconnected,
    DisconnectReason,
    LinkEvent,
    UnnumberedReceived,
)
from openami.protocol.envelope.link.parameters import LinkParameters, LinkTimes
from openami.protocol.envelope.link.states import LinkState
from openami.protocol.envelope.link.window import ReceiveWindow, SendWindow
from openami.protocol.envelope.segment import SegmentAssembler
from openami.protocol.errors import PeerError, UsageError

MAX_WAITING_EVENTS = 16
"""APDUs that wait for the application; when it does not take them, the peer is told to stop (RNR)."""


class HdlcStation(ABC):
    """One end of a link.

    Args:
        own: this end's address.
        peer: the other end's, None where it is not known yet.
        llc: the three octets before each message of this end.
        parameters: what this end can do; what holds is agreed on when the link is made.
        times: this end's times.
    """

    def __init__(
        self,
        *,
        own: HdlcAddress,
        peer: HdlcAddress | None,
        llc: bytes,
        parameters: LinkParameters | None,
        times: LinkTimes | None,
    ) -> None:
        self.state = LinkState.DISCONNECTED
        self.damaged_frames = 0
        """Frames that failed a check, since the start."""
        self._own, self._peer, self._answers_as = own, peer, own
        self._llc = llc
        self._offered = parameters or LinkParameters()
        self._times = times or LinkTimes()
        self._splitter = HdlcSplitter()
        self._events: deque[LinkEvent] = deque()
        self._deadline: float | None = None
        self._begin(LinkParameters())

    def _begin(self, parameters: LinkParameters) -> None:
        """Begin with numbers of zero and empty buffers."""
        self._parameters = parameters
        self._outgoing = SendWindow(octets=parameters.sent_octets, size=parameters.sent_window)
        self._incoming = ReceiveWindow()
        self._unnumbered = SegmentAssembler()
        self._is_peer_busy = False
        self._has_turn = False

    @property
    def parameters(self) -> LinkParameters:
        """What holds on the link."""
        return self._parameters

    def next_event(self) -> LinkEvent | None:
        """Return what happened next, or None."""
        return self._events.popleft() if self._events else None

    def deadline(self) -> float | None:
        """When :meth:`on_time` wants to be called; None for not at all."""
        return self._deadline

    def on_time(self, *, now: float) -> bytes:
        """Do what is due and return what is to be sent; nothing before the deadline."""
        if self._deadline is None or now < self._deadline:
            return b""
        self._deadline = None
        # Octets of a frame that never ended would swallow the beginning of the next one.
        self.damaged_frames += len(self._splitter.finish())
        return self._time_is_up(now)

    def receive(self, data: bytes, *, now: float) -> bytes:
        """Take octets as they come and return what is to be sent at once."""
        answers = []
        for item in self._splitter.receive(data):
            if isinstance(item, PeerError):
                self.damaged_frames += 1
                continue
            try:
                answers.append(self._receive_frame(item, now))
            except PeerError:
                self.damaged_frames += 1
        return b"".join(answers)

    def send_unnumbered(self, apdu: bytes, *, destination: HdlcAddress | None = None) -> bytes:
        """Return an APDU as unnumbered information: a push or a broadcast. Needs no link; nobody confirms it.

        Args:
            apdu: 1 to 65,535 octets.
            destination: whom it is for; the peer where it is left out.

        Raises:
            UsageError: nobody to send it to, or an APDU that is empty or too long.
        """
        target = destination or self._peer
        if target is None or not 1 <= len(apdu) <= MAX_APDU_OCTETS:
            raise UsageError("unnumbered information has 1 to 65,535 octets and an address")
        message = self._llc + apdu
        size = self._parameters.sent_octets
        starts = range(0, len(message), size)
        return b"".join(
            build_frame(
                HdlcFrame(
                    target.octets,
                    self._own.octets,
                    UNNUMBERED_INFORMATION,
                    message[at : at + size],
                    is_segment=at != starts[-1],
                )
            )
            for at in starts
        )

    @abstractmethod
    def _time_is_up(self, now: float) -> bytes: ...

    @abstractmethod
    def _take(self, control: Control | None, frame: HdlcFrame, now: float) -> bytes:
        """Take a frame for this end that is no unnumbered information.

        Raises:
            PeerError: it is to be dropped.
        """

    def _receive_frame(self, frame: HdlcFrame, now: float) -> bytes:
        destination = parse_address(frame.destination)
        if not self._own.is_meant_by(destination):
            return b""
        control = parse_control(frame.control)
        is_unnumbered = control is not None and control.kind is FrameKind.UNNUMBERED_INFORMATION
        if not is_unnumbered and not destination.is_broadcast:
            return self._take(control, frame, now)
        if is_unnumbered and not self._is_full:
            apdu = self._unnumbered.receive(frame)
            if apdu:
                self._events.append(UnnumberedReceived(apdu))
        return b""

    # -- numbers

    @property
    def _is_full(self) -> bool:
        return len(self._events) >= MAX_WAITING_EVENTS

    def _push(self, apdu: bytes) -> None:
        if self.state is not LinkState.CONNECTED or not 1 <= len(apdu) <= MAX_APDU_OCTETS:
            raise UsageError("an APDU of 1 to 65,535 octets is sent on a link that is up")
        self._outgoing.push(self._llc + apdu)

    def _deliver(self, control: Control, frame: HdlcFrame) -> bool:
        """Take the frame if its number is the next; return whether it was.

        Raises:
            PeerError: a message over the limit.
        """
        if control.send_number != self._incoming.receive_number or self._is_full:
            return False
        message = self._incoming.receive(frame.information, is_segment=frame.is_segment)
        if message is not None:
            self._events.append(ApduReceived(strip_llc(message)))
        return True

    def _windowful(self) -> bytes:
        """Return the information frames that can go now, the poll bit on the last, or a word that there are none."""
        pieces = [] if self._is_peer_busy else self._outgoing.take()
        if not pieces:
            kind = FrameKind.RECEIVE_NOT_READY if self._is_full else FrameKind.RECEIVE_READY
            return self._build(Control(kind, poll=True, receive_number=self._incoming.receive_number))
        return b"".join(
            self._build(
                Control(
                    FrameKind.INFORMATION,
                    poll=i == len(pieces) - 1,
                    send_number=number,
                    receive_number=self._incoming.receive_number,
                ),
                piece.information,
                is_segment=piece.is_segment,
            )
            for i, (number, piece) in enumerate(pieces)
        )

    def _build(self, control: Control, information: bytes = b"", *, is_segment: bool = False) -> bytes:
        if self._peer is None:
            raise UsageError("an HDLC frame to nobody")
        own = self._answers_as.octets
        return build_frame(HdlcFrame(self._peer.octets, own, control.octet, information, is_segment))

    def _down(self, reason: DisconnectReason) -> None:
        was_down = self.state is LinkState.DISCONNECTED
        self.state = LinkState.DISCONNECTED
        self._deadline = None
        self._begin(LinkParameters())
        if not was_down:
            self._events.append(Disconnected(reason))
