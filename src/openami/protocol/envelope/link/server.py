"""The server's end of an HDLC link (secondary station): it speaks when it is polled."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from openami.protocol.envelope.hdlc import LLC_RESPONSE, HdlcFrame, build_frame
from openami.protocol.envelope.link.address import HdlcAddress, parse_address
from openami.protocol.envelope.link.control import FRMR_INVALID_CONTROL, FRMR_TOO_LONG, Control, FrameKind
from openami.protocol.envelope.link.events import Connected, DisconnectReason
from openami.protocol.envelope.link.parameters import LinkParameters, LinkTimes, build_parameters, parse_parameters
from openami.protocol.envelope.link.states import LinkState
from openami.protocol.envelope.link.station import HdlcStation
from openami.protocol.errors import PeerError


class _Step(Enum):
    OPEN = auto()
    DELIVER = auto()
    CONFIRM = auto()
    CLOSE = auto()


_TABLE: Mapping[tuple[LinkState, FrameKind], _Step] = {
    (LinkState.DISCONNECTED, FrameKind.SET_NORMAL_RESPONSE_MODE): _Step.OPEN,
    (LinkState.CONNECTED, FrameKind.SET_NORMAL_RESPONSE_MODE): _Step.OPEN,
    (LinkState.CONNECTED, FrameKind.DISCONNECT): _Step.CLOSE,
    (LinkState.CONNECTED, FrameKind.INFORMATION): _Step.DELIVER,
    (LinkState.CONNECTED, FrameKind.RECEIVE_READY): _Step.CONFIRM,
    (LinkState.CONNECTED, FrameKind.RECEIVE_NOT_READY): _Step.CONFIRM,
    (LinkState.CONNECTED, FrameKind.REJECT): _Step.CONFIRM,
}
"""What a server does with a frame, by its state. Without a link, anything else that polls is answered DM."""


class HdlcServer(HdlcStation):
    """The server's end. It keeps the turn for its application for ``hold_s``, so an answer goes with the first poll.

    Args:
        own: the server's address.
        client: the one client it takes; None for whoever connects first.
        parameters: what this end can do.
        times: its times; ``response_s``, ``tries`` and ``poll_s`` are a client's.
    """

    def __init__(
        self,
        *,
        own: HdlcAddress,
        client: HdlcAddress | None = None,
        parameters: LinkParameters | None = None,
        times: LinkTimes | None = None,
    ) -> None:
        super().__init__(own=own, peer=client, llc=LLC_RESPONSE, parameters=parameters, times=times)
        self._client = client
        self._heard_at = 0.0

    def send(self, apdu: bytes, *, now: float) -> bytes:
        """Send an APDU: at once where the client waits for it, else when it polls.

        Args:
            apdu: 1 to 65,535 octets.
            now: seconds.

        Raises:
            UsageError: no link, no octets or too many, or too many APDUs that wait.
        """
        self._push(apdu)
        return self._answer(now) if self._has_turn else b""

    def close(self) -> None:
        """Forget the link; the client is told when it speaks."""
        self._down(DisconnectReason.ASKED)

    def _answer(self, now: float) -> bytes:
        """Use the turn and give it back."""
        self._has_turn = False
        self._deadline = max(now, self._heard_at) + self._times.inactivity_s
        return self._windowful()

    def _time_is_up(self, now: float) -> bytes:
        if self.state is not LinkState.CONNECTED:
            return b""
        if self._has_turn:
            return self._answer(now)
        self._down(DisconnectReason.INACTIVE)
        return b""

    # -- frames

    def _take(self, control: Control | None, frame: HdlcFrame, now: float) -> bytes:
        source = parse_address(frame.source)
        is_connected = self.state is LinkState.CONNECTED
        expected = self._peer if is_connected else self._client
        if expected is not None and source != expected:
            # Another client is told that there is no link for it; the one that has it does not notice.
            return self._no_link(control, frame)
        if control is None:
            return self._reject(frame, FRMR_INVALID_CONTROL) if is_connected else b""
        step = _TABLE.get((self.state, control.kind))
        if step is None:
            return b"" if is_connected else self._no_link(control, frame)
        self._heard_at = now
        if not self._has_turn:
            self._deadline = now + self._times.inactivity_s
        if step is _Step.OPEN:
            return self._open(frame, now)
        if step is _Step.CLOSE:
            return self._disconnect()
        return self._information(control, frame, now) if step is _Step.DELIVER else self._supervisory(control, now)

    @staticmethod
    def _no_link(control: Control | None, frame: HdlcFrame) -> bytes:
        if control is None or not control.poll:
            return b""
        answer = Control(FrameKind.DISCONNECTED_MODE, poll=True)
        return build_frame(HdlcFrame(frame.source, frame.destination, answer.octet, b""))

    def _open(self, frame: HdlcFrame, now: float) -> bytes:
        agreed = self._offered.agreed(parse_parameters(frame.information))
        self._peer, self._answers_as = parse_address(frame.source), parse_address(frame.destination)
        self._begin(agreed)
        self.state = LinkState.CONNECTED
        self._deadline = now + self._times.inactivity_s
        self._events.append(Connected(self._peer, agreed))
        return self._build(Control(FrameKind.UNNUMBERED_ACKNOWLEDGE, poll=True), build_parameters(agreed))

    def _disconnect(self) -> bytes:
        answer = self._build(Control(FrameKind.UNNUMBERED_ACKNOWLEDGE, poll=True))
        self._down(DisconnectReason.PEER)
        return answer

    def _information(self, control: Control, frame: HdlcFrame, now: float) -> bytes:
        if len(frame.information) > self._parameters.received_octets:
            return self._reject(frame, FRMR_TOO_LONG)
        self._outgoing.acknowledge(control.receive_number)
        waited = len(self._events)
        try:
            is_next = self._deliver(control, frame)
        except PeerError:
            return self._reject(frame, FRMR_TOO_LONG)
        self._is_peer_busy = False
        if not control.poll:
            return b""
        if is_next and len(self._events) > waited and self._outgoing.is_empty:
            # A whole question: its answer should go with this turn.
            self._has_turn = True
            self._deadline = now + self._times.hold_s
            return b""
        return self._polled(now)

    def _supervisory(self, control: Control, now: float) -> bytes:
        self._outgoing.acknowledge(control.receive_number)
        self._is_peer_busy = control.kind is FrameKind.RECEIVE_NOT_READY
        return self._polled(now) if control.poll else b""

    def _polled(self, now: float) -> bytes:
        # The client has heard all that it will of the last turn: what it does not confirm was lost.
        self._outgoing.go_back()
        return self._answer(now)

    def _reject(self, frame: HdlcFrame, reason: int) -> bytes:
        numbers = self._incoming.receive_number << 5 | self._outgoing.send_number << 1
        information = bytes((frame.control, numbers, reason))
        answer = self._build(Control(FrameKind.FRAME_REJECT, poll=True), information)
        self._down(DisconnectReason.REJECTED)
        return answer
