"""Opening and closing an association from the client's side: AARQ, AARE, the mutual proof, RLRQ, RLRE.

Source: IEC 62056-5-3, 5.3.7 (high-level security in four passes) and 7.3.
"""

from __future__ import annotations

from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import (
    DLMS_VERSION,
    LN_REFERENCING,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    ConfirmedServiceError,
    InitiateRequest,
    InitiateResponse,
    Mechanism,
    ReleaseRequest,
    ReleaseResponse,
)
from openami.protocol.apdu.exception import ExceptionResponse
from openami.protocol.apdu.services import ActionRequest, ActionResponse
from openami.protocol.association.channel import Channel, ClientState, Negotiated
from openami.protocol.association.errors import AssociationRefusedError, ServiceRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.limits import (
    MAX_CHALLENGE_OCTETS,
    MIN_CHALLENGE_OCTETS,
    MIN_PDU_OCTETS,
    OWN_CHALLENGE_OCTETS,
)
from openami.protocol.association.steps import Exchange, Open, Prove, Seal, Steps, Verify
from openami.protocol.axdr import octet_string
from openami.protocol.cosem.reference import ActionResult, MethodRef
from openami.protocol.envelope.limits import MAX_APDU_OCTETS
from openami.protocol.envelope.sealed import TITLE_OCTETS
from openami.protocol.errors import PeerError, UsageError

ASSOCIATION_LN_CLASS = 15
CURRENT_ASSOCIATION = Obis(bytes((0, 0, 40, 0, 0, 255)))
REPLY_TO_HLS = MethodRef(ASSOCIATION_LN_CLASS, CURRENT_ASSOCIATION, 1)
"""The method that carries the proofs of passes 3 and 4."""


def associate(channel: Channel, challenge: bytes | None) -> Steps[Negotiated]:
    """Open the association; see :meth:`openami.protocol.association.client.ClientAssociation.associate`."""
    settings = channel.settings
    if channel.state is not ClientState.IDLE:
        raise UsageError("the association is open")
    is_high = settings.mechanism >= Mechanism.HIGH
    if is_high and (challenge is None or not OWN_CHALLENGE_OCTETS <= len(challenge) <= MAX_CHALLENGE_OCTETS):
        raise UsageError(f"a challenge of {OWN_CHALLENGE_OCTETS} to {MAX_CHALLENGE_OCTETS} fresh octets is needed")
    password = settings.secret if settings.mechanism is Mechanism.LOW else None
    initiate = yield from _initiate(channel)
    request = AssociationRequest(
        context=_context(channel),
        mechanism=settings.mechanism,
        calling_title=settings.own_title,
        calling_authentication=challenge if is_high else password,
        user_information=initiate,
        calling_certificate=settings.certificate,
    )
    reply = yield Exchange(messages.encode(request))
    response = _accepted(reply)
    title = _check_response(channel, response)
    channel.negotiated = yield from _negotiate(channel, response, title)
    if not is_high:
        channel.state = ClientState.ASSOCIATED
        return channel.negotiated
    channel.state = ClientState.PENDING
    try:
        yield from _prove_both(channel, response.responding_authentication or b"", challenge or b"")
        channel.state = ClientState.ASSOCIATED
    finally:
        # Whatever ends the proof leaves nobody proved: the next attempt begins anew.
        if channel.state is ClientState.PENDING:
            channel.state = ClientState.IDLE
    return channel.negotiated


