"""An association from the server's side, sans-IO: one object for each client address and link.

``receive`` takes one message and returns what to send. States and what moves them:

* IDLE, nobody is associated. An AARQ that passes leads to ASSOCIATED, or with a high mechanism to PENDING.
* PENDING, the client must prove itself by ``reply_to_HLS``; a right proof leads to ASSOCIATED, a wrong one to IDLE, and
  no other request is served.
* ASSOCIATED, requests are served; an RLRQ leads to IDLE.

In every state an AARQ that passes begins anew, and one that does not changes nothing: where ciphering is asked for,
whoever has no key cannot end another's association. The same goes for messages that do not open: they are answered by
an exception-response, told to the device, and leave state and counters as they are. No octets make ``receive`` raise.

Source: IEC 62056-5-3, 7.3 and 5.3.7.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import (
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    Conformance,
    Diagnostic,
    InitiateResponse,
    Mechanism,
    ReleaseReason,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import (
    ActionOutcome,
    ActionRequest,
    ActionRequestBlock,
    ActionRequestFirstBlock,
    ActionRequestList,
    ActionResponse,
    ServiceApdu,
    SetRequest,
    SetRequestBlock,
    SetRequestList,
)
from openami.protocol.association.client_establish import REPLY_TO_HLS
from openami.protocol.association.form import Form
from openami.protocol.association.limits import (
    CIPHERING_OCTETS,
    GENERAL_OCTETS,
    MIN_PDU_OCTETS,
    OWN_CHALLENGE_OCTETS,
)
from openami.protocol.association.ports import ClientProfile, Device, SecurityIncident
from openami.protocol.association.protection import Opened, Protection
from openami.protocol.association.server_establish import Accepted, Refused, incident_of, judge
from openami.protocol.association.server_security import ServerSecurity
from openami.protocol.association.server_services import SERVICE_NOT_ALLOWED, SERVICE_UNKNOWN, ServerServices
from openami.protocol.axdr import octet_string
from openami.protocol.cosem.reference import ActionResult
from openami.protocol.envelope.block_session import BlockSession
from openami.protocol.envelope.blocks import is_block
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.errors import PeerError, UsageError

__all__ = ["ServerAssociation", "ServerSecurity", "ServerState"]

OTHER_REASON = 3
DECIPHERING_ERROR = 5
CONFIRMED_BIT = 0x40
_BLOCK_HEAD_OCTETS = 10


class ServerState(Enum):
    """Where the server's end stands."""

    IDLE = "idle"
    PENDING = "pending"
    ASSOCIATED = "associated"


@dataclass(slots=True)
class _Live:
    """What an association that was accepted holds."""

    accepted: Accepted
    services: ServerServices
    blocks: BlockSession | None
    server_challenge: bytes = field(repr=False)


