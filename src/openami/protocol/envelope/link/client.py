"""The client's end of an HDLC link (primary station)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from openami.protocol.envelope.hdlc import LLC_COMMAND, HdlcFrame
from openami.protocol.envelope.link.address import HdlcAddress, parse_address
from openami.protocol.envelope.link.control import MODULO, Control, FrameKind
from openami.protocol.envelope.link.events import Connected, DisconnectReason
from openami.protocol.envelope.link.parameters import LinkParameters, LinkTimes, build_parameters, parse_parameters
from openami.protocol.envelope.link.states import LinkState
from openami.protocol.envelope.link.station import HdlcStation
from openami.protocol.errors import UsageError


class _Step(Enum):
    OPEN = auto()
    DELIVER = auto()
    CONFIRM = auto()


_TABLE: Mapping[tuple[LinkState, FrameKind], _Step | DisconnectReason] = {
    (LinkState.CONNECTING, FrameKind.UNNUMBERED_ACKNOWLEDGE): _Step.OPEN,
    (LinkState.CONNECTING, FrameKind.DISCONNECTED_MODE): DisconnectReason.REFUSED,
    (LinkState.CONNECTED, FrameKind.INFORMATION): _Step.DELIVER,
    (LinkState.CONNECTED, FrameKind.RECEIVE_READY): _Step.CONFIRM,
    (LinkState.CONNECTED, FrameKind.RECEIVE_NOT_READY): _Step.CONFIRM,
    (LinkState.CONNECTED, FrameKind.REJECT): _Step.CONFIRM,
    (LinkState.CONNECTED, FrameKind.DISCONNECTED_MODE): DisconnectReason.PEER,
    (LinkState.CONNECTED, FrameKind.FRAME_REJECT): DisconnectReason.REJECTED,
    (LinkState.DISCONNECTING, FrameKind.UNNUMBERED_ACKNOWLEDGE): DisconnectReason.ASKED,
    (LinkState.DISCONNECTING, FrameKind.DISCONNECTED_MODE): DisconnectReason.ASKED,
}
"""What a client does with a frame, by its state; a reason is the end of the link, anything not here is dropped."""


class HdlcClient(HdlcStation):
    """The client's end: it asks, and mends what is lost.

    Args:
        own: the client's address, one octet (16 public, 1 management).
        peer: the server's.
        parameters: what this end can do.
        times: its times; ``hold_s`` and ``inactivity_s`` are a server's.
    """

    def __init__(
        self,
        *,
        own: HdlcAddress,
        peer: HdlcAddress,
        parameters: LinkParameters | None = None,
        times: LinkTimes | None = None,
    ) -> None:
        super().__init__(own=own, peer=peer, llc=LLC_COMMAND, parameters=parameters, times=times)
        self._tries = 0
        self._expected_answers = 0

    def connect(self, *, now: float) -> bytes:
        """Ask for a link (SNRM).

        Raises:
            UsageError: the link is not down.
        """
        if self.state is not LinkState.DISCONNECTED:
            raise UsageError("a client connects a link that is down")
        self._begin(LinkParameters())
        self._tries = self._expected_answers = 0
        self.state = LinkState.CONNECTING
        return self._ask(now)

    def send(self, apdu: bytes, *, now: float, expects_answer: bool = True) -> bytes:
        """Send an APDU; what cannot go now goes with a later call.

        Args:
            apdu: 1 to 65,535 octets.
            now: seconds.
            expects_answer: the server is polled until an APDU has come for each one that expects it.

        Raises:
            UsageError: no link, no octets or too many, or too many APDUs that wait.
        """
        self._push(apdu)
        self._expected_answers += expects_answer
        return self._speak(now) if self._has_turn else b""

    def expect_more(self, *, now: float) -> bytes:
        """Wait for one more APDU: the one that came was a push and no answer.

        Raises:
            UsageError: no link.
        """
        if self.state is not LinkState.CONNECTED:
            raise UsageError("nothing is expected without a link")
        self._expected_answers += 1
        return self._speak(now) if self._has_turn else b""

    def close(self, *, now: float) -> bytes:
        """Ask for the end of the link (DISC); it is down when the server has said so, or never answers."""
        if self.state is LinkState.CONNECTED:
            self.state = LinkState.DISCONNECTING
            self._tries = 0
            return self._ask(now)
        if self.state is LinkState.CONNECTING:
            self._down(DisconnectReason.ASKED)
        return b""

    # -- turns

    def _ask(self, now: float) -> bytes:
        self._deadline = now + self._times.response_s
        if self.state is LinkState.CONNECTING:
            control = Control(FrameKind.SET_NORMAL_RESPONSE_MODE, poll=True)
            is_plain = self._offered == LinkParameters()
            return self._build(control, b"" if is_plain else build_parameters(self._offered))
        return self._build(Control(FrameKind.DISCONNECT, poll=True))

    def _poll(self, now: float) -> bytes:
        """Give the turn away."""
        self._has_turn = False
        self._deadline = now + self._times.response_s
        return self._windowful()

    def _speak(self, now: float) -> bytes:
        """Use the turn: send what waits, or ask for what is to come; keep it where there is neither."""
        self._has_turn = True
        can_send = not self._outgoing.is_empty and not self._is_peer_busy
        if can_send or (self._incoming.is_open and not self._is_full):
            return self._poll(now)
        waits = self._expected_answers or not self._outgoing.is_empty or self._incoming.is_open
        self._deadline = now + self._times.poll_s if waits else None
        return b""

    def _time_is_up(self, now: float) -> bytes:
        if self._has_turn:
            return self._poll(now)
        self._tries += 1
        if self._tries >= self._times.tries:
            is_asked = self.state is LinkState.DISCONNECTING
            self._down(DisconnectReason.ASKED if is_asked else DisconnectReason.NO_ANSWER)
            return b""
        if self.state is not LinkState.CONNECTED:
            return self._ask(now)
        self._outgoing.go_back()
        return self._poll(now)

    # -- frames

    def _take(self, control: Control | None, frame: HdlcFrame, now: float) -> bytes:
        if control is None or self._peer is None or not self._peer.is_meant_by(parse_address(frame.source)):
            return b""
        step = _TABLE.get((self.state, control.kind))
        if step is _Step.OPEN:
            return self._open(frame, now)
        if step is _Step.DELIVER:
            return self._information(control, frame, now)
        if step is _Step.CONFIRM:
            return self._supervisory(control, now)
        if step is not None:
            self._down(step)
        return b""

    def _open(self, frame: HdlcFrame, now: float) -> bytes:
        agreed = self._offered.agreed(parse_parameters(frame.information))
        self._begin(agreed)
        self.state = LinkState.CONNECTED
        self._tries = 0
        if self._peer is not None:
            self._events.append(Connected(self._peer, agreed))
        return self._speak(now)

    def _information(self, control: Control, frame: HdlcFrame, now: float) -> bytes:
        confirms = self._outgoing.acknowledge(control.receive_number)
        was_open = len(self._events)
        is_next = self._deliver(control, frame)
        if is_next and len(self._events) > was_open:
            self._expected_answers = max(0, self._expected_answers - 1)
        self._is_peer_busy = False
        ahead = (control.send_number - self._incoming.receive_number) % MODULO
        has_gap = not is_next and 0 < ahead < self._parameters.received_window
        return self._heard(control, now, is_answer=is_next or confirms or has_gap, has_progress=is_next or confirms)

    def _supervisory(self, control: Control, now: float) -> bytes:
        confirms = self._outgoing.acknowledge(control.receive_number)
        self._is_peer_busy = control.kind is FrameKind.RECEIVE_NOT_READY
        if control.kind is FrameKind.REJECT:
            self._outgoing.go_back()
        nothing_is_lost = self._outgoing.sent == 0
        is_answer = confirms or nothing_is_lost
        return self._heard(control, now, is_answer=is_answer, has_progress=is_answer)

    def _heard(self, control: Control, now: float, *, is_answer: bool, has_progress: bool) -> bytes:
        """Count progress; take the turn where the frame gives it back."""
        if has_progress:
            self._tries = 0
        if self._has_turn:
            # An answer to a poll that was given up: what it brought is taken, the turn is ours already.
            return self._speak(now) if has_progress else b""
        if control.poll and is_answer:
            return self._regain(now)
        if has_progress:
            self._deadline = now + self._times.response_s
        return b""

    def _regain(self, now: float) -> bytes:
        # The server has said all: what it did not confirm in this turn was lost on the way.
        self._outgoing.go_back()
        return self._speak(now)