def release(channel: Channel) -> Steps[None]:
    """Close the association; see :meth:`openami.protocol.association.client.ClientAssociation.release`."""
    if channel.state is not ClientState.ASSOCIATED:
        raise UsageError(f"a release in state {channel.state.value}")
    channel.state = ClientState.IDLE
    control, title = channel.settings.control, channel.negotiated.peer_title
    information = None
    if control:
        information = yield from _initiate(channel)
    reply = yield Exchange(messages.encode(ReleaseRequest(user_information=information)))
    response = messages.decode(reply)
    if isinstance(response, ExceptionResponse):
        raise ServiceRefusedError(response.state_error, response.service_error, response.expected_counter)
    if not isinstance(response, ReleaseResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a release is answered", 0)
    # Many meters answer a release without protection. Nothing follows it, so a forged one ends what we ended already.
    if control and response.user_information is not None:
        yield Open(response.user_information, control, title)


def _context(channel: Channel) -> ApplicationContext:
    ciphered = channel.settings.control != 0
    return ApplicationContext.LOGICAL_NAMES_CIPHERED if ciphered else ApplicationContext.LOGICAL_NAMES


def _initiate(channel: Channel) -> Steps[bytes]:
    settings = channel.settings
    request = InitiateRequest(settings.conformance, settings.max_pdu_octets, settings.dedicated_key)
    plain = messages.encode(request)
    if not settings.control:
        return plain
    # The dedicated key travels here, so it cannot seal this; and a server knows the keys of the service-specific form
    # before it knows what else was agreed on.
    sealed: bytes = yield Seal(plain, Form.GLO, settings.control, channel.negotiated.peer_title)
    return sealed


def _accepted(reply: bytes) -> AssociationResponse:
    response = messages.decode(reply)
    if isinstance(response, ExceptionResponse):
        raise ServiceRefusedError(response.state_error, response.service_error, response.expected_counter)
    if not isinstance(response, AssociationResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where an association is answered", 0)
    if response.result is not AssociationResult.ACCEPTED:
        raise AssociationRefusedError(response.result, response.diagnostic, is_provider=response.provider_diagnostic)
    return response


def _check_response(channel: Channel, response: AssociationResponse) -> bytes | None:
    """Return the server's title, after everything that needs no key is as we asked."""
    settings = channel.settings
    if response.context is not _context(channel):
        raise PeerError("downgrade", "the server answers in another application context", 0)
    title = response.responding_title
    if settings.expected_title is not None and title not in {None, settings.expected_title}:
        raise PeerError("wrong_title", "another system title than the meter's answers", 0)
    title = title or settings.expected_title
    if (settings.control or settings.mechanism >= Mechanism.HIGH) and (title is None or len(title) != TITLE_OCTETS):
        raise PeerError("wrong_title", "the server does not name its system title", 0)
    if title is not None and title == settings.own_title:
        raise PeerError("wrong_title", "the server answers with our own system title", 0)
    if settings.mechanism >= Mechanism.HIGH and response.mechanism is not settings.mechanism:
        raise PeerError("downgrade", "the server goes on with another authentication mechanism", 0)
    return title


def _negotiate(channel: Channel, response: AssociationResponse, title: bytes | None) -> Steps[Negotiated]:
    settings = channel.settings
    information = response.user_information
    if information is None:
        raise PeerError("cut", "the server accepts and sends no initiate response", 0)
    if settings.control:
        information = yield Open(information, settings.control, title)
    initiate = messages.decode(information)
    if isinstance(initiate, ConfirmedServiceError):
        raise AssociationRefusedError(AssociationResult.REJECTED_PERMANENT, initiate.value, is_provider=True)
    if not isinstance(initiate, InitiateResponse):
        raise PeerError("unexpected_apdu", f"{type(initiate).__name__} where an initiate is answered", 0)
    if initiate.version != DLMS_VERSION or initiate.vaa_name != LN_REFERENCING:
        raise PeerError("bad_initiate", "another DLMS version, or no addressing by logical names", 0)
    if 0 < initiate.max_pdu_octets < MIN_PDU_OCTETS:
        raise PeerError("bad_initiate", f"a largest APDU of {initiate.max_pdu_octets} octets is of no use", 0)
    return Negotiated(initiate.conformance & settings.conformance, initiate.max_pdu_octets or MAX_APDU_OCTETS, title)


def _prove_both(channel: Channel, received: bytes, sent: bytes) -> Steps[None]:
    """Pass 3 and 4: prove ourselves, and take the server's proof."""
    mechanism, title = channel.settings.mechanism, channel.negotiated.peer_title
    if not MIN_CHALLENGE_OCTETS <= len(received) <= MAX_CHALLENGE_OCTETS:
        raise PeerError("bad_challenge", f"a challenge of {len(received)} octets", 0)
    if received == sent:
        raise PeerError("reflected", "the server sends our own challenge back", 0)
    answer: bytes = yield Prove(mechanism, received, sent, title)
    response = yield from channel.ask(
        ActionRequest(channel.next_invoke(), REPLY_TO_HLS, octet_string(answer)), pending=True
    )
    if not isinstance(response, ActionResponse):
        raise PeerError("unexpected_apdu", f"{type(response).__name__} where a proof is answered", 0)
    if response.outcome.result is not ActionResult.SUCCESS:
        raise AssociationRefusedError(AssociationResult.REJECTED_PERMANENT, int(response.outcome.result))
    returned = response.outcome.returned
    proof = None if returned is None or isinstance(returned, int) else returned.octets
    if proof is None or proof == answer:
        raise PeerError("bad_answer", "the server does not prove itself", 0)
    verified: bool = yield Verify(mechanism, proof, received, sent, title)
    if not verified:
        raise PeerError("bad_answer", "the server's proof does not verify", 0)