class ServerAssociation:
    """One client's association with a device.

    Args:
        device: the objects.
        client: the client's address (16 is the public client).
        security: keys and counters of this client; None where it has none.
        dice: gives that many fresh random octets, never the same twice.
        block_window: general blocks that we take before we confirm, 1 to 63.
    """

    __slots__ = ("_client", "_device", "_dice", "_live", "_protection", "_security", "_state", "_window")

    def __init__(
        self,
        device: Device,
        client: int,
        *,
        security: ServerSecurity | None,
        dice: Callable[[int], bytes],
        block_window: int = 1,
    ) -> None:
        self._device = device
        self._client = client
        self._security = security
        self._dice = dice
        self._window = block_window
        self._state = ServerState.IDLE
        self._live: _Live | None = None
        self._protection: Protection | None = None

    @property
    def state(self) -> ServerState:
        """Where this end stands."""
        return self._state

    @property
    def client_max_pdu_octets(self) -> int:
        """Largest APDU that the client takes; 65535 where nobody is associated."""
        return self._live.accepted.max_pdu_octets if self._live is not None else MAX_APDU_OCTETS

    def abort(self) -> None:
        """End the association: the link below has closed, or the device says so."""
        self._state = ServerState.IDLE
        self._live = None
        self._protection = None

    def receive(self, octets: bytes) -> list[bytes]:
        """Take one message and return what to send, in order; nothing where nothing is to be said.

        Args:
            octets: one message from the link, any octets.
        """
        try:
            if is_block(octets):
                return self._receive_block(octets)
            answer = self._receive_message(octets)
            return self._outgoing(answer) if answer is not None else []
        except PeerError as error:
            return [self._exception(error)]

    def resend(self) -> list[bytes]:
        """Return general blocks to say again after a time-out of the link."""
        return self._live.blocks.resend() if self._live is not None and self._live.blocks is not None else []

    def _exception(self, error: PeerError) -> bytes:
        incident = incident_of(error)
        if incident is not None:
            self._device.report(self._client, incident)
            # One answer for everything that does not open: how it failed is nobody's business.
            return messages.encode(ExceptionResponse(SERVICE_NOT_ALLOWED, DECIPHERING_ERROR))
        return messages.encode(ExceptionResponse(SERVICE_UNKNOWN, OTHER_REASON))

    def _receive_block(self, octets: bytes) -> list[bytes]:
        live = self._live
        if live is None or live.blocks is None or self._state is not ServerState.ASSOCIATED:
            return [messages.encode(ExceptionResponse(SERVICE_NOT_ALLOWED, OTHER_REASON))]
        outgoing, message = live.blocks.receive(octets)
        answer = self._receive_message(message) if message is not None else None
        # The blocks of an answer confirm those of its request, so it goes in blocks whatever its length.
        return outgoing if answer is None else outgoing + live.blocks.send(answer)

    def _receive_message(self, octets: bytes) -> bytes | None:
        message = messages.decode(octets)
        if isinstance(message, AssociationRequest):
            return self._open(message)
        if isinstance(message, ReleaseRequest):
            return self._close(message)
        if self._live is None or self._state is ServerState.IDLE:
            return messages.encode(ExceptionResponse(SERVICE_NOT_ALLOWED, OTHER_REASON))
        opened = self._opened(octets, self._live)
        request = message if opened.form is Form.PLAIN else messages.decode(opened.apdu)
        answer: ServiceApdu | ExceptionResponse | None = ExceptionResponse(SERVICE_UNKNOWN, OTHER_REASON)
        if isinstance(request, ServiceApdu):
            answer = self._answer(request, self._live)
        if answer is None:
            return None
        plain = messages.encode(answer)
        return plain if isinstance(answer, ExceptionResponse) else self._sealed(plain, opened)

    def _opened(self, octets: bytes, live: _Live) -> Opened:
        if not live.accepted.is_ciphered or self._protection is None:
            return Opened(octets, Form.PLAIN, 0)
        self._refresh_keys(self._protection)
        return self._protection.open(octets, peer_title=live.accepted.request.calling_title)

    def _sealed(self, plain: bytes, opened: Opened) -> bytes:
        if opened.form is Form.PLAIN or self._protection is None or self._live is None:
            return plain
        title = self._live.accepted.request.calling_title
        return self._protection.seal(plain, opened.form, peer_title=title, control=opened.control)

    def _outgoing(self, message: bytes) -> list[bytes]:
        live = self._live
        if live is None or live.blocks is None or len(message) <= live.accepted.max_pdu_octets:
            return [message]
        return live.blocks.send(message)

    def _refresh_keys(self, protection: Protection) -> None:
        if self._security is not None:
            protection.keys = replace(self._security.keys(), dedicated=protection.keys.dedicated)

    # Requests.

    def _answer(self, request: ServiceApdu, live: _Live) -> ServiceApdu | ExceptionResponse | None:
        if isinstance(request, ActionRequest) and request.method == REPLY_TO_HLS:
            return self._take_proof(request, live)
        if self._state is not ServerState.ASSOCIATED:
            return ExceptionResponse(SERVICE_NOT_ALLOWED, OTHER_REASON)
        answer = live.services.serve(request)
        is_silent = isinstance(request, _MAY_BE_UNCONFIRMED) and not request.invoke & CONFIRMED_BIT
        return None if is_silent else answer

    def _take_proof(self, request: ActionRequest, live: _Live) -> ServiceApdu:
        """Judge the client's proof, and prove ourselves by the answer."""
        refused = ActionResponse(request.invoke, ActionOutcome(ActionResult.OTHER_REASON))
        aarq, protection = live.accepted.request, self._protection
        if self._state is not ServerState.PENDING or protection is None:
            return refused
        proof = request.parameter.octets if request.parameter is not None else None
        received, sent, title = aarq.calling_authentication or b"", live.server_challenge, aarq.calling_title
        if proof is None or not protection.verify(
            aarq.mechanism, proof, received=received, sent=sent, peer_title=title
        ):
            self._device.report(self._client, SecurityIncident.FAILED_AUTHENTICATION)
            # The challenge is spent: the next attempt begins with a new one.
            self._state = ServerState.IDLE
            return refused
        self._state = ServerState.ASSOCIATED
        answer = protection.prove(aarq.mechanism, received=received, sent=sent, peer_title=title)
        return ActionResponse(request.invoke, ActionOutcome(ActionResult.SUCCESS, octet_string(answer)))

    # Opening and closing.

    def _open(self, request: AssociationRequest) -> bytes | None:
        profile = self._device.client_profile(self._client)
        security = self._security
        protection = None
        if security is not None and profile is not None:
            protection = security.protection(profile.control)
        expected = security.client_title if security is not None else None
        verdict = judge(request, profile, protection, expected_title=expected)
        if isinstance(verdict, Accepted) and request.mechanism >= Mechanism.HIGH and protection is None:
            verdict = Refused(Diagnostic.MECHANISM_NOT_RECOGNIZED)
        if isinstance(verdict, Refused) or profile is None:
            return self._reject(request, verdict if isinstance(verdict, Refused) else Refused(Diagnostic.NO_REASON))
        return self._accept(verdict, profile, protection)

    def _reject(self, request: AssociationRequest, refused: Refused) -> bytes:
        if refused.incident is not None:
            self._device.report(self._client, refused.incident)
        error = messages.encode(refused.service_error) if refused.service_error is not None else None
        response = AssociationResponse(
            context=request.context,
            result=AssociationResult.REJECTED_PERMANENT,
            diagnostic=refused.diagnostic,
            provider_diagnostic=False,
            responding_title=None,
            mechanism=None,
            responding_authentication=None,
            user_information=error,
        )
        return messages.encode(response)

    def _accept(self, accepted: Accepted, profile: ClientProfile, protection: Protection | None) -> bytes | None:
        request = accepted.request
        is_high = request.mechanism >= Mechanism.HIGH
        challenge = self._dice(OWN_CHALLENGE_OCTETS) if is_high else b""
        if is_high and challenge == request.calling_authentication:
            raise UsageError("the dice gave the client's own challenge")
        if protection is not None and accepted.initiate.dedicated_key is not None:
            protection.use_dedicated(replace(protection.keys, dedicated=accepted.initiate.dedicated_key))
        self._protection = protection
        self._live = self._begin(accepted, challenge)
        self._state = ServerState.PENDING if is_high else ServerState.ASSOCIATED
        information = messages.encode(InitiateResponse(accepted.conformance, profile.max_pdu_octets))
        if accepted.form is not Form.PLAIN:
            information = self._sealed(information, Opened(b"", accepted.form, accepted.control))
        response = AssociationResponse(
            context=request.context,
            result=AssociationResult.ACCEPTED,
            diagnostic=Diagnostic.AUTHENTICATION_REQUIRED if is_high else Diagnostic.NULL,
            provider_diagnostic=False,
            responding_title=self._security.own_title if self._security is not None else None,
            mechanism=request.mechanism if is_high else None,
            responding_authentication=challenge if is_high else None,
            user_information=information,
        )
        return messages.encode(response) if accepted.initiate.response_allowed else None

    def _begin(self, accepted: Accepted, challenge: bytes) -> _Live:
        size = accepted.max_pdu_octets
        blocks = None
        if accepted.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            blocks = BlockSession(block_octets=size - _BLOCK_HEAD_OCTETS, window=self._window)
        room = size
        if accepted.is_ciphered:
            general = accepted.form in {Form.GENERAL, Form.SIGNED}
            room = max(size - (GENERAL_OCTETS if general else CIPHERING_OCTETS), MIN_PDU_OCTETS - CIPHERING_OCTETS)
        services = ServerServices(
            self._device,
            self._client,
            conformance=accepted.conformance,
            room_octets=room,
            has_general_blocks=blocks is not None,
        )
        return _Live(accepted, services, blocks, challenge)

    def _close(self, request: ReleaseRequest) -> bytes:
        live, protection = self._live, self._protection
        if live is None or self._state is ServerState.IDLE:
            return messages.encode(ReleaseResponse(ReleaseReason.NORMAL))
        information = None
        if live.accepted.is_ciphered and protection is not None and protection.control:
            if request.user_information is not None:
                opened = self._opened(request.user_information, live)
                initiate = InitiateResponse(live.accepted.conformance, live.accepted.max_pdu_octets)
                information = self._sealed(messages.encode(initiate), opened)
            elif self._security is not None and self._security.sealed_release:
                raise PeerError("plaintext", "a release without protection where protection is agreed", 0)
        self.abort()
        return messages.encode(ReleaseResponse(ReleaseReason.NORMAL, information))


_MAY_BE_UNCONFIRMED = (
    SetRequest,
    SetRequestList,
    SetRequestBlock,
    ActionRequest,
    ActionRequestList,
    ActionRequestFirstBlock,
    ActionRequestBlock,
)
"""Requests that a client may send without wanting an answer."""
